"""What a clip shows, and P(next | shown) against a small world worked out by hand."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from dataclasses import replace

import pytest

from reference.process.ceiling import forecast, next_distribution, script
from reference.process.cutter import CutPlan, cut, make_clip
from reference.process.grammar import grammar_of
from reference.process.sessions import Session, StepRun
from reference.process.split import build_split, session_states
from reference.process.visible import ShownRun, VisibleState, visible
from reference.process.world import load_world, parse_world
from reference.randomness import render_seed
from reference.task import OPERATIONS
from tests.support import ROOT, hand

WAREHOUSE = load_world("warehouse-v2")

SMALL = """
format = 1
name = "small"
seed = "small"
attributes.fragile = { per_mille = 500, shown_by = "items" }
workers.ana = { tempo_percent = 100, habit = "plain" }
idle.per_mille = 100
randomised.one_in = 0
start.next = [{ to = { load = 1 } }]
domains.clean.strength = 0
splits.train = { sessions = 2, clips = 3, domains = ["clean"] }
cutting = { mid = 1, boundary = 1, dense = 1, offset_ms = [0, 2000], lead_ms = [1000, 4000] }
[steps.load]
operation = "Put Items"
next = [{ when = ["fragile"], to = { wrap = 3, seal = 1 } }, { to = { seal = 1 } }]
[steps.wrap]
operation = "Wrap"
next = [{ to = { seal = 1 } }]
[steps.seal]
operation = "Tape"
next = [{ when = ["fragile"], to = { label = 1 } }, { to = { done = 1 } }]
[steps.label]
operation = "Label"
next = [{ to = { done = 1 } }]
[durations]
"Put Items" = [1000, 1000]
Wrap = [1000, 1000]
Tape = [1000, 1000]
Label = [1000, 1000]
Idle = [1000, 1000]
"""
PLAIN = parse_world(SMALL.encode(), "small")
HALF_RANDOMISED = parse_world(
    SMALL.replace("one_in = 0", "one_in = 2").replace("per_mille = 100", "per_mille = 0").encode(), "small"
)
OPERATION = {"load": "Put Items", "wrap": "Wrap", "seal": "Tape", "label": "Label"}


def state(orders, *nodes: str, next_operation: str | None = None) -> VisibleState:
    """Nodes are step names in turn, `step/idle` for an interruption after it, `+step` where the next order begins."""
    runs, order = [], 0
    for node in nodes:
        order += node.startswith("+")
        step, _, idle = node.removeprefix("+").partition("/")
        runs.append(ShownRun("Idle" if idle else OPERATION[step], step, order, 0, 1))
    return VisibleState(tuple(runs), tuple((fragile,) for fragile in orders), 0, "ana", "clean", 0, (), next_operation)


# Idle comes with .1 at each boundary. A fragile order is wrapped with 3/4 and labelled; the other is neither.
BY_HAND = [
    ("fragile", PLAIN, state([True], "load"), {"Idle": 0.1, "Wrap": 0.675, "Tape": 0.225}),
    ("not fragile", PLAIN, state([False], "load"), {"Idle": 0.1, "Tape": 0.9}),
    ("hidden: a half each", PLAIN, state([None], "load"), {"Idle": 0.1, "Wrap": 0.3375, "Tape": 0.5625}),
    ("after Idle no Idle", PLAIN, state([True], "load/idle"), {"Wrap": 0.75, "Tape": 0.25}),
    ("Idle, step and box shown", PLAIN, state([True], "load", "load/idle"), {"Wrap": 0.75, "Tape": 0.25}),
    ("hidden: seal is in all orders", PLAIN, state([None], "seal"), {"Idle": 0.1, "Label": 0.45, "Put Items": 0.45}),
    ("hidden: bare, 1/5", PLAIN, state([None], "load", "seal"), {"Idle": 0.1, "Label": 0.18, "Put Items": 0.72}),
    ("hidden: wrapped, so fragile", PLAIN, state([None], "wrap", "seal"), {"Idle": 0.1, "Label": 0.9}),
    ("next order", PLAIN, state([False, True], "seal", "+load"), {"Idle": 0.1, "Wrap": 0.675, "Tape": 0.225}),
    ("the last order's does not", PLAIN, state([True, False], "label", "+load"), {"Idle": 0.1, "Tape": 0.9}),
    ("on screen", PLAIN, state([True], "load", "wrap", next_operation="Wrap"), {"Wrap": 1.0}),
    # An order has 2.875 steps, a randomised one 3: load is met 1/2.875 against 1/3 as often.
    ("half randomised", HALF_RANDOMISED, state([True], "load"), {"Wrap": 0.627659574468, "Tape": 0.372340425532}),
    # Not fragile but wrapped: only a randomised session does that; there seal leads to label or done alike.
    ("surely randomised", HALF_RANDOMISED, state([False], "wrap", "seal"), {"Label": 0.5, "Put Items": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("why", "world", "shown", "expected"), BY_HAND, ids=[case[0] for case in BY_HAND])
def test_next_distribution_by_hand(why, world, shown, expected):
    assert next_distribution(world, shown) == pytest.approx(expected, abs=1e-12), why
    assert forecast(world, shown).ceiling == pytest.approx(max(expected.values()), abs=1e-6)


def test_ties_go_to_the_earlier_operation():
    assert forecast(HALF_RANDOMISED, state([False], "wrap", "seal"))[:2] == (0.5, "Put Items")


def test_ceiling_is_rounded_to_a_millionth():
    assert forecast(HALF_RANDOMISED, state([True], "load")).ceiling == 0.62766


def test_script_by_hand():
    """Tape: label .45, Put Items .45, a tie; Idle follows load, wrap, seal, label with visits 1, .375, 1, .5."""
    expected = {"Put Items": "Tape", "Wrap": "Tape", "Tape": "Put Items", "Label": "Put Items", "Idle": "Tape"}
    assert script(PLAIN) == expected


def session(*following: tuple[str, str]) -> Session:
    """One fragile order: load, wrap, then what follows (step, operation), a second or two each."""
    grammar = grammar_of(PLAIN)
    made = Session("train-0000", "clean", PLAIN.workers[0], False, random.Random(0), grammar, orders=[1, 0])
    start = 0
    for step, operation in [("load", "Put Items"), ("wrap", "Wrap"), *following]:
        end = start + (2000 if step == "load" else 9000)
        made.runs.append(StepRun(operation, start, end, step, 0))
        start = end
    return made


def test_nothing_after_the_last_frame_is_shown():
    plan = CutPlan(mid=0, boundary=1, dense=0, lead_ms=(1500, 1500))
    rows = []
    for following in [("seal", "Tape"), ("label", "Label")], [("wrap", "Idle"), ("seal", "Tape")]:
        made = session(*following)
        chosen = next(cut(made.runs, plan, random.Random(1)))
        clip = make_clip(PLAIN.key, made.name, 0, chosen, made.runs)
        rows.append((clip, visible(PLAIN, made, 0, chosen), render_seed(PLAIN.key, made.name, 0)))
    (clip, shown, seed), (other, other_shown, other_seed) = rows
    assert clip.next_operation != other.next_operation
    assert (shown, seed, clip.clip_id) == (other_shown, other_seed, other.clip_id)
    assert shown.runs == (ShownRun("Put Items", "load", 0, 0, 38), ShownRun("Wrap", "wrap", 0, 38, 125))
    assert (shown.elapsed_ms, shown.orders, shown.next_operation) == (500, ((True,),), None)


def test_randomised_or_not_is_not_shown():
    chosen = next(cut(session(("seal", "Tape")).runs, CutPlan(1, 0, 0), random.Random(1)))
    plain, randomised = session(("seal", "Tape")), session(("seal", "Tape"))
    randomised.randomised = True
    assert visible(PLAIN, plain, 0, chosen) == visible(PLAIN, randomised, 0, chosen)


STEADY = parse_world(hand.steady_world().encode(), "steady")


@pytest.fixture(scope="module")
def states():
    """Clips of a world whose surfaces show their signs all the time; test_windows.py is about those that pass."""
    return [pair for index in range(72) for pair in session_states(STEADY, "test", index)]


def test_state_agrees_with_the_truth(states):
    for clip, shown in states:
        assert shown.runs[0].start_frame == 0 and shown.runs[-1].end_frame == 125
        assert (shown.next_operation is not None) == clip.next_visible
        assert shown.next_operation in (None, clip.next_operation)
        assert (shown.domain, shown.worker) == (clip.domain, clip.worker)
        assert len(shown.orders) == shown.runs[-1].order + 1


def test_only_the_occlusion_domain_hides(states):
    hidden = Counter()
    for clip, shown in states:
        nothing = all(value is not None for order in shown.orders for value in order)
        assert nothing == (shown.occluded == ())
        if clip.domain == "occlusion":
            hidden[shown.occluded] += 1
        else:
            assert nothing
    assert set(hidden) == {(), ("slip",), ("items",), ("slip", "items")}


def test_hiding_never_helps(states):
    """Taking an attribute away leaves the mean ceiling lower: it was worth something."""
    known = [pair for pair in states if not pair[0].next_visible and not pair[1].occluded]
    blind = tuple(None for _ in WAREHOUSE.attributes)
    covered = [replace(shown, orders=tuple(blind for _ in shown.orders)) for _, shown in known]
    ceiling = sum(forecast(WAREHOUSE, shown).ceiling for _, shown in known) / len(known)
    without = sum(forecast(WAREHOUSE, shown).ceiling for shown in covered) / len(known)
    assert ceiling - without > 0.1


def test_distributions_sum_to_one(states):
    for clip, shown in states:
        distribution = next_distribution(WAREHOUSE, shown)
        assert sum(distribution.values()) == pytest.approx(1, abs=1e-12)
        assert distribution[clip.next_operation] > 0
        assert list(distribution) == [name for name in OPERATIONS if name in distribution]


def proof():
    path = ROOT / "tests" / "gates" / "ceiling.py"
    spec = importlib.util.spec_from_file_location("ceiling_proof", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_oracle_reaches_the_ceiling():
    """The proof on 5,760 clips instead of 72,000: a bin of 250 hidden clips has a standard error of .02 to .03."""
    ceiling = proof()
    clips = list(build_split(WAREHOUSE, "test", scale=2))
    hidden = [clip for clip in clips if not clip.next_visible]
    assert abs(ceiling.summarise(clips).gap) < 0.012
    assert abs(ceiling.summarise(hidden).gap) < 0.02
    assert all(abs(part.gap) < 0.08 for part in ceiling.bins(hidden))
