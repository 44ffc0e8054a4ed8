"""The probe as a submission: train the small classifier on one rendering, answer another with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.baselines.write import write_lines
from harness.errors import UsageError
from reference.task import DEFAULT_SPLIT

if TYPE_CHECKING:
    from reference.training.datasets import Clips


def probe(frames: Path, path: str | Path, *, split: str = DEFAULT_SPLIT, seed: int = 0) -> int:
    """Train the probe on the rendering `frames/train`, answer the one in `frames/SPLIT`; returns the number of lines.

    Raises UsageError where a rendering is missing, or scikit-learn is.
    """
    learned, asked = (_Rendering.at(frames / name) for name in ("train", split))
    truths = {row["clip_id"]: row for row in _json_lines(frames / "train" / "truth.jsonl")}
    try:
        from harness.baselines.probe_model import train

        made = train(learned.frames(), [truths[clip_id] for clip_id in learned.names], learned.indices, seed)
    except ModuleNotFoundError as error:
        raise UsageError(f"the probe needs {error.name}: pip install 'warehouse-harness[video]'") from None
    return write_lines(path, made.predict(asked.frames(), asked.indices).lines(asked.names))


class _Rendering(NamedTuple):
    """What lies in a rendered folder, in the order of its clips.jsonl; pictures are read one clip at a time."""

    clips: Clips
    names: list[str]
    indices: list[list[int]]

    @classmethod
    def at(cls, folder: Path) -> _Rendering:
        from reference.training.datasets import Clips

        if not (folder / "index.json").is_file():
            command = f"harness world render -o {folder} --split {folder.name}"
            raise UsageError(f"{folder}: holds no whole rendering; {command}")
        rows = _json_lines(folder / "clips.jsonl")
        return cls(Clips(folder, trusted=True), [row["clip_id"] for row in rows], [row["indices"] for row in rows])

    def frames(self) -> Iterator[Any]:
        return (self.clips[place]["frames"] for place in range(len(self.names)))


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
