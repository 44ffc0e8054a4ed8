"""A rendering as training data: `Clips` by index, `stream` one after another.

Both suit torch's DataLoader; neither imports torch. A sample is a dict: `clip_id`, `frames` uint8 [n, h, w, 3],
`indices` int64 [n], `times` float64 [n] in seconds, `prompt`, and where the rendering holds truth `truth`: the three
answers in the form of a prediction.

Renderings of all three forms are read, also ones of unknown origin: every line and member is checked
(`reference.rendering.lists`), paths must stay inside the folder, pictures have the size that render.json promises, and
videos are decoded apart unless `trusted`. With an `Augmentation`, set `epoch` before each pass.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.errors import RenderError, ShardError
from reference.outside_files import LINE_BYTES, json_line, open_regular, read_bytes
from reference.randomness import digest
from reference.rendering import lists
from reference.rendering.artifacts import image_pixels
from reference.rendering.prompt import prompt_of_frames
from reference.rendering.shards import MEMBER_BYTES, Sample, read_sample, read_shard
from reference.shapes import clip_rows
from reference.task import OPERATIONS
from reference.training import augment as augmenting
from reference.training.augment import Augmentation
from reference.truth.sealed import CLIPS, INDEX, RENDERING
from reference.video.read import frames as video_frames

Pixels = NDArray[np.uint8]
ANSWERS = ("dominant_operation", "temporal_segment", "next_operation")


class _Row(NamedTuple):
    """Line of clips.jsonl: where it begins in the file, its clip, which shard holds that, and whether it was altered.

    `altered`: drawn in another domain, or with surfaces painted out.
    """

    place: int
    clip_id: str
    shard: str | None
    altered: bool


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
        self.promise = lists.promised(self.folder)
        self.rows = list(_rows(self.folder, self.promise))
        self.truths = _truths(self.folder)
        self.offsets = lists.shard_offsets(self.folder) if any(row.shard for row in self.rows) else {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.row(range(len(self.rows))[index])
        truth = self.truths.get(row["clip_id"])
        if "shard" in row:
            return self._augmented(self._in_shard(row))
        if "video" in row:
            return self._augmented(self._video(row, truth))
        pictures = [lists.path_inside(self.folder, name) for name in row["frames"]]
        contents = (read_bytes(path, RenderError, MEMBER_BYTES) for path in pictures)
        frames = self._frames(zip(pictures, contents, strict=True))
        return self._augmented(_sample(row, frames, truth))

    def row(self, index: int) -> dict[str, Any]:
        """Return a line of clips.jsonl, checked. Raises RenderError with file and line."""
        path = self.folder / CLIPS
        with open_regular(path, RenderError) as file:
            file.seek(self.rows[index].place)
            place = f"{path}:{index + 1}"
            line = json_line(file.readline(LINE_BYTES + 1), place, RenderError)
        return lists.check_row(line, place, self.promise)

    def _in_shard(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the sample of a line that names a shard. Raises RenderError where the index does not find it there."""
        path, clip_id = lists.path_inside(self.folder, row["shard"]), row["clip_id"]
        offset = self.offsets.get(row["shard"], {}).get(clip_id)
        if offset is None:
            raise RenderError(f"{self.folder / INDEX}: does not say where clip {clip_id} begins in {row['shard']}")
        sample = read_sample(path, offset)
        if sample.key != clip_id:
            raise RenderError(f"{self.folder / INDEX}: clip {clip_id} begins elsewhere, there is {sample.key}")
        return self._from_shard(path, sample)

    def _from_shard(self, path: Path, sample: Sample) -> dict[str, Any]:
        facts, truth = lists.check_sample(path, sample, self.promise)
        names = (f"{path}: picture {place} of {sample.key}" for place in range(len(sample.pictures)))
        frames = self._frames(zip(names, sample.pictures, strict=False))
        return _sample({**facts, "clip_id": sample.key}, frames, _answers(truth) if truth else None)

    def _frames(self, pictures: Iterable[tuple[object, bytes]]) -> Pixels:
        """Return pictures (name, content) as one array [n, h, w, 3]. Raises RenderError where sizes are not one."""
        side, frames = self.promise.side if self.promise else None, list[Pixels]()
        for name, content in pictures:
            frames.append(image_pixels(content, str(name), side))
            if frames[-1].shape != frames[0].shape:
                raise RenderError(f"{name}: has another size than the clip's first picture")
        return np.stack(frames)

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
        path = lists.path_inside(self.folder, row["video"])
        found, _ = video_frames(path, indices=wanted, trusted=self.trusted)
        if self.promise and found.shape[1:3] != (self.promise.side, self.promise.side):
            height, width = found.shape[1:3]
            raise RenderError(f"{path}: has {width} x {height} pixels, {RENDERING} says {self.promise.side}")
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
        listed = {(row.shard, row.clip_id) for row in self.clips.rows}
        for shard in self._order(shards)[index::of]:
            path = lists.path_inside(self.clips.folder, shard)
            for sample in self._order(list(read_shard(path))):
                if (shard, sample.key) not in listed:
                    raise ShardError(f"{path}: holds clip {sample.key}, which {CLIPS} does not name there")
                yield self.clips._augmented(self.clips._from_shard(path, sample))

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


def _rows(folder: Path, promise: lists.Promise | None) -> Iterator[_Row]:
    """Yield the lines of clips.jsonl, checked. Raises RenderError with file and line."""
    path = folder / CLIPS
    if not path.exists():
        raise RenderError(f"{path}: not the list of a rendering (no such file)")
    for at, _, row in clip_rows(path, partial(lists.check_row, promise=promise), RenderError):
        yield _Row(at, row["clip_id"], row.get("shard"), bool(row.get("as_domain") or row.get("paint_out")))


def _truths(folder: Path) -> dict[str, dict[str, Any]]:
    if not (folder / lists.TRUTH).exists():
        return {}
    return {row["clip_id"]: _answers(row) for row in lists.truth_rows(folder)}


def _answers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ANSWERS}


def _sample(row: dict[str, Any], frames: Any, truth: dict[str, Any] | None) -> dict[str, Any]:
    sample = {
        "clip_id": row["clip_id"],
        "frames": frames,
        "indices": np.array(row["indices"], np.int64),
        "times": np.array(row["times_s"], np.float64),
        "prompt": row["prompt"],
    }
    return sample | ({"truth": truth} if truth is not None else {})
