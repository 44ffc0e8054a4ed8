"""Scenes as data: what a picture may depend on, how the station stands, and what a world file may say about it."""

from __future__ import annotations

import ast
import math
import random
from collections import Counter
from dataclasses import replace
from itertools import chain, pairwise

import pytest
from scipy import stats

from reference.drawing.scene import Stage, session_look
from reference.drawing.scenery import boards
from reference.drawing.scenery.bench import benches
from reference.drawing.shapes import CLOSE, CURVE, LINE, MOVE, Gradient, colour
from reference.errors import WorldError
from reference.process.split import session_states
from reference.process.visible import ShownRun, VisibleState, Window
from reference.process.world import load_world, parse_world, world_file
from reference.randomness import CLIP_BITS, render_seed, session_seed
from tests.support import ROOT

WORLD = load_world("warehouse-v2")
WORLDS = (WORLD, load_world("canonical-v1"))
PLAIN = (False, False, False, False, False)
SEED = 20261
DOMAINS = tuple(WORLD.domains)


def runs_of(world, *nodes: str) -> tuple[ShownRun, ...]:
    """Steps in turn, 25 frames each and the last to the end; `step/idle` for an interruption, `+step` a new order."""
    found, order = [], 0
    for number, node in enumerate(nodes):
        order += node.startswith("+")
        step, _, idle = node.removeprefix("+").partition("/")
        operation = "Idle" if idle else world.steps[step].operation
        end = 125 if number == len(nodes) - 1 else 25 * (number + 1)
        found.append(ShownRun(operation, step, order, 25 * number, end))
    return tuple(found)


def state(*nodes: str, orders=(PLAIN,), elapsed=0, worker="ana", domain="clean", occluded=(), world=WORLD):
    strength = world.domains[domain].strength
    return VisibleState(runs_of(world, *nodes), tuple(orders), elapsed, worker, domain, strength, occluded, None)


def drawn(scene):
    return [shape for layer in (*scene.layers, scene.moving) for shape in layer]


NEEDS = {CLOSE: 0, MOVE: 1, LINE: 1, CURVE: 3}


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_every_step_is_drawn_well_formed_at_any_time(world):
    orders = (tuple(True for _ in world.attributes),)
    for step in world.steps:
        for node in (step, f"{step}/idle"):
            for elapsed in (0, 40, 3210, 600_000):
                stage = Stage(world, state(node, orders=orders, elapsed=elapsed, world=world), SEED)
                for shape in drawn(stage.scene(7)):
                    assert sum(NEEDS[command] for command in shape.commands) * 2 == len(shape.points)
                    assert all(math.isfinite(value) and abs(value) < 5000 for value in shape.points)
                    for paint in colours(shape):
                        assert len(paint) == 4 and all(0 <= part <= 255 for part in paint)


def colours(shape):
    fill = shape.fill
    found = [] if fill is None else [stop for _, stop in fill.stops] if isinstance(fill, Gradient) else [fill]
    return found + ([shape.stroke.colour] if shape.stroke else [])


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_frame_depends_on_the_runs_up_to_it_alone(domain):
    """The future is exchanged: other steps, another length of the run on screen, another order, another answer."""
    one = state("collect", "wrap_items", "box_after", "pad", "pack", domain=domain)
    other = replace(
        one,
        runs=(*one.runs[:2], ShownRun("Idle", "wrap_items", 0, 50, 60), ShownRun("Put Items", "collect", 1, 60, 125)),
        orders=(PLAIN, (True, True, True, True, True)),
        next_operation="Idle",
    )
    longer = replace(one, runs=(one.runs[0], replace_end(one.runs[1], 125)), next_operation="Tape")
    for frame in (0, 24, 25, 49):
        expected = Stage(WORLD, one, SEED).scene(frame, 30)
        assert Stage(WORLD, other, SEED).scene(frame, 30) == expected
        assert Stage(WORLD, longer, SEED).scene(frame, 30) == expected


