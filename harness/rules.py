"""Choices about a score: weights of the composite, and the named rule sets of other projects. Data only.

Scheme `aa40` (the default): score = 0.30 OCA + 0.30 tIoU@0.5 + 0.40 AA@1. The task sets the 0.40, this project splits
the rest evenly. Rule set `standard`: ends are exclusive, the denominator is every clip of the split, a degenerate
segment is a miss. The other rule sets reproduce published figures, never silently: the signature names them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from numbers import Real

from harness.errors import UsageError
from harness.metrics_table import PARTS

COMPONENTS = tuple(metric.key for metric in PARTS)


@dataclass(frozen=True)
class Rules:
    """Rule set: how answers are counted. `end_inclusive` adds one frame to every length and every overlap."""

    name: str
    description: str
    end_inclusive: bool = False
    drop_missing: bool = False
    drop_degenerate: bool = False


RULES = {
    rules.name: rules
    for rules in (
        Rules("standard", "ends exclusive; every clip counts; a degenerate segment is a miss"),
        Rules("inclusive-ends", "end frames belong to the segment: lengths and overlaps gain one", end_inclusive=True),
        Rules("drop-missing", "clips without a line leave the denominator", drop_missing=True),
        Rules("drop-degenerate", "answers with start >= end leave the denominator of tIoU", drop_degenerate=True),
    )
}


@dataclass(frozen=True)
class Weights:
    """Weights of OCA, tIoU@0.5 and AA@1 in the composite.

    Raises UsageError unless they are numbers, none negative, with at most six decimals, and sum to 1.
    """

    oca: float = 0.3
    tiou50: float = 0.3
    aa1: float = 0.4

    def __post_init__(self) -> None:
        if fault := _fault(self.values()):
            text = ", ".join(f"{name}={value!r}" for name, value in zip(COMPONENTS, self.values(), strict=True))
            raise UsageError(f"Weights({text}): {fault}")
        for name, value in zip(COMPONENTS, self.values(), strict=True):
            if type(value) not in (int, float):  # one of numpy, which JSON cannot hold
                object.__setattr__(self, name, float(str(value)))

    @property
    def scheme(self) -> str:
        """Return `aa40` for the default weights, else `custom`."""
        return "aa40" if self == Weights() else "custom"

    def values(self) -> tuple[float, float, float]:
        """Return the weights in the order of the metrics."""
        return self.oca, self.tiou50, self.aa1

    def integers(self) -> tuple[int, int, int]:
        """Return the weights as the smallest integers in the same proportion (3, 3, 4), for exact tests on sums."""
        return _integers(self.values())

    def __str__(self) -> str:
        return "+".join(f"{name}*{value:g}" for name, value in zip(COMPONENTS, self.values(), strict=True))


def _fault(values: tuple[float, float, float]) -> str | None:
    """Return what is wrong with three weights, or None."""
    if not all(isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value) for value in values):
        return "expected three numbers"
    if any(value < 0 or round(float(str(value)), 6) != float(str(value)) for value in values):
        return "weights are not negative and have at most six decimals"
    if sum(Fraction(str(value)) for value in values) != 1:
        return "the three must sum to 1"
    return None


@cache
def _integers(weights: tuple[float, float, float]) -> tuple[int, int, int]:
    parts = [Fraction(str(value)) for value in weights]
    scale = math.lcm(*(part.denominator for part in parts))
    scaled = [int(part * scale) for part in parts]
    divisor = math.gcd(*scaled)
    return scaled[0] // divisor, scaled[1] // divisor, scaled[2] // divisor


def parse_weights(text: str) -> Weights:
    """Return the weights of a text such as `oca=0.3,tiou50=0.3,aa1=0.4`.

    Raises UsageError unless it names all three, none negative, with at most six decimals, and they sum to 1.
    """
    try:
        pairs = [(key, float(value)) for key, value in (item.split("=") for item in text.replace(" ", "").split(","))]
        if not all(math.isfinite(value) for _, value in pairs):
            raise ValueError
    except ValueError:
        raise UsageError(f"--weights {text!r}: expected oca=0.3,tiou50=0.3,aa1=0.4") from None
    values = dict(pairs)
    if len(pairs) != len(COMPONENTS) or set(values) != set(COMPONENTS):
        raise UsageError(f"--weights {text!r}: name each of {', '.join(COMPONENTS)} once")
    if fault := _fault((values["oca"], values["tiou50"], values["aa1"])):
        raise UsageError(f"--weights {text!r}: {fault}")
    return Weights(**values)


def find_rules(name: str) -> Rules:
    """Return a rule set by its name. Raises UsageError for another name."""
    if name not in RULES:
        raise UsageError(f"unknown rule set {name!r}; there are {', '.join(RULES)}")
    return RULES[name]


STANDARD, AA40 = RULES["standard"], Weights()
