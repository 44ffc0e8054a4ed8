"""Pictures: bytes pinned per domain, told apart by operation and by attribute, and equal whatever is not to be seen.

`python -m tests.reference.drawing.test_frame` pins the pictures anew. A digest that differs beside equal thumbnails is
another version of the drawing library; thumbnails that differ are another picture.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from reference.process.appearance import MARKS
from reference.process.cutter import CutPlan, cut, make_clip
from reference.process.grammar import grammar_of
from reference.process.sessions import Session, StepRun
from reference.process.split import session_states
from reference.process.visible import ShownRun, VisibleState, Window, visible
from reference.process.world import load_world
from reference.randomness import CLIP_BITS, render_seed, session_seed
from tests.support import GOLD, ROOT

pytest.importorskip("thorvg_python", reason="pictures need the `video` extra")

from reference.drawing.contact_sheet import contact_sheet
from reference.drawing.frame import _painter, render_frames
from reference.drawing.reading_sheet import frames_to_read, reading_sheets
from reference.drawing.scene import Scene, session_look
from reference.drawing.scenery.marks import sign
from reference.drawing.shapes import Path

PICTURES = GOLD / "pictures.json"
WORLD = load_world("warehouse-v2")
DOMAINS = tuple(WORLD.domains)
PLAIN = (False, False, False, False, False)
MIXED = (True, False, True, True, False)
HIDDEN = (None, None, None, None, None)
SEED = 20261
PALE = (251, 248, 240)


def still(step, *, idle=False, order=PLAIN, elapsed=1000, worker="ana", domain="clean", occluded=()):
    operation = "Idle" if idle else WORLD.steps[step].operation
    run = ShownRun(operation, step, 0, 0, 125)
    return VisibleState((run,), (order, order), elapsed, worker, domain, WORLD.domains[domain].strength, occluded, None)


def picture(state, frame=20, size=336, seed=SEED, paint_out=()):
    return render_frames(WORLD, state, seed, (frame,), size, paint_out)[0].astype(int)


def gold_frames(domain: str) -> np.ndarray:
    """Three operations, two orders, one clip."""
    hides = ("slip",) if domain == "occlusion" else ()
    order = (*MIXED[:3], None, None) if hides else MIXED
    runs = (
        ShownRun("Wrap", "wrap_fetched", 0, 0, 40),
        ShownRun("Pack", "pack", 0, 40, 80),
        ShownRun("Put Items", "collect", 1, 80, 125),
    )
    state = VisibleState(
        runs, (order, order, order), 700, "ben", domain, WORLD.domains[domain].strength, hides, "Put Items"
    )
    return render_frames(WORLD, state, SEED, (20, 60, 110))


def thumbnail(frames: np.ndarray) -> np.ndarray:
    """Means over 28 x 28 pixels: 12 x 12 a frame."""
    return frames.reshape(len(frames), 12, 28, 12, 28, 3).mean((2, 4)).round().astype(np.uint8)


def pinned(frames: np.ndarray) -> dict[str, str]:
    return {"sha256": hashlib.sha256(frames.tobytes()).hexdigest(), "thumbnail": thumbnail(frames).tobytes().hex()}


@pytest.mark.parametrize("domain", DOMAINS)
def test_pictures_are_pinned(domain):
    frames, gold = gold_frames(domain), json.loads(PICTURES.read_text())[domain]
    before = np.frombuffer(bytes.fromhex(gold["thumbnail"]), np.uint8).reshape(3, 12, 12, 3).astype(int)
    apart = np.abs(thumbnail(frames).astype(int) - before).max()
    assert apart <= 6, f"{domain}: another picture, {apart} of 255 apart in a thumbnail"
    assert pinned(frames)["sha256"] == gold["sha256"], f"{domain}: the same picture in other bytes: another library?"


def test_thumbnails_tell_a_broken_scene():
    """One operation for another moves a thumbnail by far more than the tolerance."""
    one, other = (render_frames(WORLD, still(step), SEED, (20,)) for step in ("pack", "label"))
    assert np.abs(thumbnail(one).astype(int) - thumbnail(other)).max() > 40


OUTSIDE = """
import hashlib
from tests.reference.drawing.test_frame import DOMAINS, gold_frames
print(*(hashlib.sha256(gold_frames(domain).tobytes()).hexdigest() for domain in DOMAINS))
"""


def test_another_process_draws_the_same_bytes():
    command = [sys.executable, "-c", OUTSIDE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    here = [hashlib.sha256(gold_frames(domain).tobytes()).hexdigest() for domain in DOMAINS]
    assert done.stdout.split() == here


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_frame_is_the_same_alone_and_in_any_company(domain):
    state = replace(
        still("collect", domain=domain),
        runs=(ShownRun("Put Items", "collect", 0, 0, 60), ShownRun("Wrap", "wrap_items", 0, 60, 125)),
    )
    together = render_frames(WORLD, state, SEED, (3, 61, 124, 3), 84)
    render_frames(WORLD, still("seal", order=MIXED), SEED + 1, (9,), 84)
    assert (together[0] == together[3]).all()
    assert (render_frames(WORLD, state, SEED, (124, 61), 84)[::-1] == together[1:3]).all()


def made_session(*following: tuple[str, str]) -> Session:
    """Two runs, then what follows the clip."""
    made = Session("train-0000", "clean", WORLD.workers[0], False, random.Random(0), grammar_of(WORLD), orders=[1, 0])
    start = 0
    for step, operation in [("collect", "Put Items"), ("wrap_items", "Wrap"), *following]:
        end = start + (2000 if step == "collect" else 9000)
        made.runs.append(StepRun(operation, start, end, step, 0))
        start = end
    return made


def test_equal_state_and_seed_give_equal_bytes_whatever_comes_next():
    plan, found = CutPlan(mid=0, boundary=1, dense=0, lead_ms=(1500, 1500)), []
    for following in (
        [("box_after", "Box Setup"), ("pad", "Inner Packing")],
        [("pad", "Inner Packing"), ("seal", "Tape")],
    ):
        made = made_session(*following)
        chosen = next(cut(made.runs, plan, random.Random(1)))
        clip, seed = make_clip(WORLD.key, made.name, 0, chosen, made.runs), render_seed(WORLD.key, made.name, 0)
        found.append((clip.next_operation, render_frames(WORLD, visible(WORLD, made, 0, chosen), seed, (0, 60, 124))))
    (one_next, one), (other_next, other) = found
    assert one_next != other_next
    assert one.tobytes() == other.tobytes()


OPERATIONS = {
    "Box Setup": "box", "Inner Packing": "pad", "Tape": "seal", "Put Items": "fetch", "Pack": "pack",
    "Wrap": "wrap_fetched", "Label": "label", "Final Check": "check", "Idle": "seal/idle",
}  # fmt: skip
LOOKS = [random.Random(number).getrandbits(64) << CLIP_BITS | number for number in (0, 41, 23, 25)]
"""Seeds of four sessions: worn by the worker, from the far side, from above, from the right."""


def node(name: str, **facts) -> VisibleState:
    step, _, idle = name.partition("/")
    return still(step, idle=bool(idle), **facts)


def differing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two pictures differ clearly: by 40 of 255 in a channel."""
    return np.abs(one - other).max(axis=2) > 40