def replace_end(run: ShownRun, end: int) -> ShownRun:
    return run._replace(end_frame=end)


def test_the_change_comes_at_the_frame_given():
    both, first = (Stage(WORLD, state(*nodes), SEED) for nodes in (("collect", "box_after"), ("collect",)))
    assert both.scene(24) == first.scene(24)
    assert both.scene(25) != first.scene(25)


def test_time_before_a_run_is_not_shown():
    """A long exposure at a run's first frame shows that run's beginning, not the run before."""
    stage = Stage(WORLD, state("collect", "box_after"), SEED)
    assert stage.scene(25, 500) == stage.scene(25)


def test_elapsed_time_goes_on_where_the_clip_begins():
    late = Stage(WORLD, state("seal", elapsed=400), SEED).scene(0)
    assert late == Stage(WORLD, state("seal"), SEED).scene(10)


def test_tempo_is_the_workers():
    """ana works in 90% of the table's time: after 900 ms she is where one at 100% is after 1,000."""
    fast = Stage(WORLD, state("seal", elapsed=1800), SEED)
    plain = Stage(WORLD, state("seal", elapsed=2000, worker="ben"), SEED)
    assert (fast.tempo, plain.tempo) == (90, 100)
    assert fast.moment(0).hands == plain.moment(0).hands != plain.moment(10).hands


BENCHES = [
    ("a taped box stays taped", ("seal", "label"), {"marks": {"tape"}}),
    ("labelled too", ("seal", "label", "check_labelled"), {"marks": {"tape", "label"}}),
    ("a second strip stays", ("seal", "tape_again", "label_checked"), {"marks": {"tape", "second tape"}}),
    ("wrapped items stay wrapped", ("wrap_items", "box_after", "pack"), {"wrapped": True}),
    ("gift paper stays on", ("wrap_gift", "seal", "label"), {"marks": {"gift wrap", "tape"}}),
    ("padding stays in", ("pad", "pack"), {"inside": {"padding"}}),
    ("packed items are not doubled", ("check_open", "pack_again"), {"inside": set()}),
    ("nothing goes over to the next order", ("wrap_items", "label", "+collect"), {"wrapped": False, "marks": set()}),
    ("Idle shows the step done", ("seal/idle",), {"marks": {"tape"}}),
    ("and once only", ("seal", "seal/idle"), {"marks": {"tape"}}),
    ("the box set up before Idle is open", ("box", "box/idle"), {"box": "open"}),
    ("Idle adds nothing", ("pack", "pack/idle", "fill"), {"inside": {"items"}}),
    (
        "a second strip stays in an interruption",
        ("seal", "tape_again", "tape_again/idle"),
        {"marks": {"tape", "second tape"}},
    ),
]


@pytest.mark.parametrize(("why", "nodes", "expected"), BENCHES, ids=[case[0] for case in BENCHES])
def test_the_bench_follows_from_the_steps_shown(why, nodes, expected):
    last = benches(WORLD, runs_of(WORLD, *nodes))[-1]
    for name, value in expected.items():
        assert getattr(last, name) == value, why


STEADY = parse_world(
    world_file("warehouse-v2")
    .decode()
    .replace("window = [10, 15], ", "")
    .replace("{ window = [10, 15] }", "{}")
    .encode(),
    "steady.toml",
)
"""The world with surfaces that show their signs all the time."""


@pytest.mark.parametrize("painted", [("slip",), ("items", "table"), ("slip", "items", "table")])
def test_painted_out_attributes_change_nothing(painted):
    surfaces = {"slip": "slip", "items": "items", "table": "items"}
    gone = {surfaces[name] for name in painted}
    flipped = tuple(attribute.shown_by in gone for attribute in WORLD.attributes)
    for node in ("collect", "wrap_items", "fetch", "pack", "fill", "seal", "check_labelled", "pack/idle"):
        one = Stage(STEADY, state(node, orders=(PLAIN, PLAIN)), SEED, painted).scene(60)
        assert Stage(STEADY, state(node, orders=(flipped, flipped)), SEED, painted).scene(60) == one
        assert Stage(STEADY, state(node, orders=(flipped, flipped)), SEED).scene(60) != one


