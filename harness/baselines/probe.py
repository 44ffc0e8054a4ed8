"""The probe as a submission: train the small classifier on one rendering, answer another with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.baselines.probe_model import train
from harness.baselines.write import write_lines
from harness.errors import UsageError
from reference.extras import needs
from reference.files import read_json_lines
from reference.task import DEFAULT_SPLIT
from reference.training.datasets import Clips


def probe(frames: Path, path: str | Path, *, split: str = DEFAULT_SPLIT, seed: int = 0) -> int:
    """Train the probe on the rendering `frames/train`, answer the one in `frames/SPLIT`; return the number of lines.

    Raises UsageError where a rendering is missing, or scikit-learn is.
    """
    training, judged = (_Rendering.open(frames / name) for name in ("train", split))
    truths = {row["clip_id"]: row for row in _read_rows(frames / "train" / "truth.jsonl")}
    try:
        model = train(training.frames(), [truths[clip_id] for clip_id in training.names], training.indices, seed)
    except ImportError as error:
        raise UsageError(needs("the probe", error)) from None
    return write_lines(path, model.predict(judged.frames(), judged.indices).lines(judged.names))


class _Rendering(NamedTuple):
    """Rendered folder in the order of its clips.jsonl; pictures are read one clip at a time."""

    clips: Clips
    names: list[str]
    indices: list[list[int]]

    @classmethod
    def open(cls, folder: Path) -> _Rendering:
        """Open a whole rendering. Raises UsageError for any other folder."""
        if not (folder / "index.json").is_file():
            command = f"harness world render -o {folder} --split {folder.name}"
            raise UsageError(f"{folder}: holds no whole rendering; {command}")
        rows = _read_rows(folder / "clips.jsonl")
        return cls(Clips(folder, trusted=True), [row["clip_id"] for row in rows], [row["indices"] for row in rows])

    def frames(self) -> Iterator[Any]:
        """Yield the pictures of each clip, [n, h, w, 3]."""
        return (self.clips[place]["frames"] for place in range(len(self.names)))


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        return list(read_json_lines(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
