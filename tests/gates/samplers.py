"""Which eight frames to look at: the samplers of `reference.video.samplers`, measured on the test split.

For each sampler: how far true transitions are from the nearest frame it takes, what a perfect recogniser of its frames
gets (`frame_limits`; of what comes next, `visible.seen_in`), and what the probe gets. The probe is trained once, on
uniform frames; so are the answers to all samplers its own, and the frames alone differ. Samplers that look at pictures
see all 125 frames, drawn small.

Run from the repository root: `python -m tests.gates.samplers [--sessions 40] [--workers 2] [--time]`; `--sessions`: the
first ones of each split alone. `--time` adds what a choice costs on this machine: one core, median, small luma given.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from harness.baselines import probe_model
from harness.baselines.frame_model import FrameModel
from reference.pools.processes import in_processes
from reference.process.ceiling import forecast
from reference.process.frame_limits import ClipState, frame_limit, transitions
from reference.process.split import session_states
from reference.process.visible import seen_in
from reference.process.world import World, load_world
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES, DEFAULT_WORLD
from reference.video.samplers import LUMA_SIDE, SAMPLERS, luma_of
from tests.gates import sight_pictures
from tests.gates.answers import facts, is_hidden, learn
from tests.gates.gate import Gate, table
from tests.gates.sight_pictures import SIZE, Drawing, Drawn, states
from tests.support.sampling import distances

FRAMES = 8
HEADER = (
    "sampler", "distance, mean", "90%", "OCA limit", "tIoU@0.5 limit", "hidden AA@1 limit", "OCA", "tIoU@0.5", "AA@1",
    "hidden AA@1",
)  # fmt: skip


class Figures(NamedTuple):
    """Figures of one sampler: distances in frames over all transitions on screen, and shares of clips."""

    distance: float
    distance_90: float
    oca_limit: float
    tiou50_limit: float
    aa1_hidden_limit: float  # mean probability of the best answer that the frames taken allow
    oca: float
    tiou50: float
    aa1: float
    aa1_hidden: float


def draw(world: str, split: str, *, sessions: int | None = None, workers: int = 1) -> dict[str, Drawn]:
    """Draw what every sampler takes of a split, or of its first sessions, and keep what the probe sees of it."""
    numbers = Drawing(world, split, sessions=sessions).numbers()
    where = (world, split)
    parts = (
        map(partial(draw_session, where), numbers)
        if workers == 1
        else in_processes(draw_session, where, numbers, workers, 2 * workers)
    )
    drawn = {name: Drawn([], [], []) for name in SAMPLERS}
    for part in parts:
        for name, found in part.items():
            for column, more in zip(drawn[name], found, strict=True):
                column += more
    return drawn


def draw_session(where: tuple[str, str], number: int) -> dict[str, Drawn]:
    """Draw one session; `where`: world and split."""
    definition = load_world(where[0])
    drawn = {name: Drawn([], [], []) for name in SAMPLERS}
    for found in session_states(definition, where[1], number):
        for name, (pictures, indices) in _clip(definition, found).items():
            for column, each in zip(drawn[name], (found[0], indices, pictures), strict=True):
                column.append(each)
    return drawn


def _clip(world: World, found: ClipState) -> dict[str, tuple[np.ndarray, tuple[int, ...]]]:
    """Draw one clip: every frame that some sampler wants, once."""
    from reference.drawing.frame import render_frames

    clip, state = found
    seed = render_seed(world.key, clip.session, clip.clip_index)
    luma = luma_of(render_frames(world, state, seed, range(CLIP_FRAMES), 2 * LUMA_SIDE))
    chosen = {name: sampler(luma, FRAMES) for name, sampler in SAMPLERS.items()}
    wanted = sorted({index for indices in chosen.values() for index in indices})
    pictures = probe_model.reduce(render_frames(world, state, seed, wanted, SIZE))
    return {name: (pictures[np.searchsorted(wanted, indices)], indices) for name, indices in chosen.items()}


def measure(world: World, shown: Sequence[ClipState], drawn: Drawn, trained: FrameModel) -> Figures:
    """Return a sampler's figures; `drawn` are the frames that it takes of the clips `shown`."""
    taken = {clip.clip_id: indices for clip, indices in zip(drawn.clips, drawn.indices, strict=True)}
    far = [gap for clip, state in shown for gap in distances(transitions(state), taken[clip.clip_id])]
    limit = frame_limit(shown, lambda found: taken[found[0].clip_id])["all"]
    ahead = [
        forecast(world, seen_in(world, state, taken[clip.clip_id])).ceiling
        for clip, state in shown
        if not clip.next_visible
    ]
    right = facts(drawn.clips, trained.predict(drawn.kept, drawn.indices))
    whole = np.ones(len(drawn.clips), bool)
    shares = (right.mean(fact, whole) for fact in ("operation", "segment", "following"))
    hidden = right.mean("following", is_hidden(drawn.clips))
    limits = (limit.oca, limit.tiou50, float(np.mean(ahead)))
    return Figures(float(np.mean(far)), float(np.quantile(far, 0.9)), *limits, *shares, hidden)


