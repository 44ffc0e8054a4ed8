"""Lists of a rendering, as anybody may have written them: what each line and member may say, in one table a kind.

`clips.jsonl` says what a model may see of a clip, `truth.jsonl` its answers, `render.json` what was requested and
`index.json` where samples begin. All are checked when they are read, line by line; faults are RenderErrors with file
and line, those of a shard's members ShardErrors with file and member. Keys that are not named here are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from reference import shapes
from reference.errors import HarnessError, RenderError, ShardError
from reference.outside_files import JSON_BYTES, decode, parse_json, read_json
from reference.rendering.artifacts import SIDES
from reference.rendering.prompt import times_s
from reference.rendering.shards import Sample
from reference.shard import TEXT as SHARD
from reference.task import CLIP_FRAMES
from reference.truth.sealed import CLIPS, INDEX, RENDERING

TRUTH = "truth.jsonl"
PATHS = ("shard", "video", "frames")
"""Fields that name a clip's files; a shard goes before a video, and both before frames."""
TIME = 0.005
"""Seconds by which a time may be off its frame index."""

_CLIP_ID = shapes.CLIP_ID
_PATH = shapes.text(400, r"[^\x00-\x1f\x7f]+", "a path within the folder")
_LABEL = shapes.text(1000)
_INDEX = shapes.integer(0, CLIP_FRAMES - 1)
_FACTS = {
    "indices": shapes.array(_INDEX, 1, CLIP_FRAMES),
    "times_s": shapes.array(shapes.number(0, 10), 1, CLIP_FRAMES),
    "prompt": shapes.text(100_000),
}
_MARKS = {
    "as_domain": shapes.optional(shapes.text()),
    "paint_out": shapes.optional(shapes.array(shapes.text())),
}
_FILES = {"frames": shapes.array(_PATH, 1, CLIP_FRAMES), "video": _PATH, "shard": _PATH}
_ROW = shapes.table({"clip_id": _CLIP_ID, **_FACTS}, {**_MARKS, **_FILES}, others=True)
_MEMBER = shapes.table(_FACTS, {"clip_id": _CLIP_ID, **_MARKS}, others=True)
_ANSWERS = {
    "dominant_operation": _LABEL,
    "temporal_segment": shapes.table(
        {"start_frame": shapes.integer(0, CLIP_FRAMES - 1), "end_frame": shapes.integer(1, CLIP_FRAMES)}
    ),
    "next_operation": _LABEL,
}
_CONTEXT = {
    "next_operations": shapes.array(_LABEL, 0, 1000),
    "previous_operation": shapes.optional(_LABEL),
    "randomised": shapes.optional(shapes.boolean),
}
_TRUTH = shapes.table({"clip_id": _CLIP_ID, **_ANSWERS}, _CONTEXT, others=True)
_REQUEST = {
    "world": shapes.text(),
    "split": shapes.text(),
    "form": shapes.text(),
    "frames": shapes.integer(1, CLIP_FRAMES),
    "sampler": shapes.text(),
    "size": shapes.integer(*SIDES),
    "image": shapes.text(),
}
_OPTIONAL = {
    **_MARKS,
    "domains": shapes.optional(shapes.array(shapes.text())),
    "limit": shapes.optional(shapes.integer(1)),
    "video": shapes.optional(shapes.one_or_more(shapes.text())),
    "video_start_ms": shapes.optional(shapes.one_or_more(shapes.integer(-(1 << 63)))),
    "session": shapes.optional(shapes.one_or_more(shapes.text())),
    "clips": shapes.optional(shapes.text()),
    "shard": shapes.optional(shapes.text(20, SHARD.pattern, "a number and how many, such as 3/8")),
}
_DESCRIPTION = shapes.table(
    {"request": shapes.table(_REQUEST, _OPTIONAL, others=True), "world_digest": shapes.text()},
    {"code": shapes.optional(shapes.text())},
    others=True,
)
_SHARDS = shapes.table(
    {
        "files": shapes.array(
            shapes.table({"path": _PATH, "offsets": shapes.mapping(_CLIP_ID, shapes.integer(0, 1 << 50))}, others=True)
        )
    },
    others=True,
)


class Promise(NamedTuple):
    """Pictures that a rendering says it holds: how many of a clip, and the side of each in pixels."""

    frames: int
    side: int


def read_description(folder: Path) -> dict[str, Any]:
    """Return render.json: the request and the world's digest, checked. Raises RenderError."""
    path = folder / RENDERING
    return shapes.check(read_json(path, RenderError, JSON_BYTES), _DESCRIPTION, str(path), RenderError)


def promised(folder: Path) -> Promise | None:
    """Return what the rendering in a folder promises; None where it has no render.json."""
    if not (folder / RENDERING).exists():
        return None
    request = read_description(folder)["request"]
    return Promise(request["frames"], request["size"])