def sessions_seeds(count: int) -> list[int]:
    return [random.Random(number).getrandbits(64) << CLIP_BITS for number in range(count)]


def test_boards_stand_apart_in_every_picture():
    for seed in sessions_seeds(300):
        at = boards.places(Stage(WORLD, state("box"), seed).look)
        assert set(at) == {"slip 1", "slip 2", "tote", "screen", "cards"}
        for name, (x, y) in at.items():
            assert 16 <= x <= 320 and 66 <= y <= 310, (seed, name, x, y)
        x = sorted(at[name][0] for name in set(at) - {"tote"})
        assert all(right - left >= 32 for left, right in pairwise(x))


def test_signs_are_at_least_18_pixels_wide_and_high():
    """Blank patches have the size of signs: two on a slip, two cards, one on the screen."""
    look = Stage(WORLD, state("box"), SEED).look
    surfaces = [
        boards.slip(look, (100, 100), 1, (("bow", None), ("bolt", None))),
        boards.cards(look, (100, 100), (("glass", None), ("arrows", None))),
        boards.screen(look, (100, 100), "off", (("cluster", None),)),
    ]
    blanks = [[shape for shape in shapes if shape.fill == colour("#b9b2a6")] for shapes in surfaces]
    assert [len(found) for found in blanks] == [2, 2, 1]
    for shape in chain(*blanks):
        for values in (shape.points[0::2], shape.points[1::2]):
            assert max(values) - min(values) >= 18


def test_a_window_turns_one_slip_to_the_camera():
    facing = replace(state("box", orders=(PLAIN, PLAIN)), windows=(Window("slip", 1, 40, 50),))
    stage = Stage(WORLD, facing, SEED)
    before, during = (stage.scene(index).layers[2] for index in (39, 40))
    assert before == stage.scene(50).layers[2] != during


def test_every_frame_of_one_moment_is_one_object():
    """What lies still is drawn once: the painter compares layers by identity."""
    stage = Stage(WORLD, state("seal"), SEED)
    late, later = stage.scene(100), stage.scene(101)
    assert all(one is other for one, other in zip(late.layers, later.layers, strict=True))
    assert late.moving != later.moving


LOOKS = {
    "camera": lambda look: look.camera.side,
    "mirrored": lambda look: look.camera.flip,
    "hand": lambda look: look.person.main,
    "skin": lambda look: look.person.skin,
    "sleeve": lambda look: sum(look.person.sleeve[:3]) // 128,
    "glove": lambda look: look.person.glove is None,
    "build": lambda look: look.person.build > 1.01,
    "bench": lambda look: sum(look.bench[:3]) // 128,
    "carton": lambda look: sum(look.kraft[:3]) // 128,
    "box": lambda look: look.box[0] > 41,
    "crate": lambda look: look.places["crate"],
    "boards": lambda look: look.boards,
}


def test_the_look_is_independent_of_habit_and_of_what_is_judged():
    """Chi-squared tests of every trait against worker, habit, domain, script, orders and operations; Holm."""
    traits, judged = {name: [] for name in LOOKS}, {}
    for split in ("train", "test"):
        for number in range(0, WORLD.split(split).sessions, 2):
            clips = [clip for clip, _ in session_states(WORLD, split, number)]
            first = clips[0]
            look = session_look(session_seed(render_seed(WORLD.key, first.session, 0)))
            common = Counter(clip.dominant_operation for clip in clips).most_common(1)[0][0]
            follows = Counter(clip.next_operation for clip in clips).most_common(1)[0][0]
            habit = next(worker.habit for worker in WORLD.workers if worker.name == first.worker)
            facts = {
                "worker": first.worker,
                "habit": habit,
                "domain": first.domain,
                "operation": common,
                "next": follows,
                "off script": sum(clip.off_script for clip in clips) > len(clips) / 2,
            }
            for name, value in facts.items():
                judged.setdefault(name, []).append(value)
            for name, trait in LOOKS.items():
                traits[name].append(trait(look))
    p = sorted(chi_squared_p(one, other) for one in traits.values() for other in judged.values())
    assert len(p) == len(LOOKS) * 6 and p[0] * len(p) > 0.01


