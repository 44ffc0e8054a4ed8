"""A second answer to what a clip's frames tell of the next operation: the world file read anew, and a hidden chain.

    process = Process.of("warehouse-v2")
    process.next_distribution(state)            # operation -> probability
    process.best(state, indices=[62])           # with these frames only

Nothing is shared with reference/process but the VisibleState that it is asked about. A session is a chain of hidden
nodes (order's attributes, step, idle or not) in one of the regimes of its worker; how often a node is met is had by
solving the chain's linear equations, and a clip's runs are filtered forward through it.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

WORLDS = Path(__file__).parents[2] / "reference" / "worlds"
Mask = tuple[bool, ...]
Node = tuple[str, bool]  # step, idle
Known = Sequence[bool | None]


@dataclass(eq=False)
class Process:
    """The process of a world file, as it is written."""

    table: dict[str, Any]

    @classmethod
    def of(cls, name: str) -> Process:
        """Return the process of a world that ships, or of the file at a path."""
        file = WORLDS / (name if name.endswith(".toml") else f"{name}.toml")
        return cls(tomllib.loads(file.read_text(encoding="utf-8")))

    @cached_property
    def names(self) -> list[str]:
        return list(self.table["attributes"])

    @cached_property
    def idle(self) -> float:
        return self.table["idle"]["per_mille"] / 1000

    @cached_property
    def masks(self) -> list[Mask]:
        return list(product((False, True), repeat=len(self.names)))

    def chance(self, mask: Mask) -> float:
        shares = [self.table["attributes"][name]["per_mille"] / 1000 for name in self.names]
        return float(np.prod([share if has else 1 - share for has, share in zip(mask, shares, strict=True)]))

    def looks(self, step: str) -> tuple:
        """Return what a picture shows of a step, with the look's defaults."""
        found = self.table["steps"][step]
        given = {"box": "open", "inside": [], "marks": [], "items_out": False, "screen": "off"} | found.get("look", {})
        return found["operation"], *(str(given[key]) for key in sorted(given))

    def after(self, step: str, mask: Mask, habit: str | None) -> dict[str, float]:
        """Return P(next step) behind a step, "start" or before "done"; habit None: the flattened grammar."""
        rules = (self.table["start"] if step == "start" else self.table["steps"][step])["next"]
        if habit is None:
            targets = {target for rule in rules for target in rule["to"]}
            return dict.fromkeys(targets, 1 / len(targets))
        has = dict(zip(self.names, mask, strict=True))
        for rule in rules:
            if all(self.holds(condition, has, habit) for condition in rule.get("when", [])):
                total = sum(rule["to"].values())
                return {target: weight / total for target, weight in rule["to"].items()}
        raise AssertionError("the last rule holds always")

    @staticmethod
    def holds(condition: str, has: dict[str, bool], habit: str) -> bool:
        match condition.split():
            case ["habit", *words]:
                return " ".join(words) == habit
            case ["not", name]:
                return not has[name]
            case [one, "xor", other]:
                return has[one] != has[other]
            case [name]:
                return has[name]
        raise AssertionError(condition)

    def visits(self, mask: Mask, habit: str | None) -> dict[str, float]:
        """Return how often each step is met in one order: (1 - P^T) v = first steps."""
        steps = list(self.table["steps"])
        place = {step: number for number, step in enumerate(steps)}
        moves = np.zeros((len(steps), len(steps)))
        for step in steps:
            for target, share in self.after(step, mask, habit).items():
                if target != "done":
                    moves[place[step], place[target]] += share
        first = np.zeros(len(steps))
        for target, share in self.after("start", mask, habit).items():
            first[place[target]] += share
        return dict(zip(steps, np.linalg.solve(np.eye(len(steps)) - moves.T, first), strict=True))

    def mean_ms(self, operation: str) -> float:
        quantiles = np.array(self.table["durations"][operation], float)
        return float(((quantiles[1:] + quantiles[:-1]) / 2).mean())

    @cached_property
    def regimes(self) -> dict[str, list[tuple[str | None, float]]]:
        """Return, by worker, the regimes of a session (a habit, or None) with their weight per unit of time."""
        one_in = self.table["randomised"]["one_in"]
        flat = 1 / one_in if one_in else 0.0
        found = {}
        for worker, fields in self.table["workers"].items():
            shares = [(fields["habit"], 1 - flat), (None, flat)]
            found[worker] = [(habit, share / self.order_ms(habit)) for habit, share in shares if share]
        return found

    def order_ms(self, habit: str | None) -> float:
        pause = self.idle * self.mean_ms("Idle") if self.idle else 0.0
        return sum(
            self.chance(mask) * count * (self.mean_ms(self.table["steps"][step]["operation"]) + pause)
            for mask in self.masks
            for step, count in self.met[mask, habit].items()
        )

    @cached_property
    def met(self) -> dict[tuple[Mask, str | None], dict[str, float]]:
        habits = {fields["habit"] for fields in self.table["workers"].values()} | {None}
        return {(mask, habit): self.visits(mask, habit) for mask in self.masks for habit in habits}

    def next_distribution(self, state: Any) -> dict[str, float]:
        """Return P(next operation | state)."""
        if state.next_operation is not None:
            return {state.next_operation: 1.0}
        return self.ahead(state, 1)

    def ahead(self, state: Any, runs: int) -> dict[str, float]:
        """Return P(operation of the run so many runs after the last one on screen | state)."""
        weights: dict[str, float] = defaultdict(float)
        for habit, weight in self.regimes[state.worker]:
            hidden = self.filtered(state, habit)
            for _ in range(runs - 1):
                moved: dict[tuple, float] = defaultdict(float)
                for node, share in hidden.items():
                    for following, part in self.moves(node, habit):
                        moved[following] += share * part
                hidden = moved
            for node, share in hidden.items():
                for (_, (step, idle), _), part in self.moves(node, habit):
                    weights["Idle" if idle else self.table["steps"][step]["operation"]] += weight * share * part
        total = sum(weights.values())
        return {operation: weight / total for operation, weight in weights.items() if weight}

    def filtered(self, state: Any, habit: str | None) -> dict[tuple[Mask, Node, tuple], float]:
        """Return the weight of each node that the last run may be, with what is known of the order after it."""
        hidden: dict[tuple[Mask, Node], float] = {}
        for number, run in enumerate(state.runs):
            idle = run.operation == "Idle"
            like = [step for step in self.table["steps"] if self.looks(step) == self.looks(run.step)]
            fits = [mask for mask in self.masks if self.fits(mask, state.orders[run.order])]
            moved: dict[tuple[Mask, Node], float] = {}
            for mask, step in product(fits, like):
                moved[mask, (step, idle)] = self.arrives(hidden, mask, step, idle, habit, number, state.runs)
            hidden = moved
        last = state.runs[-1].order
        beside = state.orders[last + 1] if len(state.orders) > last + 1 else [None] * len(self.names)
        return {(mask, node, tuple(beside)): weight for (mask, node), weight in hidden.items() if weight}

    def moves(self, node: tuple[Mask, Node, tuple], habit: str | None) -> Iterator[tuple[tuple, float]]:
        """Yield (node, probability) pairs of what follows a node."""
        mask, (step, idle), beside = node
        if not idle and self.idle:
            yield (mask, (step, True), beside), self.idle
        going = 1.0 if idle else 1 - self.idle
        for target, share in self.after(step, mask, habit).items():
            if target != "done":
                yield (mask, (target, False), beside), going * share
                continue
            fits = [other for other in self.masks if self.fits(other, beside)]
            total = sum(self.chance(other) for other in fits)
            for other in fits:
                for first, part in self.after("start", other, habit).items():
                    nothing = (None,) * len(self.names)
                    yield (other, (first, False), nothing), going * share * self.chance(other) / total * part

    @staticmethod
    def fits(mask: Mask, known: Known) -> bool:
        return all(value is None or value == has for value, has in zip(known, mask, strict=True))

    def arrives(
        self,
        hidden: dict[tuple[Mask, Node], float],
        mask: Mask,
        step: str,
        idle: bool,
        habit: str | None,
        number: int,
        runs: Sequence[Any],
    ) -> float:
        """Return the weight with which the run `number` is this step of an order with these attributes."""
        if number == 0:
            return self.chance(mask) * self.met[mask, habit][step] * (self.idle if idle else 1.0)
        total = 0.0
        for (other, (before, was_idle)), weight in hidden.items():
            going = weight if was_idle else weight * (1 - self.idle)
            if runs[number].order > runs[number - 1].order:
                ends = self.after(before, other, habit).get("done", 0.0)
                total += going * ends * self.chance(mask) * self.after("start", mask, habit).get(step, 0.0)
            elif other == mask and idle:
                total += weight * self.idle * (before == step)
            elif other == mask:
                total += going * self.after(before, mask, habit).get(step, 0.0)
        return total

    def surfaces(self) -> dict[str, dict[str, Any]]:
        return self.table.get("surfaces", {})

    def best(self, state: Any, indices: Sequence[int]) -> float:
        """Return the probability of the best answer from these frames of a clip whose next operation is hidden.

        The run that is asked about is known to be the last; of the runs before it those whose frames are among
        `indices`, back to the first that has none.
        """

        def meets(part: Any) -> bool:
            return bool(set(indices) & set(range(part.start_frame, part.end_frame)))

        place = len(state.runs) - 1
        while place and meets(state.runs[place - 1]):
            place -= 1
        runs = list(state.runs[place:])
        there = {run.order for run in state.runs if meets(run)}
        open_windows = {(window.surface, window.order) for window in state.windows if meets(window)}
        known = []
        for order, values in enumerate(state.orders):
            row = []
            for value, fields in zip(values, self.table["attributes"].values(), strict=True):
                surface = fields["shown_by"]
                windowed = "window" in self.surfaces().get(surface, {})
                row.append(value if ((surface, order) in open_windows if windowed else order in there) else None)
            known.append(row)
        return max(self.next_distribution(_Told(state.worker, runs, known)).values())


@dataclass
class _Told:
    """What is left of a state when some frames only are seen."""

    worker: str
    runs: list[Any]
    orders: list[list[bool | None]]
    next_operation: None = None


def usual(pairs: Iterable[tuple[object, str]], order: Sequence[str]) -> dict[object, str]:
    """Return the most frequent second by first; ties to the earlier in `order`."""
    counts: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for first, second in pairs:
        counts[first][second] += 1
    return {first: max(order, key=lambda name, seen=seen: seen[name]) for first, seen in counts.items()}
