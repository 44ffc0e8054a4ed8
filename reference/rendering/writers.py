"""The forms a rendering can take: a folder of frames a clip, a video a clip, or shards of many clips.

A Maker is sent to the workers once; `make` turns a task (the jobs of a few clips, or of one shard) into what stands in
the lists, and makes only what is not there and whole.
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
from reference.task import CLIP_FRAMES, Clip
from reference.video.samplers import SAMPLERS, uniform_indices


class Done(NamedTuple):
    """One file or folder: the lines of its clips for clips.jsonl and truth.jsonl, and its entry in the index."""

    rows: list[dict[str, Any]]
    truths: list[dict[str, Any]]
    file: dict[str, Any]
    fresh: bool  # made now


@dataclass
class Maker:
    folder: Path
    request: Request
    source: Source

    def make(self, number: int, jobs: list[Job]) -> Iterator[Done]:
        for job in jobs:
            if not shards.KEY.fullmatch(job.clip_id):
                raise RenderError(f"clip id {job.clip_id!r} cannot name a file: up to 80 of A-Z a-z 0-9 _ -")
        return FORMS[self.request.form](self, number, jobs)

    def indices(self, job: Job) -> tuple[int, ...]:
        """The sampled frames; only samplers that look need pictures."""
        if self.request.sampler == "uniform":
            return uniform_indices(CLIP_FRAMES, self.request.frames)
        return SAMPLERS[self.request.sampler](self.source.luma(job), self.request.frames)

    def pictures(self, job: Job, indices: Sequence[int]) -> list[bytes]:
        frames = self.source.frames(job, indices, self.request.size)
        return [artifacts.image_bytes(frame, self.request.image) for frame in frames]

    def row(self, job: Job, indices: Sequence[int], **paths: Any) -> dict[str, Any]:
        """What a model may see."""
        asked = self.request
        marks = {"as_domain": asked.as_domain, "paint_out": list(asked.paint_out)}
        return {
            "clip_id": job.clip_id,
            **paths,
            "indices": list(indices),
            "times_s": times_s(indices),
            **{name: mark for name, mark in marks.items() if mark},
            "prompt": task_prompt(self.source.operations, indices),
        }

    @property
    def partial(self) -> Path:
        return self.folder / artifacts.PARTIAL


def _frames(maker: Maker, number: int, jobs: list[Job]) -> Iterator[Done]:
    image, n = maker.request.image, maker.request.frames
    for job in jobs:
        path = maker.folder / "frames" / job.clip_id
        fresh = not artifacts.is_whole_folder(path, n)
        if fresh:
            indices = maker.indices(job)
            names = [artifacts.frame_name(index, image) for index in indices]
            artifacts.write_folder(path, dict(zip(names, maker.pictures(job, indices), strict=True)), maker.partial)
        shown = artifacts.frame_indices(path)
        paths = [f"frames/{job.clip_id}/{artifacts.frame_name(index, image)}" for index in shown]
        yield _done(maker, job, path, maker.row(job, shown, frames=paths), fresh)


def _videos(maker: Maker, number: int, jobs: list[Job]) -> Iterator[Done]:
    from reference.video.encode import encode

    for job in jobs:
        path = maker.folder / "videos" / f"{job.clip_id}.mp4"
        fresh = not artifacts.is_whole(path)
        if fresh:
            frames = maker.source.frames(job, range(CLIP_FRAMES), maker.request.size)
            with _placed(maker, path) as scratch:
                encode(scratch, frames, maker.request.size)
        row = maker.row(job, maker.indices(job), video=f"videos/{job.clip_id}.mp4")
        yield _done(maker, job, path, row, fresh)


def _shards(maker: Maker, number: int, jobs: list[Job]) -> Iterator[Done]:
    path = maker.folder / "shards" / f"{maker.request.split}-{number:05d}.tar"
    fresh = _keys(path) != [job.clip_id for job in jobs]
    if fresh:
        with _placed(maker, path) as scratch:
            shards.write_shard(scratch, (_sample(maker, job) for job in jobs))
    samples = [(sample.key, sample.facts, sample.offset) for sample in shards.read_shard(path)]
    file = _entry(maker, path) | {"samples": len(samples), "offsets": {key: offset for key, _, offset in samples}}
    rows = [{"clip_id": key, "shard": f"shards/{path.name}", **facts} for key, facts, _ in samples]
    yield Done(rows, [truth_row(job.truth) for job in jobs if job.truth], file, fresh)


def _sample(maker: Maker, job: Job) -> tuple[str, dict[str, bytes]]:
    indices = maker.indices(job)
    truth = truth_row(job.truth) if job.truth else None
    facts = maker.row(job, indices)
    return job.clip_id, shards.members_of(facts, maker.pictures(job, indices), maker.request.image, truth)


def _keys(path: Path) -> list[str]:
    """Of a shard as we write them: also its padding is there, which readers do not look at."""
    try:
        keys = [sample.key for sample in shards.read_shard(path)]
        return keys if path.stat().st_size % tarfile.RECORDSIZE == 0 else []
    except ShardError:
        return []


@contextmanager
def _placed(maker: Maker, path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` when the block ends well."""
    scratch = maker.partial / f"{os.getpid()}-{path.name}"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    yield scratch
    scratch.replace(path)


def _done(maker: Maker, job: Job, path: Path, row: dict[str, Any], fresh: bool) -> Done:
    return Done([row], [truth_row(job.truth)] if job.truth else [], _entry(maker, path), fresh)


def _entry(maker: Maker, path: Path) -> dict[str, Any]:
    return {"path": path.relative_to(maker.folder).as_posix(), **artifacts.digest(path)}


FORMS: dict[str, Callable[[Maker, int, list[Job]], Iterator[Done]]] = {
    "frames": _frames, "video": _videos, "shards": _shards,
}  # fmt: skip


def truth_row(clip: Clip) -> dict[str, Any]:
    """A clip's truth as training code wants it."""
    return {
        "clip_id": clip.clip_id,
        "session": clip.session,
        "clip_index": clip.clip_index,
        "start_ms": clip.start_ms,
        "dominant_operation": clip.dominant_operation,
        "temporal_segment": clip.temporal_segment._asdict(),
        "next_operation": clip.next_operation,
        "previous_operation": clip.previous_operation,
        "next_operations": list(clip.next_operations),
        "domain": clip.domain,
        "randomised": clip.randomised,
    }
