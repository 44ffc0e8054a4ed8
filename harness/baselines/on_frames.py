"""Baselines that look at pictures: train a small model on one rendering, answer another with it.

They are floors for models that see. All answer alike (`frame_model`) and differ in what they make of which frames.
They were fixed before the pictures of the world were drawn, and are changed for no gate.

The same pictures give the same answers on one machine. Elsewhere the last digits of matrix products differ with the
processor and the version of numpy, which may change a few answers. Pictures of another size change all features, and
more answers: the committed entries are of 168 x 168.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.baselines import frame_model
from harness.baselines.floor_models import HISTOGRAM, THUMBNAIL
from harness.baselines.frame_model import Design
from harness.baselines.probe_model import PROBE
from harness.baselines.write import write_lines
from harness.errors import UsageError
from harness.progress import counter, span
from reference.extras import needs
from reference.outside_files import json_lines
from reference.process.frame_limits import uniform_indices
from reference.rendering.lists import TRUTH
from reference.task import DEFAULT_FRAMES, DEFAULT_INDICES, DEFAULT_SPLIT
from reference.training.datasets import Clips
from reference.truth.sealed import CLIPS, INDEX


class FrameBaseline(NamedTuple):
    """Model on frames: its design, the frames it looks at, and how many frames the renderings that it needs hold."""

    design: Design
    indices: tuple[int, ...] = DEFAULT_INDICES
    rendered: int = DEFAULT_FRAMES


FRAME_BASELINES = {
    "histogram": FrameBaseline(HISTOGRAM),
    "thumbnail": FrameBaseline(THUMBNAIL),
    "probe": FrameBaseline(PROBE),
    "probe-16": FrameBaseline(PROBE, uniform_indices(16), 16),
    "last-frame": FrameBaseline(PROBE, DEFAULT_INDICES[-1:]),
}
"""The models of `write.ON_FRAMES`.

`last-frame` sees frame 124 alone. It answers the operation that it recognises there, the whole clip as the segment, and
what follows such a picture; it learns from the training clips whose segment holds that frame.
"""


def write_answers(name: str, frames: Path, path: str | Path, *, split: str = DEFAULT_SPLIT, seed: int = 0) -> int:
    """Train a model of FRAME_BASELINES on the rendering `frames/train`, answer the one in `frames/SPLIT`.

    Returns the number of lines. Raises UsageError where a rendering is missing or lacks the model's frames, or
    scikit-learn is missing.
    """
    baseline = FRAME_BASELINES[name]
    training, judged = (_Rendering.open(frames / folder, name) for folder in ("train", split))
    steps = _Steps(name)
    truths = {row["clip_id"]: row for row in _read_rows(frames / "train" / TRUTH)}
    try:
        rows = [truths[clip_id] for clip_id in training.names]
        shown = steps.counted(f"reading {len(rows):,} training clips", training.frames(), len(rows))
        model = frame_model.train(baseline.design, shown, rows, training.indices, seed, steps.say)
    except ImportError as error:
        raise UsageError(needs(f"the baseline {name}", error)) from None
    count = len(judged.names)
    answers = model.predict(steps.counted(f"answering {count:,} clips", judged.frames(), count), judged.indices)
    steps.say("done")
    return write_lines(path, answers.lines(judged.names))


class _Steps:
    """Progress of a baseline on stderr: a line when a step begins, and a counter while clips are read."""

    def __init__(self, name: str) -> None:
        self.name, self.begun = name, time.monotonic()

    def say(self, step: str) -> None:
        """Print what begins, and the seconds since the start."""
        print(f"{self.name}, after {span(time.monotonic() - self.begun)}: {step}", file=sys.stderr, flush=True)

    def counted(self, step: str, clips: Iterable[Any], count: int) -> Iterator[Any]:
        """Yield the clips of a step, counted while they are read."""
        self.say(step)
        with counter(f"{self.name}: {step}") as report:
            for number, clip in enumerate(clips, 1):
                yield clip
                report(number, count)


class _Rendering(NamedTuple):
    """Rendered folder in the order of its clips.jsonl; pictures are read one clip at a time.

    `places`: of the frames that the model looks at, among those of each clip.
    """

    clips: Clips
    names: list[str]
    indices: list[tuple[int, ...]]
    places: list[list[int]]

    @classmethod
    def open(cls, folder: Path, name: str) -> _Rendering:
        """Open a whole rendering with the frames of a baseline. Raises UsageError for any other folder."""
        baseline = FRAME_BASELINES[name]
        choices = f"--split {folder.name} --frames {baseline.rendered}"
        if not (folder / INDEX).is_file():
            raise UsageError(f"{folder}: holds no whole rendering; harness world render -o {folder} {choices}")
        rows = _read_rows(folder / CLIPS)
        if any(not set(baseline.indices) <= set(row["indices"]) for row in rows):
            wanted = ", ".join(map(str, baseline.indices))
            elsewhere = f"frames-{baseline.rendered}/{folder.name}"
            raise UsageError(
                f"{folder}: lacks frames that {name} looks at ({wanted}); harness world render -o {elsewhere} {choices}"
            )
        places = [[row["indices"].index(index) for index in baseline.indices] for row in rows]
        clip_ids = [row["clip_id"] for row in rows]
        return cls(Clips(folder, trusted=True), clip_ids, [baseline.indices] * len(rows), places)

    def frames(self) -> Iterator[Any]:
        """Yield the pictures of each clip, [n, h, w, 3]."""
        return (self.clips[number]["frames"][places] for number, places in enumerate(self.places))


def _read_rows(path: Path) -> list[dict[str, Any]]:
    return [row for _, _, row in json_lines(path, UsageError)]