def test_the_looks_are_of_four_cameras():
    sides = [session_look(session_seed(seed)).camera.side for seed in LOOKS]
    assert sides == ["worker", "far", "overhead", "right"]


@pytest.mark.parametrize("seed", LOOKS, ids=["worker", "far", "overhead", "right"])
@pytest.mark.parametrize(("size", "least"), [(336, 1500), (84, 60)])
def test_operations_look_different_at_any_moment_of_work(seed, size, least):
    """By so many pixels at least, between all moments once the hands have begun."""
    frames = {
        name: [picture(node(step, elapsed=elapsed), 0, size, seed) for elapsed in (1500, 2500, 9000)]
        for name, step in OPERATIONS.items()
    }
    for one, other in itertools.combinations(OPERATIONS, 2):
        areas = [differing(a, b).sum() for a in frames[one] for b in frames[other]]
        assert min(areas) >= least, f"{one} against {other} at {size}"


@pytest.mark.parametrize("seed", LOOKS, ids=["worker", "far", "overhead", "right"])
def test_steps_of_one_operation_look_different(seed):
    """The ceiling knows the look of a step, so a picture must tell it: by more than a mark of 17 x 17 pixels."""
    steps = sorted(set(WORLD.shown_step.values()))
    for idle in ("", "/idle"):
        frames = {step: picture(node(step + idle, elapsed=200), seed=seed) for step in steps}
        for one, other in itertools.combinations(steps, 2):
            if WORLD.steps[one].operation == WORLD.steps[other].operation:
                assert differing(frames[one], frames[other]).sum() >= 300, f"{one}{idle} against {other}{idle}"


@pytest.mark.parametrize("name", [attribute.name for attribute in WORLD.attributes])
@pytest.mark.parametrize("step", ["box", "collect", "pack", "seal", "check_labelled", "seal/idle"])
def test_attributes_are_marked_in_every_state(name, step):
    """A patch at least 18 px wide and high, on boards alone (items painted out), while the board faces the camera."""
    bits = tuple(attribute.name == name for attribute in WORLD.attributes)
    shown = tuple(Window(surface, 0, 0, 125) for surface in ("slip", "screen"))
    for seed in LOOKS:
        one, other = (
            picture(replace(node(step, order=order), windows=shown), 40, seed=seed, paint_out=("items",))
            for order in (PLAIN, bits)
        )
        rows, columns = np.nonzero(differing(one, other))
        assert np.ptp(rows) + 1 >= 15 and np.ptp(columns) + 1 >= 18, (name, step)
        assert len(rows) >= 100