def chi_squared_p(one: list, other: list) -> float:
    table = [[sum((a, b) == pair for pair in zip(one, other, strict=True)) for b in set(other)] for a in set(one)]
    return stats.chi2_contingency(table).pvalue


def test_what_cannot_be_asked_for():
    with pytest.raises(ValueError, match="cannot paint out box; there are slip, items, table"):
        Stage(WORLD, state("box"), SEED, ("box",))
    with pytest.raises(ValueError, match="frames 0 to 124, not 125"):
        Stage(WORLD, state("box"), SEED).scene(125)


def test_scenes_use_no_function_that_differs_between_processors():
    """Only + - * / and sqrt: sin, cos, exp, pow differ in the last bit with and without fused multiply-add."""
    folder = ROOT / "reference" / "drawing"
    files = [folder / f"{name}.py" for name in ("scene", "camera", "look", "shapes", "solids")]
    files += sorted((folder / "scenery").glob("*.py"))
    assert len(files) > 15
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Pow), path
            if isinstance(node, ast.ImportFrom) and node.module == "math":
                assert {name.name for name in node.names} == {"sqrt"}, path
            if isinstance(node, ast.Import):
                assert not {name.name for name in node.names} & {"math", "numpy"}, path


SMALL = """
format = 1
name = "small"
seed = "small"
attributes.fragile = { per_mille = 500, shown_by = "items"%s }
workers.ana = { tempo_percent = 100, habit = "plain"%s }
idle.per_mille = 0
randomised.one_in = 0
start.next = [{ to = { load = 1 } }]
domains.clean.strength = 0
splits.train = { sessions = 2, clips = 3, domains = ["clean"] }
cutting = { mid = 1, boundary = 1, dense = 1, offset_ms = [0, 2000], lead_ms = [1000, 4000] }
durations = { Tape = [1, 2], "Put Items" = [1, 2] }
steps.load = { operation = "Put Items", next = [{ to = { seal = 1 } }]%s }
steps.seal = { operation = "Tape", next = [{ to = { done = 1 } }] }
"""

FAULTS = [
    (', mark = "star"', "", "", r"attributes.fragile.mark is 'star', expected one of glass"),
    ("", ', sleeve = "red"', "", r"small: .*sleeve"),
    ("", "", ', look = { box = "gone" }', r"steps.load.look.box: there is no 'gone'; there are none, flat"),
    (
        "",
        "",
        ', look = { screen = "maybe" }',
        r"steps.load.look.screen: there is no 'maybe'; there are off, pass, fail",
    ),
    ("", "", ', look = { inside = ["air"] }', r"steps.load.look.inside: there is no 'air'"),
    ("", "", ', look = { box = "closed", inside = ["items"] }', r"inside: only an open box shows what is in it"),
    ("", "", ', look = { box = "flat", marks = ["tape"] }', r"marks: a box that is 'flat' bears none"),
    ("", "", ", look = { items_out = 1 }", r"steps.load.look.items_out is 1, expected true or false"),
    ("", "", ", look = { colour = 1 }", r"small: .*colour"),
]


@pytest.mark.parametrize(("attribute", "worker", "step", "message"), FAULTS)
def test_looks_are_checked(attribute, worker, step, message):
    with pytest.raises(WorldError, match=message):
        parse_world((SMALL % (attribute, worker, step)).encode(), "small")


def test_looks_may_be_left_out():
    world = parse_world((SMALL % ("", "", "")).encode(), "small")
    assert world.attributes[0].mark == "glass" and world.steps["load"].look.box == "open"
    assert drawn(Stage(world, state("load", "seal", orders=((True,),), world=world), SEED).scene(100))
