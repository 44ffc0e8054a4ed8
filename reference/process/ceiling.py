"""The ceiling: the best answer about the next operation that a clip's frames allow.

`next_distribution()` is exact P(next operation | VisibleState): everything hidden is summed over (attributes behind an
occluder or in no window, which of several steps that look alike it is, whether the session is randomised, the next
order's attributes). The ceiling of a clip is its maximum, to
1e-6; the ceiling of a split is the mean over its clips.

Inference is Bayes over orders, which are independent given the regime (habit, randomised or not). The first shown step
of a clip weighs a hypothesis by the expected visits to that step: clips are cut from long sessions, so steps are met as
often as the process visits them. All sums are plain IEEE + - * / in a fixed order, hence equal on every processor.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from reference.process.cutter import NEXT_OPERATIONS
from reference.process.grammar import Grammar, Regime, grammar_of
from reference.process.visible import VisibleState
from reference.process.world import DONE, IDLE, START, World
from reference.task import OPERATIONS

PPM = 1_000_000


class Forecast(NamedTuple):
    """Best answer that a clip's frames allow, ties to the earlier operation, and the chance of every answer."""

    ceiling: float
    oracle_next: str
    next_ppm: tuple[int, ...]  # P(next = k | state) in millionths, in canonical order, each rounded by itself


def forecast(world: World, state: VisibleState) -> Forecast:
    """Return the ceiling of a clip, in [0, 1], the answer that reaches it, and the distribution in millionths."""
    if state.next_operation is not None:
        return certain(state.next_operation)
    return _best(world, *_essence(world, state), 1)


def forecasts(world: World, state: VisibleState, shown_after: int) -> tuple[Forecast, ...]:
    """Return the ceilings of the next NEXT_OPERATIONS operations, each by itself, and the answers that reach them.

    `shown_after`: the runs on screen behind the clip's segment, which are known. The first is that of `forecast`.
    """
    known = [run.operation for run in state.runs[len(state.runs) - shown_after :]]
    found = [certain(operation) for operation in known[:NEXT_OPERATIONS]]
    essence = _essence(world, state)
    return (*found, *(_best(world, *essence, ahead) for ahead in range(1, NEXT_OPERATIONS - len(found) + 1)))


def next_distribution(world: World, state: VisibleState) -> dict[str, float]:
    """Return P(next = k | state) for every k that can follow, in canonical order; the values sum to 1."""
    if state.next_operation is not None:
        return {state.next_operation: 1.0}
    return dict(_distribution(world, *_essence(world, state), 1))


Known = tuple[bool | None, ...]
"""What is known of an order's attributes."""
Chain = tuple[tuple[tuple[str, bool], ...], Known]
"""One order on screen: its (shown step, idle?) in turn, and what is known of its attributes."""


def _essence(world: World, state: VisibleState) -> tuple[str, tuple[Chain, ...], Known]:
    """Return what bears on the next operation: the habit, the chain of each order, what is known of the order after."""
    orders = state.runs[-1].order + 1
    chains: list[list[tuple[str, bool]]] = [[] for _ in range(orders)]
    for run in state.runs:
        chains[run.order].append((run.step, run.operation == IDLE))
    habit = next(worker.habit for worker in world.workers if worker.name == state.worker)
    beside = state.orders[orders] if len(state.orders) > orders else (None,) * len(world.attributes)
    return habit, tuple((tuple(chain), order) for chain, order in zip(chains, state.orders, strict=False)), beside


@lru_cache(maxsize=1 << 18)
def _best(world: World, habit: str, chains: tuple[Chain, ...], beside: Known, ahead: int) -> Forecast:
    distribution = _distribution(world, habit, chains, beside, ahead)
    # Rounded before the comparison: two operations that differ by less than the ceiling's precision are a tie, which
    # canonical order decides, and not the last bit of a sum.
    ppm = {operation: int(value * PPM + 0.5) for operation, value in distribution}
    best = max(ppm, key=lambda operation: ppm[operation])
    return Forecast(ppm[best] / PPM, best, tuple(ppm.get(operation, 0) for operation in OPERATIONS))