def test_marks_differ_by_their_form_alone():
    """All signs of a picture have one ink; two signs in one place differ in at least 80 pixels."""
    look = session_look(session_seed(LOOKS[0]))
    inks = {
        shape.fill[:3] for mark in MARKS for shape in sign(mark, 100, 100, 10.5, look.ink) if shape.fill[:3] != PALE
    }
    assert inks == {look.ink[:3]}
    forms = {mark: slip_with(mark, look) for mark in MARKS}
    for one, other in itertools.combinations(MARKS, 2):
        assert differing(forms[one], forms[other]).sum() >= 80, f"{one} against {other}"


def slip_with(mark: str, look) -> np.ndarray:
    out = np.empty((336, 336, 3), np.uint8)
    ground = Path().rectangle(0, 0, 336, 336).filled((250, 248, 240, 255))
    _painter(336).paint(Scene(((ground,),), tuple(sign(mark, 100, 100, 10.5, look.ink))), out)
    return out.astype(int)


@pytest.mark.parametrize("hides", [("slip",), ("items",), ("slip", "items")])
def test_an_occluder_covers_all_of_its_surface(hides):
    """Were the attributes still drawn behind it, not one pixel would tell. Items in sight are in bags (None)."""
    for step in ("box", "collect", "pack", "seal"):
        facts = {"domain": "occlusion", "occluded": hides}
        flipped = tuple(attribute.shown_by in hides for attribute in WORLD.attributes)
        one = picture(still(step, **facts), paint_out=("items",))
        assert (picture(still(step, order=flipped, **facts), paint_out=("items",)) == one).all()
        free = picture(still(step, domain="occlusion", order=flipped), paint_out=("items",))
        assert (free != one).any()


def test_hidden_items_tell_nothing():
    """In the box, in the hand and on the table: a state without the attributes is one picture."""
    shown = still("pack", order=HIDDEN, domain="occlusion", occluded=("slip", "items"))
    blank = picture(
        still("pack", order=(True,) * 5, domain="occlusion", occluded=("slip", "items")), paint_out=("items",)
    )
    assert (picture(shown) == blank).all()


def test_workers_differ_by_the_stripes_on_their_sleeves_alone():
    """At an equal moment of work: their tempo differs, so the moments do."""
    frames = []
    for worker in WORLD.workers:
        late = 20 * worker.tempo_percent
        frames.append(picture(still("pack", worker=worker.name, elapsed=late), 0))
    for one, other in itertools.combinations(frames, 2):
        assert 40 <= differing(one, other).sum() <= 1500


def test_domains_look_different_and_as_strong_as_asked():
    clean = picture(still("pack", order=MIXED))
    for domain in set(DOMAINS) - {"clean"}:
        strong = still("pack", order=MIXED, domain=domain)
        mild = replace(strong, strength=strong.strength // 6)
        if domain == "occlusion":
            continue  # its strength is where the occluders stand, which the state says
        change, less = (np.abs(picture(shown) - clean).mean() for shown in (strong, mild))
        assert change > 0.5 and (less < change or domain == "second-worker"), domain


def test_sizes():
    frames = render_frames(WORLD, still("pack", domain="sensor"), SEED, (0, 124), 100)
    assert frames.shape == (2, 100, 100, 3) and frames.dtype == np.uint8
    assert render_frames(WORLD, still("pack"), SEED, ()).shape == (0, 336, 336, 3)


def test_contact_sheet():
    clip, _ = next(session_states(WORLD, "test", 0))
    sheet = contact_sheet(WORLD, "test", [clip.clip_id], size=84)
    blind = contact_sheet(WORLD, "test", [clip.clip_id], blind=True, size=84)
    assert sheet.size == blind.size == (8 * 90 + 6, 84 + 40 + 6 + 6)
    frames = render_frames(
        WORLD, next(session_states(WORLD, "test", 0))[1], render_seed(WORLD.key, clip.session, 0), (17,), 84
    )
    assert (np.asarray(sheet)[6:90, 96:180] == frames[0]).all()
    assert (np.asarray(sheet)[:90] == np.asarray(blind)[:90]).all() and sheet.tobytes() != blind.tobytes()


def test_reading_sheets_hold_every_window():
    """16 frames in order, first and last among them, and a frame of each window."""
    clips = list(itertools.islice(session_states(WORLD, "test", 1), 6))
    for _, state in clips:
        chosen = frames_to_read(state)
        assert len(set(chosen)) == 16 and chosen == sorted(chosen) and chosen[-1] <= 124
        for window in state.windows:
            assert any(window.start_frame <= index < window.end_frame for index in chosen)
    clip, state = clips[-1]
    one, other = reading_sheets(WORLD, clip, state, 84)
    assert one.size == other.size == (4 * 88, 2 * (84 + 14 + 4))
    frame = render_frames(WORLD, state, render_seed(WORLD.key, clip.session, clip.clip_index), chosen[8:9], 84)[0]
    assert (np.asarray(other)[14 : 14 + 84, :84] == frame).all()


if __name__ == "__main__":
    PICTURES.write_text(json.dumps({domain: pinned(gold_frames(domain)) for domain in DOMAINS}, indent=1) + "\n")
