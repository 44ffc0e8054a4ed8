"""Pictures for the gate of sight: each clip is drawn once at 168 x 168, and what the models keep of it lies on disk.

The folder is build/sight, or the one that the variable SIGHT names. Inside, the pictures of each state of the code that
draws and reduces have a folder of their own, so that no run reads those of other code. A session is a file: a run that
was cut off, or that wanted fewer sessions, is continued. Nothing is removed here; `make clean` does it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.baselines.floor_models import HISTOGRAM, THUMBNAIL
from harness.baselines.frame_model import Design
from harness.baselines.on_frames import FRAME_BASELINES
from reference.code_digest import code_digest
from reference.files import write_atomically
from reference.pools.processes import in_processes
from reference.process.frame_limits import ClipState
from reference.process.split import session_states, timeline
from reference.process.world import load_world
from reference.randomness import render_seed
from reference.task import Clip

FOLDER = Path(os.environ.get("SIGHT", Path(__file__).parents[2] / "build" / "sight"))
CODE = ("reference.drawing.frame", "reference.process.split", "harness.baselines.floor_models")
SIZE = 168
MIDDLE = ()
"""In place of indices: the one frame nearest to the middle of the true segment."""
VIEWS: dict[str, tuple[Design, tuple[int, ...]]] = {
    "histogram-middle": (HISTOGRAM, MIDDLE),
    "thumbnail-middle": (THUMBNAIL, MIDDLE),
    **{name: (baseline.design, baseline.indices) for name, baseline in FRAME_BASELINES.items()},
}
"""What models keep of a clip: the design that keeps it, and of which frames."""


class Drawing(NamedTuple):
    """Clips to draw: of the first sessions of a split, or of all; `hidden`: those whose next operation is not visible.

    `further`: in place of the split's sessions so many that follow them, drawn as they are. `as_clean`: the sessions of
    unseen domains alone, drawn in the clean one. `paint_out`: surfaces painted over.
    """

    world: str
    split: str
    views: tuple[str, ...] = tuple(VIEWS)
    sessions: int | None = None
    hidden: bool = False
    as_clean: bool = False
    paint_out: tuple[str, ...] = ()
    further: int = 0

    def numbers(self) -> list[int]:
        """Return the numbers of the sessions."""
        world = load_world(self.world)
        whole = world.split(self.split).sessions
        first = whole if self.sessions is None else min(whole, self.sessions)
        numbers = range(whole, whole + self.further) if self.further else range(first)
        return [
            number
            for number in numbers
            if not (self.as_clean and world.domain_seen(timeline(world, self.split, number).domain))
        ]

    def file(self, number: int) -> Path:
        """Return the file of a session."""
        name = f"{self.world}-{self.split}" + "-hidden" * self.hidden + "-as-clean" * self.as_clean
        name += "".join(f"-no-{surface}" for surface in self.paint_out)
        return FOLDER / code_digest(*CODE)[:16] / name / f"{number:04}.pickle"


class Drawn(NamedTuple):
    """Clips by session and time, the indices of the frames of a view, and what its model keeps of them."""

    clips: list[Clip]
    indices: list[tuple[int, ...]]
    kept: list[np.ndarray]


def middle_frame(clip: Clip) -> int:
    """Return the frame nearest to the middle of the segment, of two the earlier."""
    start, end = clip.temporal_segment
    return (start + end - 1) // 2


def frames_of(view: str, clip: Clip) -> tuple[int, ...]:
    return VIEWS[view][1] or (middle_frame(clip),)


def draw(drawing: Drawing, workers: int = 1) -> None:
    """Draw the sessions that are not there yet."""
    missing = [number for number in drawing.numbers() if not drawing.file(number).exists()]
    if workers == 1:
        for number in missing:
            draw_session(drawing, number)
    else:
        list(in_processes(draw_session, drawing, missing, workers, 2 * workers))


def draw_session(drawing: Drawing, number: int) -> None:
    content = pickle.dumps(list(_clips(drawing, number)))
    path = drawing.file(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _clips(drawing: Drawing, number: int) -> Iterator[tuple[Clip, Mapping[str, np.ndarray]]]:
    from reference.drawing.frame import render_frames

    world = load_world(drawing.world)
    for clip, state in session_states(world, drawing.split, number, "clean" if drawing.as_clean else None):
        if not (drawing.hidden and clip.next_visible):
            chosen = {view: frames_of(view, clip) for view in drawing.views}
            wanted = sorted(set().union(*chosen.values()))
            seed = render_seed(world.key, clip.session, clip.clip_index)
            pictures = render_frames(world, state, seed, wanted, SIZE, drawing.paint_out)
            yield clip, {view: _keep(view, pictures[np.searchsorted(wanted, chosen[view])]) for view in chosen}


def _keep(view: str, pictures: np.ndarray) -> np.ndarray:
    return VIEWS[view][0].shrink(pictures)


def read(drawing: Drawing, view: str) -> Drawn:
    """Return a view of all clips drawn."""
    found = [row for number in drawing.numbers() for row in pickle.loads(drawing.file(number).read_bytes())]
    clips = [clip for clip, _ in found]
    return Drawn(clips, [frames_of(view, clip) for clip in clips], [kept[view] for _, kept in found])


def states(drawing: Drawing) -> list[ClipState]:
    """Return clips and states of the sessions of a drawing, hidden or not, in their own domains."""
    world = load_world(drawing.world)
    return [found for number in drawing.numbers() for found in session_states(world, drawing.split, number)]