@lru_cache(maxsize=len(OPERATIONS))
def certain(operation: str) -> Forecast:
    """Return the forecast of an operation that is on screen."""
    return Forecast(1.0, operation, tuple(PPM * (operation == other) for other in OPERATIONS))


@lru_cache(maxsize=1 << 18)
def _distribution(
    world: World, habit: str, chains: tuple[Chain, ...], beside: Known, ahead: int
) -> tuple[tuple[str, float], ...]:
    grammar = grammar_of(world)
    weights = dict.fromkeys(OPERATIONS, 0.0)
    for regime, prior in _regimes(grammar, habit):
        # A clip begins at some moment of the session, so it meets a step as often as the step occurs per unit of time:
        # expected visits per order (in _entry) over the mean length of an order.
        weight = prior / grammar.order_length(regime)
        # Orders are independent given the regime. An order that ends on screen counts by its likelihood alone, so its
        # attributes are summed out; those of the last order also decide what follows.
        for place, chain in enumerate(chains[:-1]):
            weight *= sum(
                share for _, ends in _order_weights(grammar, regime, chain, place == 0, True) for _, share in ends
            )
        idle = chains[-1][0][-1][1]
        for mask, ends in _order_weights(grammar, regime, chains[-1], len(chains) == 1, False):
            for step, share in ends:
                for operation, probability in _after(grammar, regime, mask, (step, idle), beside, ahead):
                    weights[operation] += weight * share * probability
    total = sum(weights.values())
    return tuple((operation, weight / total) for operation, weight in weights.items() if weight)


def _regimes(grammar: Grammar, habit: str) -> list[tuple[Regime, float]]:
    """Return the regimes that a session of this habit can have, each with its prior probability."""
    one_in = grammar.world.randomised_one_in
    by_habit = (grammar.regime(habit, False), 1.0 if not one_in else (one_in - 1) / one_in)
    return [by_habit, (grammar.regime(habit, True), 1 / one_in)] if one_in else [by_habit]


Ends = list[tuple[str, float]]
"""Each step that the last one on screen may be, with its weight."""


def _order_weights(
    grammar: Grammar, regime: Regime, chain: Chain, first: bool, finished: bool
) -> list[tuple[int, Ends]]:
    """Return, for each attribute mask that fits the frames, P(mask) times the likelihood of the order's chain.

    Steps that look alike are told apart by their neighbours alone: the weight is carried along the chain for each of
    them (the forward algorithm), and stands beside each step that the last one may be.
    """
    nodes, attributes = chain
    alike = grammar.world.alike
    weights: list[tuple[int, Ends]] = []
    for mask in grammar.fitting(attributes):
        start = grammar.mask_probability[mask]
        ends = [
            (step, start * _entry(grammar, regime, mask, (step, nodes[0][1]), first)) for step in alike[nodes[0][0]]
        ]
        for before, after in pairwise(nodes):
            ends = [
                (
                    step,
                    sum(
                        share * _step(grammar, regime, mask, (old, before[1]), (step, after[1])) for old, share in ends
                    ),
                )
                for step in alike[after[0]]
            ]
        if finished:
            idle = nodes[-1][1]
            ends = [(step, share * _onward(grammar, regime, mask, (step, idle)).get(DONE, 0.0)) for step, share in ends]
        weights.append((mask, [(step, share) for step, share in ends if share]))
    return weights


def _entry(grammar: Grammar, regime: Regime, mask: int, node: tuple[str, bool], first: bool) -> float:
    """Return the likelihood of the first step that is shown of an order; `first`: of the clip's first order."""
    step, idle = node
    if not first:
        return grammar.successors(START, mask, regime).probability.get(step, 0.0)
    # The clip may begin anywhere in its first order, hence expected visits and not the probability of starting there.
    # An idle run is one that interrupts a visit to its step.
    return grammar.visits(mask, regime)[step] * (grammar.idle if idle else 1.0)


