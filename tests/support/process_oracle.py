"""A second answer to what a clip's frames allow to know, worked out from a world file and nothing of `reference`.

    process = Process("reference/worlds/warehouse-v1.toml")
    process.following(worker, runs, orders)

The package multiplies order by order; here one hidden Markov chain over (regime, attributes, step) is filtered forward
along the runs on screen. Expected visits are a linear system here, and a sum along the order there.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

START, DONE, IDLE = "start", "done", "Idle"


class Shown(NamedTuple):
    """One run on screen: its operation, the step of the box, and the number of its order among those on screen."""

    operation: str
    step: str
    order: int


class Process:
    """The grammar of a world file. A regime is a habit, or None for the flattened grammar of a randomised session."""

    def __init__(self, path: str | Path):
        self.table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        self.steps = list(self.table["steps"])
        self.idle = self.table["idle"]["per_mille"] / 1000
        shares = [attribute["per_mille"] / 1000 for attribute in self.table["attributes"].values()]
        self.orders = {bits: _chance(bits, shares) for bits in product((False, True), repeat=len(shares))}
        self.after = cache(self._after)
        self.visits = cache(self._visits)
        self.length = cache(self._length)

    def _after(self, step: str, order: tuple[bool, ...], habit: str | None) -> dict[str, float]:
        """Return P(next step), interruptions aside."""
        rules = (self.table["start"] if step == START else self.table["steps"][step])["next"]
        if habit is None:
            targets = {target for rule in rules for target in rule["to"]}
            return dict.fromkeys(targets, 1 / len(targets))
        has = dict(zip(self.table["attributes"], order, strict=True))
        to = next(rule["to"] for rule in rules if all(_holds(text, has, habit) for text in rule.get("when", ())))
        return {target: weight / sum(to.values()) for target, weight in to.items()}

    def _visits(self, order: tuple[bool, ...], habit: str | None) -> dict[str, float]:
        """Return the expected visits v to each step in an order: v = first + v P."""
        place = {step: i for i, step in enumerate(self.steps)}
        first, moves = np.zeros(len(place)), np.zeros((len(place), len(place)))
        for step, chance in self.after(START, order, habit).items():
            first[place[step]] = chance
        for step in place:
            for target, chance in self.after(step, order, habit).items():
                if target != DONE:
                    moves[place[step], place[target]] = chance
        return dict(zip(place, np.linalg.solve(np.eye(len(place)) - moves.T, first), strict=True))

    def _length(self, habit: str | None) -> float:
        """Return the mean duration of an order in ms."""
        pause = self.idle * self._mean_ms(IDLE) if self.idle else 0.0
        return sum(
            chance * visits * (self._mean_ms(self.table["steps"][step]["operation"]) + pause)
            for order, chance in self.orders.items()
            for step, visits in self.visits(order, habit).items()
        )

    def _mean_ms(self, operation: str) -> float:
        return float(np.mean([(low + high) / 2 for low, high in pairwise(self.table["durations"][operation])]))

    def following(
        self, worker: str, runs: Sequence[Shown], orders: Sequence[tuple[bool | None, ...]]
    ) -> dict[str, float]:
        """Return P(next operation) after the last run on screen; None in `orders` is an attribute nobody sees."""
        weights: defaultdict[str, float] = defaultdict(float)
        for habit, prior in self._regimes(self.table["workers"][worker]["habit"]):
            met = prior / self.length(habit) * (self.idle if runs[0].operation == IDLE else 1)
            belief = {
                order: met * self.orders[order] * self.visits(order, habit)[runs[0].step]
                for order in self._fitting(orders[0])
            }
            for before, now in pairwise(runs):
                belief = self._move(belief, before, now, habit, orders)
            for order, weight in belief.items():
                for operation, chance in self._next(runs[-1], order, habit):
                    weights[operation] += weight * chance
        total = sum(weights.values())
        return {operation: weight / total for operation, weight in weights.items() if weight}

    def _regimes(self, habit: str) -> list[tuple[str | None, float]]:
        one_in = self.table["randomised"]["one_in"]
        return [(habit, 1 - 1 / one_in), (None, 1 / one_in)] if one_in else [(habit, 1.0)]

    def _fitting(self, seen: tuple[bool | None, ...]) -> list[tuple[bool, ...]]:
        return [order for order in self.orders if all(s in (None, o) for s, o in zip(seen, order, strict=True))]

    def _move(self, belief, before: Shown, now: Shown, habit, orders) -> dict[tuple[bool, ...], float]:
        """Return the belief about the order on screen after one more run."""
        stay = 1.0 if before.operation == IDLE else 1 - self.idle
        if now.order == before.order:
            if now.operation == IDLE:
                return {order: weight * self.idle for order, weight in belief.items()}
            return {
                order: weight * stay * self.after(before.step, order, habit).get(now.step, 0)
                for order, weight in belief.items()
            }
        ended = sum(weight * stay * self.after(before.step, o, habit).get(DONE, 0) for o, weight in belief.items())
        return {
            order: ended * self.orders[order] * self.after(START, order, habit).get(now.step, 0)
            for order in self._fitting(orders[now.order])
        }

    def _next(self, last: Shown, order: tuple[bool, ...], habit: str | None) -> Iterator[tuple[str, float]]:
        stay = 1.0
        if last.operation != IDLE:
            stay = 1 - self.idle
            yield IDLE, self.idle
        for target, chance in self.after(last.step, order, habit).items():
            if target != DONE:
                yield self.table["steps"][target]["operation"], stay * chance
                continue
            for other, share in self.orders.items():
                for first, part in self.after(START, other, habit).items():
                    yield self.table["steps"][first]["operation"], stay * chance * share * part

    def look(self, step: str) -> str:
        """Return a text that is equal for steps that look the same."""
        look = {"box": "open", "inside": [], "marks": [], "items_out": False, "screen": "off"}
        return repr(sorted((look | self.table["steps"][step].get("look", {})).items()))


def _chance(bits: Sequence[bool], shares: Sequence[float]) -> float:
    return float(np.prod([share if bit else 1 - share for bit, share in zip(bits, shares, strict=True)]))


def _holds(text: str, has: dict[str, bool], habit: str) -> bool:
    if text.startswith("habit "):
        return habit == text.removeprefix("habit ")
    return not has[text.removeprefix("not ")] if text.startswith("not ") else has[text]


def usual(pairs: Iterable[tuple[object, str]], order: Sequence[str]) -> dict[object, str]:
    """Return the most frequent second by first; ties to the earlier in `order`."""
    counts: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for first, second in pairs:
        counts[first][second] += 1
    return {first: max(order, key=lambda name, seen=seen: seen[name]) for first, seen in counts.items()}
