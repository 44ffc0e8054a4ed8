"""What can be chosen about a score: weights of the composite and the named rule sets of other projects. Data only.

Scheme `aa40` (the default): score = 0.30 OCA + 0.30 tIoU@0.5 + 0.40 AA@1. The 0.40 is given, the split of the rest is
this project's. Rule set `standard`: ends are exclusive, the denominator is every clip of the split, a degenerate
segment is a miss. The other rule sets exist to reproduce published figures, never silently: the signature names them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from harness.errors import UsageError
from harness.metrics_table import PARTS

COMPONENTS = tuple(metric.key for metric in PARTS)


@dataclass(frozen=True)
class Rules:
    """How answers are counted; `end_inclusive` adds one frame to every length and every overlap."""

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
    """Weights of OCA, tIoU@0.5 and AA@1 in the composite; they sum to 1."""

    oca: float = 0.3
    tiou50: float = 0.3
    aa1: float = 0.4

    @property
    def scheme(self) -> str:
        return "aa40" if self == Weights() else "custom"

    def values(self) -> tuple[float, float, float]:
        return self.oca, self.tiou50, self.aa1

    def integers(self) -> tuple[int, int, int]:
        """The same proportions as the smallest integers (3, 3, 4 by default), for exact tests on sums."""
        return _integers(self.values())

    def __str__(self) -> str:
        return "+".join(f"{name}*{value:g}" for name, value in zip(COMPONENTS, self.values(), strict=True))


@cache
def _integers(weights: tuple[float, float, float]) -> tuple[int, int, int]:
    parts = [Fraction(str(value)) for value in weights]
    scale = math.lcm(*(part.denominator for part in parts))
    scaled = [int(part * scale) for part in parts]
    divisor = math.gcd(*scaled)
    return scaled[0] // divisor, scaled[1] // divisor, scaled[2] // divisor


def parse_weights(text: str) -> Weights:
    """`oca=0.3,tiou50=0.3,aa1=0.4` -> Weights. All three, none negative, at most six decimals, sum 1."""
    try:
        pairs = [(key, float(value)) for key, value in (item.split("=") for item in text.replace(" ", "").split(","))]
        if not all(math.isfinite(value) for _, value in pairs):
            raise ValueError
    except ValueError:
        raise UsageError(f"--weights {text!r}: expected oca=0.3,tiou50=0.3,aa1=0.4") from None
    values = dict(pairs)
    if len(pairs) != len(COMPONENTS) or set(values) != set(COMPONENTS):
        raise UsageError(f"--weights {text!r}: name each of {', '.join(COMPONENTS)} once")
    if any(value < 0 or round(value, 6) != value for value in values.values()):
        raise UsageError(f"--weights {text!r}: weights are not negative and have at most six decimals")
    if sum(Fraction(str(value)) for value in values.values()) != 1:
        raise UsageError(f"--weights {text!r}: the three must sum to 1")
    return Weights(**values)


def find_rules(name: str) -> Rules:
    if name not in RULES:
        raise UsageError(f"unknown rule set {name!r}; there are {', '.join(RULES)}")
    return RULES[name]


STANDARD, AA40 = RULES["standard"], Weights()
