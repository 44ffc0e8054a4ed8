"""Orders -> stochastic grammar -> session timeline: runs, drawn lazily from one keyed stream for each session.

Times are integer milliseconds. A session belongs to one domain, one worker, and is randomised (drawn from the flattened
grammar) or not: domains rotate by session index, workers rotate within a domain, and in each block of `one_in` sessions
of a domain one, chosen by a draw, is randomised. The stream gives, in this order: one number for each attribute of an
order, one for its first step, then for each step one for its duration, one for an interruption (with one more for its
duration), one for the successor.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from reference.errors import WorldError
from reference.process.cutter import NEXT_OPERATIONS
from reference.process.grammar import Grammar, Regime, grammar_of
from reference.process.world import DONE, IDLE, START, Worker, World
from reference.randomness import below, stream
from reference.task import Run

MAX_RUNS = 1_000_000
"""Runs that a session may have: where no clip can be cut from them, the timeline would have no end."""
_FINE = 1 << 32  # share * 2^32 is exact in a double, so every processor gets the same integer


@dataclass(frozen=True, slots=True)
class StepRun(Run):
    """A run with its grammar step. Idle has the step that it interrupted: the box stays as it was left."""

    step: str
    order: int  # 0-based within the session


@dataclass
class Session:
    """One session of a split. Iteration extends its endless timeline; `runs` has what was drawn so far."""

    name: str
    domain: str
    worker: Worker
    randomised: bool
    rng: random.Random
    grammar: Grammar
    swapped: bool = False  # the order at hand is the right one of two that lie side by side
    runs: list[StepRun] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)  # attribute mask of each order, by StepRun.order
    _drawn: Iterator[StepRun] | None = None

    def __iter__(self) -> Iterator[StepRun]:
        """Yield the runs from the first; each is drawn when needed, together with the three after it."""
        for index in count():
            while len(self.runs) <= index + NEXT_OPERATIONS:
                self._draw_run()
            yield self.runs[index]

    def attributes_of(self, order: int) -> int:
        """Return the attribute mask of an order; the timeline is drawn up to its first run."""
        while len(self.orders) <= order:
            self._draw_run()
        return self.orders[order]

    def _draw_run(self) -> None:
        if self._drawn is None:
            self._drawn = self._draw()
        next(self._drawn)

    def _draw(self) -> Iterator[StepRun]:
        regime = self.grammar.regime(self.worker.habit, self.randomised)
        while True:
            mask = _attributes(self.grammar.world, self.rng)
            self.orders.append(mask)
            yield from self._order(mask, regime)

    def _order(self, mask: int, regime: Regime) -> Iterator[StepRun]:
        share, grammar = self.rng.random, self.grammar
        step = grammar.successors(START, mask, regime).draw(share())
        while step != DONE:
            yield self._run(grammar.operation[step], step)
            if share() < grammar.idle:
                yield self._run(IDLE, step)
            step = grammar.successors(step, mask, regime).draw(share())

    def _run(self, operation: str, step: str) -> StepRun:
        if len(self.runs) >= MAX_RUNS:
            raise WorldError(f"session {self.name}: too few clips can be cut from {MAX_RUNS:,} runs of the grammar")
        start = self.runs[-1].end_ms if self.runs else 0
        table_ms = quantile(self.grammar.world.durations[operation], self.rng.random())
        end = start + max(1, table_ms * self.worker.tempo_percent // 100)
        run = StepRun(operation, start, end, step, len(self.orders) - 1)
        self.runs.append(run)
        return run


def timeline(world: World, split: str, index: int) -> Session:
    """Return session `index` (0-based, also beyond the size of the split) of a split, with nothing drawn yet."""
    domains = world.split(split).domains
    turn, place = divmod(index, len(domains))
    return Session(
        name=session_name(split, index),
        domain=domains[place],
        worker=world.workers[turn % len(world.workers)],
        randomised=_is_randomised(world, split, turn, place),
        rng=stream(world.key, "timeline", split, index),
        swapped=_is_swapped(world, split, index),
        grammar=grammar_of(world),
    )


def _is_swapped(world: World, split: str, index: int) -> bool:
    """Return on which side the order at hand lies, where the next one lies beside it; drawn from a key of its own."""
    beside = any(surface.next_beside for surface in world.surfaces.values())
    return beside and below(2, world.key, "tote", split, index) == 1


def session_name(split: str, index: int) -> str:
    """Return the public name of a session."""
    return f"{split}-{index:04d}"


def _is_randomised(world: World, split: str, turn: int, place: int) -> bool:
    """Return whether a session is randomised: one of `one_in` turns of each domain is.

    The domains of a block take different turns, so that no worker gets more randomised sessions than another.
    """
    one_in = world.randomised_one_in
    if not one_in:
        return False
    block, within = divmod(turn, one_in)
    shift = below(one_in, world.key, "randomised", split, block)
    return within == (shift + place) % one_in


def quantile(quantiles: tuple[int, ...], share: float) -> int:
    """Return the value at `share` of a table of equally spaced quantiles, interpolated in integers."""
    place, rest = divmod(int(share * _FINE) * (len(quantiles) - 1), _FINE)
    low = quantiles[place]
    return low + (quantiles[place + 1] - low) * rest // _FINE


def _attributes(world: World, rng: random.Random) -> int:
    mask = 0
    for bit, attribute in enumerate(world.attributes):
        mask |= (int(rng.random() * 1000) < attribute.per_mille) << bit
    return mask
