"""A rendering as training data: `Clips` by index, `stream` one after another.

Both suit torch's DataLoader; neither imports torch. A sample is a dict: `clip_id`, `frames` uint8 [n, h, w, 3],
`indices` int64 [n], `times` float64 [n] in seconds, `prompt`, and where the rendering holds truth `truth`: the three
answers in the form of a prediction.

Renderings of all three forms are read, also ones of unknown origin: paths must stay inside the folder, shards are read
strictly, videos are decoded apart unless `trusted`. With an `Augmentation`, set `epoch` before each pass.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reference.errors import RenderError
from reference.files import read_json_lines
from reference.randomness import digest
from reference.rendering.artifacts import image_pixels
from reference.rendering.prompt import prompt_of_frames
from reference.rendering.shards import Sample, read_sample, read_shard
from reference.task import OPERATIONS
from reference.training import augment as augmenting
from reference.training.augment import Augmentation
from reference.video.read import frames as video_frames

ANSWERS = ("dominant_operation", "temporal_segment", "next_operation")


class _Row(NamedTuple):
    """Line of clips.jsonl: where it begins in the file, and which shard holds the clip, if one does."""

    place: int
    shard: str | None


class Clips:
    """Map-style data set: `len(clips)`, `clips[i]`, in the order of clips.jsonl. It can be sent to other processes."""

    def __init__(
        self,
        folder: str | Path,
        *,
        augment: Augmentation | None = None,
        epoch: int = 0,
        trusted: bool = False,
        operations: Sequence[str] = OPERATIONS,
    ):
        self.folder, self.augment, self.epoch, self.trusted = Path(folder), augment, epoch, trusted
        self.operations = tuple(operations)
        self.rows = list(_rows(self.folder))
        self.truths = _truths(self.folder)
        self.offsets = _offsets(self.folder) if any(row.shard for row in self.rows) else {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._row(range(len(self.rows))[index])
        truth = self.truths.get(row["clip_id"])
        if "shard" in row:
            path = _path_inside(self.folder, row["shard"])
            return self._augmented(_from_shard(read_sample(path, self.offsets[row["shard"]][row["clip_id"]])))
        if "video" in row:
            return self._augmented(self._video(row, truth))
        pictures = [_path_inside(self.folder, name) for name in row["frames"]]
        frames = np.stack([image_pixels(path.read_bytes(), str(path)) for path in pictures])
        return self._augmented(_sample(row, frames, truth))

    def _row(self, index: int) -> dict[str, Any]:
        with (self.folder / "clips.jsonl").open("rb") as file:
            file.seek(self.rows[index].place)
            return json.loads(file.readline())

    def _video(self, row: dict[str, Any], truth: dict[str, Any] | None) -> dict[str, Any]:
        """Return a sample of a video clip, its prompt that of the chosen frames.

        Every frame is at hand, so a shift of the clip moves pictures and truth.
        """
        shift = 0
        if self.augment is not None and truth is not None:
            shift = self.augment.draw_shift(self.epoch, row["clip_id"], truth)
            truth = augmenting.shift_truth(truth, shift)
        shown = augmenting.source_frames(row["indices"], shift)
        wanted = sorted(set(shown))
        row["prompt"] = prompt_of_frames(row["prompt"], row["indices"]) or row["prompt"]
        found, _ = video_frames(_path_inside(self.folder, row["video"]), indices=wanted, trusted=self.trusted)
        return _sample(row, found[[wanted.index(index) for index in shown]], truth)

    def _augmented(self, sample: dict[str, Any]) -> dict[str, Any]:
        return sample if self.augment is None else self.augment(sample, self.epoch, self.operations)


class _Stream:
    """Iterable data set: each worker of a DataLoader, and each of several machines, gets its own shards (or clips)."""

    def __init__(self, clips: Clips, shuffle: int | None, part: tuple[int, int]):
        self.clips, self.shuffle, self.part = clips, shuffle, part

    def __iter__(self) -> Iterator[dict[str, Any]]:
        index, of = self._place()
        shards = list(dict.fromkeys(row.shard for row in self.clips.rows if row.shard))
        if not shards:
            for number in self._order(list(range(len(self.clips))))[index::of]:
                yield self.clips[number]
            return
        for shard in self._order(shards)[index::of]:
            for sample in self._order(list(read_shard(_path_inside(self.clips.folder, shard)))):
                yield self.clips._augmented(_from_shard(sample))

    def _order(self, items: list[Any]) -> list[Any]:
        """Return the items as they are, or shuffled anew in each epoch."""
        if self.shuffle is None:
            return items
        seed, epoch = str(self.shuffle).encode(), self.clips.epoch
        return sorted(items, key=lambda item: digest(seed, epoch, item.key if isinstance(item, Sample) else item))

    def _place(self) -> tuple[int, int]:
        index, of = self.part
        torch_data = sys.modules.get("torch.utils.data")
        worker = torch_data.get_worker_info() if torch_data else None
        return (index, of) if worker is None else (index * worker.num_workers + worker.id, of * worker.num_workers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _stream, (self.clips, self.shuffle, self.part)


def stream(
    folder: str | Path, *, shuffle: int | None = None, part: tuple[int, int] = (0, 1), **options: Any
) -> _Stream:
    """Return the clips one after another; `shuffle`: a seed; `part`: (index from 0, number of parts).

    Options as for `Clips`. Raises ValueError for a part that does not exist: parts counted from 1 never see clip 0.
    """
    index, of = part
    if not 0 <= index < of:
        raise ValueError(f"part={part!r}: expected (index, number of parts) with an index from 0 to {max(of, 1) - 1}")
    return _stream(Clips(folder, **options), shuffle, part)


def _stream(clips: Clips, shuffle: int | None, part: tuple[int, int]) -> _Stream:
    """Return the stream, as an instance of torch's IterableDataset where torch is loaded.

    DataLoader recognises an iterable data set by its class alone.
    """
    torch_data = sys.modules.get("torch.utils.data")
    kind = type("Stream", (_Stream, torch_data.IterableDataset), {}) if torch_data else _Stream
    return kind(clips, shuffle, part)


def _rows(folder: Path) -> Iterator[_Row]:
    path, place = folder / "clips.jsonl", 0
    try:
        with path.open("rb") as file:
            for line in file:
                yield _Row(place, json.loads(line).get("shard"))
                place += len(line)
    except (OSError, ValueError, AttributeError) as error:
        raise RenderError(f"{path}: not the list of a rendering ({error})") from None


def _truths(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "truth.jsonl"
    if not path.is_file():
        return {}
    rows = read_json_lines(path)
    return {row["clip_id"]: _answers(row) for row in rows}


def _answers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ANSWERS}


def _offsets(folder: Path) -> dict[str, dict[str, int]]:
    """Return shard -> clip id -> byte at which its sample begins. Raises RenderError for a damaged index."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return {file["path"]: file["offsets"] for file in index["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RenderError(f"{folder / 'index.json'}: not the index of a rendering ({error!r})") from None


def _path_inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RenderError(f"{folder / 'clips.jsonl'}: {name!r} leads out of the folder")
    return path


def _from_shard(sample: Sample) -> dict[str, Any]:
    frames = np.stack([image_pixels(picture, f"a picture of {sample.key}") for picture in sample.pictures])
    return _sample({"clip_id": sample.key, **sample.facts}, frames, _answers(sample.truth) if sample.truth else None)


def _sample(row: dict[str, Any], frames: Any, truth: dict[str, Any] | None) -> dict[str, Any]:
    sample = {
        "clip_id": row["clip_id"],
        "frames": frames,
        "indices": np.array(row["indices"], np.int64),
        "times": np.array(row["times_s"], np.float64),
        "prompt": row["prompt"],
    }
    return sample | ({"truth": truth} if truth is not None else {})
