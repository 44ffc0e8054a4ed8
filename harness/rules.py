"""Choices about a score: weights of the composite, and the named rule sets of other projects, which combine. Data only.

Scheme `aa40` (the default): score = 0.30 OCA + 0.30 tIoU@0.5 + 0.40 AA@1. The task sets the 0.40, this project splits
the rest evenly. Rule set `standard`: ends are exclusive, the denominator is every clip of the split, a degenerate
segment is a miss. The other rule sets reproduce published figures, alone or several at once, never silently: the
signature names them, in the order of RULES. A segment is degenerate when end - start is below `shortest`, as the file
counts frames, or when no frame at 25 fps is left of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from numbers import Real

from harness.errors import UsageError
from harness.metrics_table import PARTS

COMPONENTS = tuple(metric.key for metric in PARTS)
SEPARATOR = ","


@dataclass(frozen=True)
class Rules:
    """Rule set: how answers are counted. `end_inclusive` adds one frame to every length and every overlap.

    `shortest`: the least end - start, in frames of the file, that is no degenerate segment. `name`: of several sets at
    once all names, as --rules takes them.
    """

    name: str
    description: str
    end_inclusive: bool = False
    drop_missing: bool = False
    drop_degenerate: bool = False
    shortest: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the sets that are combined."""
        return tuple(self.name.split(SEPARATOR))


RULES = {
    rules.name: rules
    for rules in (
        Rules("standard", "ends exclusive; every clip counts; a degenerate segment is a miss"),
        Rules("inclusive-ends", "end frames belong to the segment: lengths and overlaps gain one", end_inclusive=True),
        Rules("drop-missing", "clips without a line leave the denominator", drop_missing=True),
        Rules("drop-degenerate", "degenerate answers leave the denominator of tIoU", drop_degenerate=True),
        Rules(
            "one-frame-degenerate", "a segment with end - start <= 1 is degenerate, not only start >= end", shortest=2
        ),
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


STANDARD, AA40 = RULES["standard"], Weights()


def find_rules(chosen: str | Rules | Iterable[str | Rules]) -> Rules:
    """Return the rule set that is named, or several sets as one: `drop-missing,drop-degenerate`, or a list of names.

    Their order and repetitions make no difference. Raises UsageError for another name, for none, and for `standard`
    beside a set that changes it.
    """
    names = set(_names(chosen))
    for name in sorted(names - set(RULES)):
        raise UsageError(f"unknown rule set {name!r}; there are {', '.join(RULES)}")
    if not names:
        raise UsageError(f"no rule set is named; there are {', '.join(RULES)}")
    if STANDARD.name in names and len(names) > 1:
        others = " and ".join(name for name in RULES if name in names - {STANDARD.name})
        raise UsageError(f"rule set standard changes nothing, so it does not go together with {others}; leave it out")
    return _combine([rules for name, rules in RULES.items() if name in names])


def _names(chosen: str | Rules | Iterable[str | Rules]) -> Iterable[str]:
    """Yield the names in a text, in a rule set, or in several of either."""
    if isinstance(chosen, str):
        yield from (name.strip() for name in chosen.split(SEPARATOR))
    elif isinstance(chosen, Rules):
        if chosen != find_rules(chosen.name):
            raise UsageError(f"rules are named, e.g. 'drop-missing,drop-degenerate', and {chosen!r} is none of these")
        yield from chosen.names
    elif isinstance(chosen, Iterable) and not isinstance(chosen, bytes | dict):
        for each in chosen:
            yield from _names(each)
    else:
        raise UsageError(
            f"rules are a name or a list of names, e.g. ['drop-missing', 'drop-degenerate'], not {chosen!r}"
        )


def _combine(chosen: list[Rules]) -> Rules:
    """Return one rule set with everything that any of these changes about the standard one."""
    if len(chosen) == 1:
        return chosen[0]
    changed = {
        field.name: value
        for rules in chosen
        for field in fields(Rules)
        if (value := getattr(rules, field.name)) != field.default and field.name not in ("name", "description")
    }
    name = SEPARATOR.join(rules.name for rules in chosen)
    return Rules(name, "; ".join(rules.description for rules in chosen), **changed)