def sound(drawn: Drawn) -> bool:
    """Return True if every clip has eight different frames, in order."""
    indices = np.array(drawn.indices)
    inside = (indices[:, 0] >= 0).all() and (indices[:, -1] < CLIP_FRAMES).all()
    return bool(inside and indices.shape[1] == FRAMES and (np.diff(indices, axis=1) > 0).all())


def run_gate(world: str = DEFAULT_WORLD, split: str = "test", sessions: int | None = None, workers: int = 1) -> Gate:
    train = Drawing(world, "train", sessions=sessions)
    sight_pictures.draw(train, workers)
    trained, definition = learn(train, "probe"), load_world(world)
    clips, drawn = (
        states(Drawing(world, split, sessions=sessions)),
        draw(world, split, sessions=sessions, workers=workers),
    )
    found = {name: measure(definition, clips, pictures, trained) for name, pictures in drawn.items()}
    part = "" if sessions is None else f" (the first {sessions} sessions)"
    text = (
        f"{FRAMES} frames of each clip of {world}, split {split}{part}, by sampler. *Distance*: frames from a "
        "transition on screen to the nearest frame taken. *Limit*: what a perfect recogniser of the frames taken gets; "
        "of a hidden next operation, the mean probability of the best answer. The other figures are the probe's, "
        "trained once on uniform frames. Reported; demanded is no more than eight different frames in order."
    )
    rows = [(name, *_row(figures)) for name, figures in found.items()]
    return Gate("Samplers", text, [table(HEADER, rows)], all(map(sound, drawn.values())))


def _row(figures: Figures) -> Iterator[str]:
    far, shares = figures[:2], figures[2:]
    return iter((*(f"{frames:.1f}" for frames in far), *(f"{share:.3f}" for share in shares)))


def choice_ms(world: str = "warehouse-v2", split: str = "test", sessions: int = 2) -> dict[str, float]:
    """Return the median time of a choice on one core, from the small luma of all frames."""
    from reference.drawing.frame import render_frames

    definition = load_world(world)
    taken: dict[str, list[float]] = {name: [] for name in SAMPLERS}
    for clip, state in states(Drawing(world, split, sessions=sessions)):
        seed = render_seed(definition.key, clip.session, clip.clip_index)
        luma = luma_of(render_frames(definition, state, seed, range(CLIP_FRAMES), 2 * LUMA_SIDE))
        for name, sampler in SAMPLERS.items():
            start = time.process_time()
            sampler(luma, FRAMES)
            taken[name].append(1000 * (time.process_time() - start))
    return {name: float(np.median(times)) for name, times in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    gate = run_gate(sessions=options.sessions, workers=options.workers)
    print(gate.markdown())
    if options.time:
        print(table(("sampler", "ms a choice"), [(name, f"{ms:.2f}") for name, ms in choice_ms().items()]))
    return 0 if gate.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
