"""The probe as a submission: train the small classifier on one rendering, answer another with it.

The same pictures give the same answers on one machine. Elsewhere the last digits of matrix products differ with the
processor and the version of numpy, which may change a few answers. Pictures of another size change all features, and
more answers: the committed entry is of 168 x 168.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.baselines.probe_model import train
from harness.baselines.write import write_lines
from harness.errors import UsageError
from harness.progress import counter, span
from reference.extras import needs
from reference.outside_files import json_lines
from reference.rendering.lists import TRUTH
from reference.task import DEFAULT_SPLIT
from reference.training.datasets import Clips
from reference.truth.sealed import CLIPS, INDEX


def probe(frames: Path, path: str | Path, *, split: str = DEFAULT_SPLIT, seed: int = 0) -> int:
    """Train the probe on the rendering `frames/train`, answer the one in `frames/SPLIT`; return the number of lines.

    Raises UsageError where a rendering is missing, or scikit-learn is.
    """
    training, judged = (_Rendering.open(frames / name) for name in ("train", split))
    steps = _Steps()
    truths = {row["clip_id"]: row for row in _read_rows(frames / "train" / TRUTH)}
    try:
        rows = [truths[clip_id] for clip_id in training.names]
        shown = steps.counted(f"reading {len(rows):,} training clips", training.frames(), len(rows))
        model = train(shown, rows, training.indices, seed, steps.say)
    except ImportError as error:
        raise UsageError(needs("the probe", error)) from None
    count = len(judged.names)
    answers = model.predict(steps.counted(f"answering {count:,} clips", judged.frames(), count), judged.indices)
    steps.say("done")
    return write_lines(path, answers.lines(judged.names))


class _Steps:
    """Progress of the probe on stderr: a line when a step begins, and a counter while clips are read."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def say(self, step: str) -> None:
        """Print what begins, and the seconds since the start."""
        print(f"probe, after {span(time.monotonic() - self.begun)}: {step}", file=sys.stderr, flush=True)

    def counted(self, step: str, clips: Iterable[Any], count: int) -> Iterator[Any]:
        """Yield the clips of a step, counted while they are read."""
        self.say(step)
        with counter(f"probe: {step}") as report:
            for number, clip in enumerate(clips, 1):
                yield clip
                report(number, count)


class _Rendering(NamedTuple):
    """Rendered folder in the order of its clips.jsonl; pictures are read one clip at a time."""

    clips: Clips
    names: list[str]
    indices: list[list[int]]

    @classmethod
    def open(cls, folder: Path) -> _Rendering:
        """Open a whole rendering. Raises UsageError for any other folder."""
        if not (folder / INDEX).is_file():
            command = f"harness world render -o {folder} --split {folder.name}"
            raise UsageError(f"{folder}: holds no whole rendering; {command}")
        rows = _read_rows(folder / CLIPS)
        return cls(Clips(folder, trusted=True), [row["clip_id"] for row in rows], [row["indices"] for row in rows])

    def frames(self) -> Iterator[Any]:
        """Yield the pictures of each clip, [n, h, w, 3]."""
        return (self.clips[place]["frames"] for place in range(len(self.names)))


def _read_rows(path: Path) -> list[dict[str, Any]]:
    return [row for _, _, row in json_lines(path, UsageError)]