def check_row(row: Any, place: str, promise: Promise | None) -> dict[str, Any]:
    """Return a line of clips.jsonl. Raises RenderError, which begins with its place."""
    shapes.check(row, _ROW, place, RenderError)
    if not any(key in row for key in PATHS):
        raise RenderError(f"{place}: names no files, expected one of {', '.join(PATHS)}")
    _check_facts(row, place, promise, RenderError)
    frames = row.get("frames", row["indices"])
    if len(frames) != len(row["indices"]):
        raise RenderError(f"{place}: frames has {len(frames)} values, indices {len(row['indices'])}")
    if len(set(frames)) < len(frames):
        raise RenderError(f"{place}: frames names a file twice")
    return row


def _check_facts(facts: Mapping[str, Any], place: str, promise: Promise | None, error: type[HarnessError]) -> None:
    """Raise `error` where indices do not rise, times are not theirs, or there are not as many as promised."""
    indices, times = facts["indices"], facts["times_s"]
    if any(after <= before for before, after in pairwise(indices)):
        raise error(f"{place}: indices do not rise")
    if len(times) != len(indices):
        raise error(f"{place}: times_s has {len(times)} values, indices {len(indices)}")
    for k, (there, here) in enumerate(zip(times, times_s(indices), strict=True)):
        if abs(there - here) > TIME:
            raise error(f"{place}: times_s[{k}] is {there}, the frame with index {indices[k]} is at {here}")
    if promise is not None and len(indices) != promise.frames:
        raise error(f"{place}: has {len(indices)} frames, {RENDERING} says {promise.frames}")


def check_sample(path: Path, sample: Sample, promise: Promise | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what a shard says of a clip, without paths, and its truth if it has one. Raises ShardError."""
    facts = _member(path, sample, "json", _MEMBER)
    if facts.get("clip_id", sample.key) != sample.key:
        raise ShardError(f"{path}: member {sample.key}.json calls its clip {shapes.shown(facts['clip_id'])}")
    _check_facts(facts, f"{path}: member {sample.key}.json", promise, ShardError)
    numbers = sorted(field[:2] for field in sample.members if field[0].isdigit())
    if numbers != [f"{k:02d}" for k in range(len(facts["indices"]))]:
        raise ShardError(
            f"{path}: clip {sample.key} has the pictures {', '.join(numbers) or 'none'}, its json "
            f"{len(facts['indices'])} indices"
        )
    if "truth.json" not in sample.members:
        return facts, None
    truth = _member(path, sample, "truth.json", shapes.table(_ANSWERS, {"clip_id": _CLIP_ID, **_CONTEXT}, others=True))
    if truth.get("clip_id", sample.key) != sample.key:
        raise ShardError(f"{path}: member {sample.key}.truth.json calls its clip {shapes.shown(truth['clip_id'])}")
    _check_segment(truth, f"{path}: member {sample.key}.truth.json", ShardError)
    return facts, truth


def _member(path: Path, sample: Sample, field: str, shape: shapes.Shape) -> dict[str, Any]:
    place = f"{path}: member {sample.key}.{field}"
    if field not in sample.members:
        raise ShardError(f"{place} is missing")
    content = decode(sample.members[field], place, ShardError)
    return shapes.check(parse_json(content, place, ShardError), shape, place, ShardError)


def truth_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of truth.jsonl. Raises RenderError with file and line, also for a clip twice."""
    yield from (row for _, _, row in shapes.clip_rows(folder / TRUTH, _check_truth, RenderError))


def _check_truth(row: Any, place: str) -> dict[str, Any]:
    shapes.check(row, _TRUTH, place, RenderError)
    _check_segment(row, place, RenderError)
    return row


def _check_segment(row: Mapping[str, Any], place: str, error: type[HarnessError]) -> None:
    start, end = (row["temporal_segment"][key] for key in ("start_frame", "end_frame"))
    if start >= end:
        raise error(f"{place}: temporal_segment [{start}, {end}) is empty")


def shard_offsets(folder: Path) -> dict[str, dict[str, int]]:
    """Return shard -> clip id -> byte at which its sample begins. Raises RenderError for a damaged index."""
    path = folder / INDEX
    try:
        index = shapes.check(read_json(path, RenderError, JSON_BYTES), _SHARDS, str(path), RenderError)
    except RenderError as error:
        raise RenderError(f"{path}: not the index of a rendering ({_reason(error, path)})") from None
    return {file["path"]: file["offsets"] for file in index["files"]}


def _reason(error: RenderError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def path_inside(folder: Path, name: str, place: str = CLIPS) -> Path:
    """Return the path of a file that a list names. Raises RenderError where it leads out, and for a pipe or device."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        is_other = path.exists() and not path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name too long; a circle of links
        inside = False
    if not inside:
        raise RenderError(f"{folder / place}: {name!r} leads out of the folder")
    if is_other:
        raise RenderError(f"{folder / place}: {name!r} is not a regular file")
    return path
