"""Clip map: the clips of a prediction file that names none, by an id that it has or in its order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from reference.outside_files import DEPTH, decode, is_deep, is_utf8, read_bytes

MOST_BYTES = 64 << 20
ClipMap = Mapping[str, str] | Sequence[str]
"""Clips by an id of the file's objects, or in the order of its objects."""

IDS = (
    "clip_id", "custom_id", "key", "recordId", "clip", "video_id", "video", "doc_id", "index", "problem_idx", "idx",
    "question_id", "sample_id", "row_id", "uid", "id",
)  # fmt: skip
"""Names of an id, the surest first; in `doc`, `metadata` and the like they mean the same."""


def read_clip_map(path: str | Path) -> ClipMap:
    """Return a clip map: a JSON object from id to clip_id, or clips in order, as a JSON array or a line each.

    Clips in order are texts, or objects with a clip_id, such as the clips.jsonl of a rendering. Objects of a clip_id
    and one other id are a map by that id. Raises UsageError.
    """
    text = decode(read_bytes(Path(path), UsageError, MOST_BYTES), path, UsageError, mark=True)
    if is_deep(text):
        raise UsageError(f"{path}: not a readable clip map (nested deeper than {DEPTH})")
    try:
        value = _parsed(text)
    except ValueError as error:
        raise UsageError(f"{path}: not a readable clip map ({error})") from None
    if not is_utf8(value):  # an id that it cannot hold is no clip's
        raise UsageError(f"{path}: not a readable clip map (half a surrogate pair)")
    if isinstance(value, dict) and "clip_id" in value:
        value = [value]
    elif isinstance(value, dict) and value and all(isinstance(clip, str) for clip in value.values()):
        return value
    rows = value if isinstance(value, list) else []
    clips: list[Any] = [row.get("clip_id") if isinstance(row, dict) else row for row in rows]
    if not clips or not all(isinstance(clip, str) and clip for clip in clips):
        raise UsageError(
            f"{path}: a clip map is a JSON object from an id to its clip_id, or lists the clips in the order of the "
            "file: texts, or objects with a clip_id, in an array or a line each"
        )
    others = {name for row in value if isinstance(row, dict) for name in row} - {"clip_id"}
    if len(others) == 1 and others <= set(IDS) and all(isinstance(row, dict) and len(row) == 2 for row in value):
        ids = [str(row[name]) for row in value for name in others]
        if len(set(ids)) < len(ids):
            raise UsageError(f"{path}: a clip map with an id twice: {Counter(ids).most_common(1)[0][0]}")
        return dict(zip(ids, clips, strict=True))
    return tuple(clips)


def _parsed(text: str) -> Any:
    """Return the JSON value of a text; where it is none, the list of its lines, each JSON or a bare word."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) < 2 and text.lstrip()[:1] in ("{", "["):
            raise
        bare = not any(line[0] in '{["' for line in lines)
        return lines if bare else [json.loads(line, object_pairs_hook=_without_repeats) for line in lines]


def _without_repeats(members: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [name for name, times in Counter(name for name, _ in members).items() if times > 1]
    if repeated:
        raise ValueError(f"{repeated[0]!r:.60} stands there twice")
    return dict(members)
