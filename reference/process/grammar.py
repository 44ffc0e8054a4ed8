"""The grammar of a world in the form that drawing and inference use: successors by step, attributes and habit.

Attributes are a bit mask, bit i the world's attribute i. A *randomised* session is drawn from the flattened grammar:
every successor that any rule names, all equally likely, whatever the attributes and the habit.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

from reference.process.world import DONE, IDLE, START, Rule, World

_NEGLIGIBLE = 1e-13


class Successors(NamedTuple):
    """Successors of a step: targets with cumulative integer weights, and the probability of each target."""

    targets: tuple[str, ...]
    cumulative: tuple[int, ...]
    probability: dict[str, float]

    def draw(self, share: float) -> str:
        """Return the target at `share` in [0, 1) of the weights."""
        return self.targets[bisect_right(self.cumulative, int(share * self.cumulative[-1]))]


class Regime(NamedTuple):
    """Conditions that hold for a whole session and decide successors. The flattened grammar has no habit."""

    randomised: bool
    habit: str


class Grammar:
    """Compiled grammar of a world: successors and expected visits, each computed on first use."""

    def __init__(self, world: World):
        self.world = world
        self.masks = range(1 << len(world.attributes))
        self.mask_probability = tuple(self._mask_probability(mask) for mask in self.masks)
        self.idle = world.idle_per_mille / 1000
        self.operation = {name: step.operation for name, step in world.steps.items()}
        self._rules = {START: world.start, **{name: step.rules for name, step in world.steps.items()}}
        self._successors: dict[tuple[str, int, Regime], Successors] = {}
        self._visits: dict[tuple[int, Regime], dict[str, float]] = {}
        self._first: dict[tuple[Regime, tuple[bool | None, ...]], dict[str, float]] = {}
        self._fitting: dict[tuple[bool | None, ...], tuple[int, ...]] = {}
        self._length: dict[Regime, float] = {}

    def regime(self, habit: str, randomised: bool) -> Regime:
        """Return the regime of a session."""
        return Regime(randomised, "" if randomised else habit)

    def successors(self, step: str, mask: int, regime: Regime) -> Successors:
        """Return the successors of a step (or START) in an order with these attributes."""
        key = (step, 0 if regime.randomised else mask, regime)
        found = self._successors.get(key)
        if found is None:
            found = self._successors[key] = self._work_out(*key)
        return found

    def _work_out(self, step: str, mask: int, regime: Regime) -> Successors:
        rules = self._rules[step]
        if regime.randomised:
            targets = tuple(dict.fromkeys(target for rule in rules for target, _ in rule.to))
            return _successors(tuple((target, 1) for target in targets))
        return _successors(self._holding(rules, mask, regime.habit).to)

    def _holding(self, rules: tuple[Rule, ...], mask: int, habit: str) -> Rule:
        present = [attribute.name for bit, attribute in enumerate(self.world.attributes) if mask >> bit & 1]
        return next(rule for rule in rules if rule.holds(present, habit))

    def _mask_probability(self, mask: int) -> float:
        product = 1.0
        for bit, attribute in enumerate(self.world.attributes):
            per_mille = attribute.per_mille if mask >> bit & 1 else 1000 - attribute.per_mille
            product *= per_mille / 1000
        return product

    def visits(self, mask: int, regime: Regime) -> dict[str, float]:
        """Return the expected visits to each step in one order with these attributes.

        Visits are summed along the order, loops included.
        """
        key = (0 if regime.randomised else mask, regime)
        if key not in self._visits:
            self._visits[key] = self._propagate(*key)
        return self._visits[key]

    def _propagate(self, mask: int, regime: Regime) -> dict[str, float]:
        total = dict.fromkeys(self.operation, 0.0)
        # Follow the probability of being at each step; loops return some of it, so repeat until almost none is left.
        mass = dict(self.successors(START, mask, regime).probability)
        while sum(mass.values()) > _NEGLIGIBLE:
            onward: dict[str, float] = {}
            for step, amount in mass.items():
                total[step] += amount
                for target, share in self.successors(step, mask, regime).probability.items():
                    if target != DONE:
                        onward[target] = onward.get(target, 0.0) + amount * share
            mass = onward
        return total

    def fitting(self, attributes: tuple[bool | None, ...]) -> tuple[int, ...]:
        """Return the attribute masks that fit what is known of an order; None: not known."""
        if attributes not in self._fitting:
            masks = [0]
            for bit, value in enumerate(attributes):
                choices = (0, 1) if value is None else (int(value),)
                masks = [mask | choice << bit for mask in masks for choice in choices]
            self._fitting[attributes] = tuple(masks)
        return self._fitting[attributes]

    def orders(self, attributes: tuple[bool | None, ...]) -> list[tuple[int, float]]:
        """Return the masks that fit what is known of an order, each with its probability."""
        masks = self.fitting(attributes)
        total = sum(self.mask_probability[mask] for mask in masks) if len(masks) < len(self.masks) else 1.0
        return [(mask, self.mask_probability[mask] / total) for mask in masks]

    def first_steps(self, regime: Regime, attributes: tuple[bool | None, ...]) -> dict[str, float]:
        """Return P(first step) of an order of which this is known."""
        key = (regime, attributes)
        if key not in self._first:
            first: dict[str, float] = {}
            for mask, chance in self.orders(attributes):
                for step, share in self.successors(START, mask, regime).probability.items():
                    first[step] = first.get(step, 0.0) + chance * share
            self._first[key] = first
        return self._first[key]

    def order_length(self, regime: Regime) -> float:
        """Return the mean length of an order in ms at tempo 100; visits per order divided by it are visits per time."""
        if regime not in self._length:
            pause = self.idle * self._mean(IDLE) if self.idle else 0.0
            length = 0.0
            for mask in self.masks:
                for step, visits in self.visits(mask, regime).items():
                    length += self.mask_probability[mask] * visits * (self._mean(self.operation[step]) + pause)
            self._length[regime] = length
        return self._length[regime]

    def _mean(self, operation: str) -> float:
        # Durations are interpolated linearly between the quantiles, so their mean is the trapezoid rule.
        quantiles = self.world.durations[operation]
        return (2 * sum(quantiles) - quantiles[0] - quantiles[-1]) / (2 * (len(quantiles) - 1))


def _successors(to: tuple[tuple[str, int], ...]) -> Successors:
    total = sum(weight for _, weight in to)
    cumulative = tuple(sum(weight for _, weight in to[: place + 1]) for place in range(len(to)))
    return Successors(tuple(name for name, _ in to), cumulative, {name: weight / total for name, weight in to})


@lru_cache(maxsize=8)
def grammar_of(world: World) -> Grammar:
    """Return the compiled grammar of a world; the last eight are kept."""
    return Grammar(world)