def _step(grammar: Grammar, regime: Regime, mask: int, before: tuple[str, bool], after: tuple[str, bool]) -> float:
    """Return the probability of one step (or interruption) after another within an order."""
    if after[1]:
        return grammar.idle if before[0] == after[0] else 0.0
    return _onward(grammar, regime, mask, before).get(after[0], 0.0)


def _onward(grammar: Grammar, regime: Regime, mask: int, node: tuple[str, bool]) -> dict[str, float]:
    """Return P(next step, no interruption before it) by step."""
    step, idle = node
    probability = grammar.successors(step, mask, regime).probability
    if idle or not grammar.idle:  # after an interruption the work continues; two never follow each other
        return probability
    return {target: share * (1.0 - grammar.idle) for target, share in probability.items()}


def _after(
    grammar: Grammar, regime: Regime, mask: int, node: tuple[str, bool], beside: Known, ahead: int = 1
) -> list[tuple[str, float]]:
    """Return (operation, probability) pairs of the run `ahead` runs after a node; an operation may occur twice."""
    found = [] if node[1] or not grammar.idle else [((node[0], True), mask, beside, grammar.idle)]
    for target, share in _onward(grammar, regime, mask, node).items():
        if target != DONE:
            found.append(((target, False), mask, beside, share))
            continue
        # The order is done: the next one's first step, over all attributes that fit what lies beside this order.
        if ahead == 1:
            first = grammar.first_steps(regime, beside).items()
            found += [((step, False), 0, beside, share * part) for step, part in first]
            continue
        unknown = (None,) * len(grammar.world.attributes)
        for other, part_of_orders in grammar.orders(beside):
            chance = share * part_of_orders
            for step, part in grammar.successors(START, other, regime).probability.items():
                found.append(((step, False), other, unknown, chance * part))
    if ahead == 1:
        return [(IDLE if idle else grammar.operation[step], share) for (step, idle), _, _, share in found]
    return [
        (operation, share * part)
        for following, its_mask, its_beside, share in found
        for operation, part in _summed(grammar, regime, its_mask, following, its_beside, ahead - 1)
    ]


@lru_cache(maxsize=1 << 16)
def _summed(
    grammar: Grammar, regime: Regime, mask: int, node: tuple[str, bool], beside: Known, ahead: int
) -> tuple[tuple[str, float], ...]:
    """Return what `_after` does with each operation once."""
    total: dict[str, float] = {}
    for operation, share in _after(grammar, regime, mask, node, beside, ahead):
        total[operation] = total.get(operation, 0.0) + share
    return tuple(total.items())


def script(world: World) -> dict[str, str]:
    """Return, per operation, the process's most probable successor.

    Base grammar, all workers alike, attributes summed over. A clip is off-script when its next operation is another.
    Ties go to the earlier operation in canonical order.
    """
    grammar = grammar_of(world)
    counts = {operation: dict.fromkeys(OPERATIONS, 0.0) for operation in OPERATIONS}
    for worker in world.workers:
        regime = grammar.regime(worker.habit, False)
        for mask in grammar.masks:
            for step, visits in grammar.visits(mask, regime).items():
                _count(counts, grammar, regime, mask, step, grammar.mask_probability[mask] * visits)
    return {
        operation: max(following, key=lambda name: following[name])
        for operation, following in counts.items()
        if sum(following.values()) > 0
    }


def _count(
    counts: dict[str, dict[str, float]], grammar: Grammar, regime: Regime, mask: int, step: str, visits: float
) -> None:
    unknown = (None,) * len(grammar.world.attributes)
    for following, probability in _after(grammar, regime, mask, (step, False), unknown):
        counts[grammar.operation[step]][following] += visits * probability
    for following, probability in _after(grammar, regime, mask, (step, True), unknown):
        counts[IDLE][following] += visits * grammar.idle * probability
