"""Imported worlds: OpenPack annotations, or truth that `harness world export` (or anyone) wrote.

The imported files are stored unchanged under HARNESS_HOME/worlds/NAME beside `world.json`; truth databases are derived
from them like from a world file. An imported world has one split, `test`, no process and so no ceiling: floors and
transitions are fitted on the other sessions, session by session; with a single session on itself, which is marked
`in_sample`. Its key is the SHA-256 of the imported files.

Truth files hold one row a clip: `clip_id`, `dominant_operation`, `temporal_segment` (or `start_frame` and `end_frame`),
`next_operation`, and where known `session`, `clip_index`, `start_ms`, `previous_operation`, `next_operations`,
`cut_kind`, `domain`, `worker`. truth_files.py reads the rows, truth_clips.py makes the clips. Facts of a process
(ceiling, script) are ignored.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.files import TEMPORARY, sha256, sweep, write_json
from reference.process.cutter import DEFAULT_PLAN, session_clips
from reference.process.priors import fit, fit_leave_one_out
from reference.process.world import world_names
from reference.task import DEFAULT_SPLIT, OPERATIONS, Clip
from reference.truth import openpack
from reference.truth.origin import Content, Origin
from reference.truth.sealed import registered_seal
from reference.truth.truth_clips import read_truth
from reference.truth.truth_files import MAX_BYTES

FORMAT = 1
SPLIT = DEFAULT_SPLIT
DESCRIPTION = "world.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCALED = re.compile(rf"({'|'.join(map(re.escape, world_names()))})(-x[0-9]+)+", re.IGNORECASE)
MAX_LABELS = 254  # codes above stand for "other label" and "no answer"


@dataclass(frozen=True)
class ImportSummary:
    """Outcome of an import: the name to score against, the sizes, and notes for the user."""

    name: str
    clips: int
    sessions: int
    notes: tuple[str, ...]


def imported_names(home: Path) -> list[str]:
    """Return the names of the worlds that were imported on this machine, sorted."""
    return sorted(path.parent.name for path in (home / "worlds").glob(f"*/{DESCRIPTION}"))


def imported_origin(name: str, home: Path) -> Origin | None:
    """Return the imported world of that name, or None."""
    folder = home / "worlds" / name
    if not NAME.fullmatch(name) or not (folder / DESCRIPTION).is_file():
        return None
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise WorldError(f"{folder / DESCRIPTION}: not readable; import {name} again") from None
    return Origin(
        name=name,
        digest=sha256(json.dumps(description, sort_keys=True).encode()),
        public=False,
        splits=(SPLIT,),
        content=lambda _: _content(folder, description)[0],
        converted="fps" in description or "clip_frames" in description,
    )


def import_world(
    files: Sequence[Path],
    home: Path,
    *,
    name: str | None = None,
    operation_map: str | None = None,
    replace: bool = False,
    fps: float | None = None,
    clip_frames: int | None = None,
) -> ImportSummary:
    """Store the files as world `name` (by default the first file's name).

    `operation_map` turns OpenPack ids into labels: `openpack` (the default), `identity`, or the path of a TOML file.
    `fps` and `clip_frames` say how files of truth count frames, where that is not 125 frames a clip at 25 fps. Raises
    WorldError with file and line where a file is unusable, and for a name that is taken unless `replace`.
    """
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", files[0].stem).strip("-.") or "imported"
    if not NAME.fullmatch(name) or name in world_names() or _SCALED.fullmatch(name):
        raise WorldError(
            f"{name!r} cannot name an imported world: letters, digits, '.', '_' and '-', and no shipped name, "
            "also with -xN behind it; --name chooses another"
        )
    if registered_seal(name, home) is not None:
        raise WorldError(f"{name!r} is the name of a sealed split on this machine; --name chooses another")
    target = home / "worlds" / name
    if target.exists() and not replace:
        raise WorldError(f"there is an imported world {name!r} already; --replace replaces it")
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    scratch = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target.parent))
    try:
        description = _describe(files, scratch, name, operation_map, fps, clip_frames)
        content, notes = _content(scratch, description)
        clips = list(content.clips)
        write_json(scratch / DESCRIPTION, description, sort_keys=True)
        scratch.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sessions = len({clip.session for clip in clips})
    return ImportSummary(name, len(clips), sessions, (*notes, *_notes(content, sessions)))


def _describe(
    files: Sequence[Path],
    folder: Path,
    name: str,
    operation_map: str | None,
    fps: float | None,
    clip_frames: int | None,
) -> dict[str, Any]:
    """Copy the files and return their description; all that the truth depends on is in it."""
    kept = []
    for place, file in enumerate(files):
        if file.exists() and not file.is_file() and not file.is_dir():
            raise WorldError(f"{file}: is no regular file")
        try:
            if file.stat().st_size > MAX_BYTES:
                raise WorldError(f"{file}: has {file.stat().st_size:,} bytes, at most {MAX_BYTES:,} are read")
            content = file.read_bytes()
        except OSError as error:
            raise WorldError(f"{file}: {error.strerror}") from None
        stored = f"{place:03d}-{re.sub(r'[^A-Za-z0-9._-]', '_', file.name)[-80:]}"
        (folder / stored).write_bytes(content)
        kept.append({"file": stored, "name": file.name, "sha256": sha256(content)})
    annotated = [file["name"] for file in kept if openpack.is_annotation_file(folder / file["file"])]
    if annotated and len(annotated) < len(kept):
        other = next(file["name"] for file in kept if file["name"] not in annotated)
        raise WorldError(f"{annotated[0]} holds OpenPack annotations and {other} does not: import them apart")
    rate = {key: value for key, value in (("fps", fps), ("clip_frames", clip_frames)) if value is not None}
    if annotated and rate:
        raise WorldError("--fps and --clip-frames belong to truth in frames; OpenPack annotations count milliseconds")
    if annotated:
        return {"format": FORMAT, "name": name, "kind": "openpack", "files": kept, "map": _stored_map(operation_map)}
    if operation_map:
        raise WorldError("--map belongs to OpenPack annotations; these files hold truth with labels of its own")
    return {"format": FORMAT, "name": name, "kind": "truth", "files": kept, **rate}


def _stored_map(name_or_path: str | None) -> dict[str, str | None]:
    """Return a map's text for the description, so that a map edited later does not change this world's truth."""
    operation_map = openpack.load_map(name_or_path or openpack.DEFAULT_MAP)
    return {"name": Path(operation_map.name).name, "toml": openpack.map_text(operation_map.name)}


def _operation_map(kept: Mapping[str, str | None]) -> openpack.OperationMap:
    if kept["toml"] is None:
        return openpack.load_map(openpack.IDENTITY)
    return openpack.parse_map(kept["toml"].encode(), str(kept["name"]))


def _content(folder: Path, description: Mapping[str, Any]) -> tuple[Content, tuple[str, ...]]:
    """Return the truth of an import, and notes of its reader for the user."""
    paths = {folder / kept["file"]: kept["name"] for kept in description["files"]}
    for path, kept in zip(paths, description["files"], strict=True):
        if sha256(path) != kept["sha256"]:
            raise WorldError(f"{path}: is not the file that was imported")
    starts: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    if description["kind"] == "openpack":
        annotated = _annotated_sessions(paths, description)
        starts = {name: session.start_ms for name, session in annotated.items()}
        clips = _cut_annotations(annotated, description)
        operations = openpack.label_order(_operation_map(description["map"]), annotated)
    else:
        read = read_truth(paths, description.get("fps"), description.get("clip_frames"))
        clips, notes = read.clips, read.notes
        operations = _operations(clips, ", ".join(paths.values()))
    if not clips:
        raise WorldError(f"{', '.join(paths.values())}: gives no clip (a clip needs 5 s and a known next operation)")
    sessions: dict[str, int] = {}
    numbers = [sessions.setdefault(clip.session, len(sessions)) for clip in clips]
    alone = len(sessions) == 1
    fits = [fit(clips, operations)] if alone else fit_leave_one_out(clips, numbers, operations)
    return Content(operations, clips, len(clips), fits, in_sample=alone, starts=starts), notes


def _annotated_sessions(paths: Mapping[Path, str], description: Mapping[str, Any]) -> dict[str, openpack.Session]:
    try:
        return openpack.read_sessions(paths, _operation_map(description["map"]))
    except WorldError as error:
        raise WorldError(_restore_names(str(error), paths)) from None


def _cut_annotations(sessions: Mapping[str, openpack.Session], description: Mapping[str, Any]) -> list[Clip]:
    """Return the clips of all sessions; the world key is the SHA-256 of the files' SHA-256, joined."""
    key = bytes.fromhex(sha256("".join(kept["sha256"] for kept in description["files"]).encode()))
    return [clip for name, session in sessions.items() for clip in session_clips(name, session.runs, DEFAULT_PLAN, key)]


def _restore_names(message: str, paths: Mapping[Path, str]) -> str:
    """Return a message with the files named as the user named them, not as they are stored."""
    for path, name in paths.items():
        message = message.replace(str(path), name)
    return message


def _operations(clips: Sequence[Clip], names: str) -> tuple[str, ...]:
    """Return the labels: the canonical ten where they suffice, else those that occur, canonical ones first."""
    used = {
        label for clip in clips for label in (clip.dominant_operation, clip.previous_operation, *clip.next_operations)
    }
    others = sorted(label for label in used if label is not None and label not in OPERATIONS)
    labels = OPERATIONS if not others else (*(label for label in OPERATIONS if label in used), *others)
    if len(labels) > MAX_LABELS:
        raise WorldError(f"{names}: {len(labels)} different operations, at most {MAX_LABELS} are supported")
    return labels


def _notes(content: Content, sessions: int) -> list[str]:
    if content.in_sample:
        return ["one session only: floors and transitions are fitted on it (in_sample), intervals are not supported"]
    return [f"only {sessions} sessions: intervals are wide or not supported"] if sessions < 10 else []
