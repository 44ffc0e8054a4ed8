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

from reference.process.cutter import CutPlan, cut, make_clip
from reference.process.grammar import grammar_of
from reference.process.sessions import Session, StepRun
from reference.process.split import session_states
from reference.process.visible import ShownRun, VisibleState, visible
from reference.process.world import load_world
from reference.randomness import render_seed
from tests.support import GOLD, ROOT

pytest.importorskip("thorvg_python", reason="pictures need the `video` extra")

from reference.drawing.contact_sheet import contact_sheet
from reference.drawing.frame import render_frames

PICTURES = GOLD / "pictures.json"
WORLD = load_world("warehouse-v2")
DOMAINS = tuple(WORLD.domains)
PLAIN = (False, False, False, False, False)
MIXED = (True, False, True, True, False)
HIDDEN = (None, None, None, None, None)
SEED = 20261


def still(step, *, idle=False, order=PLAIN, elapsed=1000, worker="ana", domain="clean", occluded=()):
    operation = "Idle" if idle else WORLD.steps[step].operation
    run = ShownRun(operation, step, 0, 0, 125)
    return VisibleState((run,), (order,), elapsed, worker, domain, WORLD.domains[domain].strength, occluded, None)


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
    state = VisibleState(runs, (order, order), 700, "ben", domain, WORLD.domains[domain].strength, hides, "Put Items")
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


def node(name: str, **facts) -> VisibleState:
    step, _, idle = name.partition("/")
    return still(step, idle=bool(idle), **facts)


def differing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two pictures differ clearly: by 40 of 255 in a channel."""
    return np.abs(one - other).max(axis=2) > 40


@pytest.mark.parametrize(("size", "least"), [(336, 6000), (84, 400)])
def test_operations_look_different_at_any_moment(size, least):
    """By an area of at least 6% of the picture, between all moments of a loop."""
    frames = {
        name: [picture(node(step, elapsed=elapsed), 0, size) for elapsed in (0, 700, 1500, 9000)]
        for name, step in OPERATIONS.items()
    }
    for one, other in itertools.combinations(OPERATIONS, 2):
        areas = [differing(a, b).sum() for a in frames[one] for b in frames[other]]
        assert min(areas) >= least, f"{one} against {other} at {size}"


def test_steps_of_one_operation_look_different():
    """The ceiling knows the step, so a picture must tell it: by more than a mark of 30 x 30 pixels."""
    nodes = [*WORLD.steps, *(f"{step}/idle" for step in WORLD.steps)]
    frames = {name: picture(node(name, elapsed=200)) for name in nodes}
    for one, other in itertools.combinations(nodes, 2):
        assert differing(frames[one], frames[other]).sum() >= 900, f"{one} against {other}"


@pytest.mark.parametrize("name", [attribute.name for attribute in WORLD.attributes])
@pytest.mark.parametrize("step", ["box", "collect", "pack", "seal", "check_labelled", "seal/idle"])
def test_attributes_are_marked_in_every_state(name, step):
    """A patch at least 30 px wide and high, on slip and rack alone (items painted out); seen at 84 px too."""
    bits = tuple(attribute.name == name for attribute in WORLD.attributes)
    for frame in (0, 40, 124):
        one = picture(node(step), frame, paint_out=("items",))
        where = differing(one, picture(node(step, order=bits), frame, paint_out=("items",)))
        rows, columns = np.nonzero(where)
        assert np.ptp(rows) + 1 >= 28 and np.ptp(columns) + 1 >= 30, (name, step, frame)
        assert where.sum() >= 500
    assert differing(picture(node(step), size=84), picture(node(step, order=bits), size=84)).sum() >= 30


def test_marks_have_colours_of_their_own():
    """The mean colour that each mark brings differs from each other's by at least 60 of 255 in a channel."""
    plain, means = picture(still("box")), {}
    for number, attribute in enumerate(WORLD.attributes):
        marked = picture(still("box", order=tuple(place == number for place in range(5))))
        means[attribute.name] = marked[differing(plain, marked)].mean(axis=0)
    for one, other in itertools.combinations(means, 2):
        assert np.abs(means[one] - means[other]).max() >= 60, f"{one} against {other}"


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


def test_workers_look_different():
    frames = [picture(still("pack", worker=worker.name)) for worker in WORLD.workers]
    for one, other in itertools.combinations(frames, 2):
        assert differing(one, other).sum() >= 4000


def test_domains_look_different_and_as_strong_as_asked():
    clean = picture(still("pack", order=MIXED))
    for domain in set(DOMAINS) - {"clean"}:
        strong = still("pack", order=MIXED, domain=domain)
        mild = replace(strong, strength=strong.strength // 6)
        if domain == "occlusion":
            continue  # its strength is where the occluders stand, which the state says
        change, less = (np.abs(picture(shown) - clean).mean() for shown in (strong, mild))
        assert change > 1 and (less < change or domain == "second-worker"), domain


def test_sizes():
    frames = render_frames(WORLD, still("pack", domain="compression"), SEED, (0, 124), 100)
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


if __name__ == "__main__":
    PICTURES.write_text(json.dumps({domain: pinned(gold_frames(domain)) for domain in DOMAINS}, indent=1) + "\n")
