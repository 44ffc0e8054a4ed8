"""The forms of a rendering: a folder of frames a clip, a video a clip, or shards of many clips.

A Writer is sent to each worker process once. Its `write` takes a task (the jobs of a few clips, or of one shard),
writes the files that are missing or damaged, and yields the lines of the lists.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reference.errors import RenderError, ShardError
from reference.rendering import artifacts, shards
from reference.rendering.prompt import task_prompt, times_s
from reference.rendering.request import Request
from reference.rendering.sources import Job, Source
from reference.task import CLIP_FRAMES, DEFAULT_SAMPLER
from reference.video.encode import encode
from reference.video.samplers import SAMPLERS, uniform_indices


class WrittenFile(NamedTuple):
    """Record of one file or folder: its clips' lines for clips.jsonl and truth.jsonl, and its entry in the index."""

    rows: list[dict[str, Any]]
    truths: list[dict[str, Any]]
    file: dict[str, Any]
    is_new: bool  # written by this run


@dataclass
class Writer:
    """Writer of one rendering: its folder, what was requested, and where the pictures come from."""

    folder: Path
    request: Request
    source: Source

    def write(self, number: int, jobs: list[Job]) -> Iterator[WrittenFile]:
        """Write the files of task `number`. Raises RenderError for a clip id that cannot name a file."""
        for job in jobs:
            if not shards.KEY.fullmatch(job.clip_id):
                raise RenderError(f"clip id {job.clip_id!r} cannot name a file: up to 80 of A-Z a-z 0-9 _ -")
        return FORMS[self.request.form](self, number, jobs)

    def has_written(self, number: int, jobs: list[Job]) -> bool:
        """Return whether the files of task `number` are there and whole, so that `write` would draw nothing."""
        if self.request.form == "shards":
            return _keys(self._shard(number)) == [job.clip_id for job in jobs]
        if self.request.form == "video":
            return all(artifacts.is_whole(self._video(job)) for job in jobs)
        return all(artifacts.is_whole_folder(self._frames(job), self.request.frames) for job in jobs)

    def indices(self, job: Job) -> tuple[int, ...]:
        """Return the indices of the sampled frames, sorted; every sampler but the uniform one needs pictures."""
        if self.request.sampler == DEFAULT_SAMPLER:
            return uniform_indices(CLIP_FRAMES, self.request.frames)
        return SAMPLERS[self.request.sampler](self.source.luma(job), self.request.frames)

    def pictures(self, job: Job, indices: Sequence[int]) -> list[bytes]:
        """Return the frames at `indices` as image files."""
        frames = self.source.frames(job, indices, self.request.size)
        return [artifacts.image_bytes(frame, self.request.image) for frame in frames]

    def row(self, job: Job, indices: Sequence[int], **paths: Any) -> dict[str, Any]:
        """Return a clip's line of clips.jsonl: what a model may see. The prompt says whether that is a video."""
        shown = None if self.request.form == "video" else indices
        marks = {"as_domain": self.request.as_domain, "paint_out": list(self.request.paint_out)}
        return {
            "clip_id": job.clip_id,
            **paths,
            "indices": list(indices),
            "times_s": times_s(indices),
            **{name: mark for name, mark in marks.items() if mark},
            "prompt": task_prompt(self.source.operations, shown, self.source.meanings),
        }

    @property
    def partial(self) -> Path:
        """Return the folder for files that are being written."""
        return self.folder / artifacts.PARTIAL

    def _frames(self, job: Job) -> Path:
        return self.folder / "frames" / job.clip_id

    def _video(self, job: Job) -> Path:
        return self.folder / "videos" / f"{job.clip_id}.mp4"

    def _shard(self, number: int) -> Path:
        return self.folder / "shards" / f"{self.request.split}-{number:05d}.tar"


def _frames(writer: Writer, number: int, jobs: list[Job]) -> Iterator[WrittenFile]:
    image, n = writer.request.image, writer.request.frames
    for job in jobs:
        path = writer._frames(job)
        is_new = not artifacts.is_whole_folder(path, n)
        if is_new:
            indices = writer.indices(job)
            names = [artifacts.frame_name(index, image) for index in indices]
            artifacts.write_folder(path, dict(zip(names, writer.pictures(job, indices), strict=True)), writer.partial)
        shown = artifacts.frame_indices(path)
        paths = [f"frames/{job.clip_id}/{artifacts.frame_name(index, image)}" for index in shown]
        yield _one_clip(writer, job, path, writer.row(job, shown, frames=paths), is_new)


def _videos(writer: Writer, number: int, jobs: list[Job]) -> Iterator[WrittenFile]:
    for job in jobs:
        path = writer._video(job)
        is_new = not artifacts.is_whole(path)
        if is_new:
            frames = writer.source.frames(job, range(CLIP_FRAMES), writer.request.size)
            with moved_into_place(writer, path) as scratch:
                encode(scratch, frames, writer.request.size)
        row = writer.row(job, writer.indices(job), video=f"videos/{job.clip_id}.mp4")
        yield _one_clip(writer, job, path, row, is_new)


def _shards(writer: Writer, number: int, jobs: list[Job]) -> Iterator[WrittenFile]:
    path = writer._shard(number)
    is_new = _keys(path) != [job.clip_id for job in jobs]
    if is_new:
        with moved_into_place(writer, path) as scratch:
            shards.write_shard(scratch, (_sample(writer, job) for job in jobs))
    samples = [(sample.key, sample.facts, sample.offset) for sample in shards.read_shard(path)]
    file = _entry(writer, path) | {"samples": len(samples), "offsets": {key: offset for key, _, offset in samples}}
    rows = [{"clip_id": key, "shard": f"shards/{path.name}", **facts} for key, facts, _ in samples]
    yield WrittenFile(rows, [job.truth for job in jobs if job.truth], file, is_new)


def _sample(writer: Writer, job: Job) -> tuple[str, dict[str, bytes]]:
    indices = writer.indices(job)
    facts = writer.row(job, indices)
    return job.clip_id, shards.members_of(facts, writer.pictures(job, indices), writer.request.image, job.truth)


def _keys(path: Path) -> list[str]:
    """Return the clip ids of a whole shard; none where it is missing or damaged, also in padding that readers skip."""
    try:
        keys = [sample.key for sample in shards.read_shard(path)]
        return keys if path.stat().st_size % tarfile.RECORDSIZE == 0 else []
    except ShardError:
        return []


@contextmanager
def moved_into_place(writer: Writer, path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file there becomes `path` when the block ends well."""
    scratch = writer.partial / f"{os.getpid()}-{path.name}"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    yield scratch
    scratch.replace(path)


def _one_clip(writer: Writer, job: Job, path: Path, row: dict[str, Any], is_new: bool) -> WrittenFile:
    return WrittenFile([row], [job.truth] if job.truth else [], _entry(writer, path), is_new)


def _entry(writer: Writer, path: Path) -> dict[str, Any]:
    return {"path": path.relative_to(writer.folder).as_posix(), **artifacts.digest(path)}


FORMS: dict[str, Callable[[Writer, int, list[Job]], Iterator[WrittenFile]]] = {
    "frames": _frames,
    "video": _videos,
    "shards": _shards,
}
