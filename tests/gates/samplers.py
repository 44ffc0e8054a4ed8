"""Which eight frames to look at: the samplers of `reference.video.samplers`, measured on the test split.

For each sampler: how far true transitions are from the nearest frame it takes, what a perfect recogniser of its frames
gets (`frame_limits`), and what the probe gets. The probe is trained once, on uniform frames; so are the answers to
all samplers its own, and the frames alone differ. Samplers that look at pictures see all 125 frames, drawn small.

Run from the repository root: `python -m tests.gates.samplers [--workers 2] [--time]`. `--time` adds what a choice
costs on this machine: one core, median, small luma given.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from harness.baselines import probe_model
from harness.baselines.frame_model import FrameModel
from reference.process.frame_limits import ClipState, frame_limit, transitions
from reference.process.split import session_states
from reference.process.world import World, load_world
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES
from reference.video.samplers import LUMA_SIDE, SAMPLERS, luma_of
from tests.gates import shown, validity
from tests.gates.gate import Gate, table
from tests.gates.shown import SIZE, Drawn
from tests.support.sampling import distances

FRAMES = 8
HEADER = ("sampler", "distance, mean", "90%", "OCA limit", "tIoU@0.5 limit", "OCA", "tIoU@0.5", "AA@1", "hidden AA@1")


class Figures(NamedTuple):
    """Figures of one sampler: distances in frames over all transitions on screen, and shares of clips."""

    distance: float
    distance_90: float
    oca_limit: float
    tiou50_limit: float
    oca: float
    tiou50: float
    aa1: float
    aa1_hidden: float


def draw(world: str, split: str, *, sessions: int | None = None, workers: int = 1) -> dict[str, Drawn]:
    """Draw, for every sampler, the frames that it takes of `shown.states(world, split, sessions)`."""
    count = load_world(world).split(split).sessions if sessions is None else sessions
    task = partial(_session, world, split)
    if workers == 1:
        parts = [task(index) for index in range(count)]
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            parts = list(pool.map(task, range(count)))
    return {
        name: Drawn(*(np.concatenate(column) for column in zip(*(part[name] for part in parts), strict=True)))
        for name in SAMPLERS
    }


def _session(world: str, split: str, index: int) -> dict[str, Drawn]:
    definition = load_world(world)
    clips = [_clip(definition, split, found) for found in session_states(definition, split, index)]
    return {
        name: Drawn(*(np.array(column) for column in zip(*(clip[name] for clip in clips), strict=True)))
        for name in SAMPLERS
    }


def _clip(world: World, split: str, found: ClipState) -> dict[str, tuple[np.ndarray, Sequence[int]]]:
    """Draw one clip: every frame that some sampler wants, once."""
    from reference.drawing.frame import render_frames

    clip, state = found
    seed = render_seed(world.key, clip.session, clip.clip_index)
    luma = luma_of(render_frames(world, state, seed, range(CLIP_FRAMES), 2 * LUMA_SIDE))
    chosen = {name: sampler(luma, FRAMES) for name, sampler in SAMPLERS.items()}
    wanted = sorted({index for indices in chosen.values() for index in indices})
    pictures = probe_model.reduce(render_frames(world, state, seed, wanted, SIZE))
    return {name: (pictures[np.searchsorted(wanted, indices)], indices) for name, indices in chosen.items()}


def measure(clips: Sequence[ClipState], drawn: Drawn, trained: FrameModel, usual: dict[str, str]) -> Figures:
    taken = dict(zip((clip.clip_id for clip, _ in clips), drawn.indices.tolist(), strict=True))
    far = [gap for clip, state in clips for gap in distances(transitions(state), taken[clip.clip_id])]
    limit = frame_limit(clips, lambda found: taken[found[0].clip_id])["all"]
    judged = validity.judge(clips, trained.predict(drawn.pictures, drawn.indices), usual)
    shares = (judged.share(metric) for metric in validity.METRICS)
    return Figures(float(np.mean(far)), float(np.quantile(far, 0.9)), limit.oca, limit.tiou50, *shares)


def sound(drawn: Drawn) -> bool:
    """Return True if every clip has eight different frames, in order."""
    indices = drawn.indices
    inside = (indices[:, 0] >= 0).all() and (indices[:, -1] < CLIP_FRAMES).all()
    return bool(inside and indices.shape[1] == FRAMES and (np.diff(indices, axis=1) > 0).all())


def run_gate(world: str = "warehouse-v2", split: str = "test", workers: int = 1) -> Gate:
    trained, usual = validity.learn(world, partial(shown.draw, workers=workers))
    clips, drawn = shown.states(world, split), draw(world, split, workers=workers)
    found = {name: measure(clips, pictures, trained, usual) for name, pictures in drawn.items()}
    text = (
        f"{FRAMES} frames of each clip of {world}, split {split}, by sampler. *Distance*: frames from a transition on "
        "screen to the nearest frame taken. *Limit*: what a perfect recogniser of the frames taken gets. The other "
        "figures are the probe's, trained once on uniform frames. Reported; demanded is no more than eight different "
        "frames in order."
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
    for clip, state in shown.states(world, split, sessions):
        seed = render_seed(definition.key, clip.session, clip.clip_index)
        luma = luma_of(render_frames(definition, state, seed, range(CLIP_FRAMES), 2 * LUMA_SIDE))
        for name, sampler in SAMPLERS.items():
            start = time.process_time()
            sampler(luma, FRAMES)
            taken[name].append(1000 * (time.process_time() - start))
    return {name: float(np.median(times)) for name, times in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    gate = run_gate(workers=options.workers)
    print(gate.markdown())
    if options.time:
        print(table(("sampler", "ms a choice"), [(name, f"{ms:.2f}") for name, ms in choice_ms().items()]))
    return 0 if gate.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
