"""Imported worlds: OpenPack annotations, or truth that `harness world export` (or anyone) wrote.

The imported files are stored unchanged under HARNESS_HOME/worlds/NAME beside `world.json`; truth databases are derived
from them like from a world file. An imported world has one split, `test`, no process and so no ceiling: floors and
transitions are fitted on the other sessions, session by session; with a single session on itself, which is marked
`in_sample`. Its key is the SHA-256 of the imported files.

Truth files are JSON Lines, CSV or Parquet, one row a clip: `clip_id`, `dominant_operation`, `temporal_segment` (or
`start_frame` and `end_frame`), `next_operation`, and where known `session`, `clip_index`, `start_ms`,
`previous_operation`, `next_operations`, `cut_kind`, `domain`, `worker`. Without `session` each clip is a session of its
own; without `clip_index` a session's clips stand in time order. Facts of a process (ceiling, script) are ignored.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.files import TEMPORARY, sha256, sweep, write_json
from reference.process.cutter import DEFAULT_PLAN, session_clips
from reference.process.priors import fit, fit_leave_one_out
from reference.process.world import world_names
from reference.resources import sql
from reference.task import CLIP_FRAMES, DEFAULT_SPLIT, OPERATIONS, Clip, Segment, normalise_label
from reference.truth import openpack
from reference.truth.origin import Content, Origin

FORMAT = 1
SPLIT = DEFAULT_SPLIT
DESCRIPTION = "world.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
REQUIRED = ("clip_id", "dominant_operation", "start_frame", "end_frame", "next_operation")
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
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return Origin(
        name=name,
        digest=sha256(json.dumps(description, sort_keys=True).encode()),
        public=False,
        splits=(SPLIT,),
        content=lambda _: _content(folder, description),
    )


def import_world(
    files: Sequence[Path],
    home: Path,
    *,
    name: str | None = None,
    operation_map: str | None = None,
    replace: bool = False,
) -> ImportSummary:
    """Store the files as world `name` (by default the first file's name).

    `operation_map` turns OpenPack ids into labels: `openpack` (the default), `identity`, or the path of a TOML file.
    Raises WorldError with file and line where a file is unusable, and for a name that is taken unless `replace`.
    """
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", files[0].stem).strip("-.") or "imported"
    if not NAME.fullmatch(name) or name in world_names():
        raise WorldError(
            f"{name!r} cannot name an imported world: letters, digits, '.', '_' and '-', and no shipped name"
        )
    target = home / "worlds" / name
    if target.exists() and not replace:
        raise WorldError(f"there is an imported world {name!r} already; --replace replaces it")
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    scratch = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target.parent))
    try:
        description = _describe(files, scratch, name, operation_map)
        content = _content(scratch, description)
        clips = list(content.clips)
        write_json(scratch / DESCRIPTION, description, sort_keys=True)
        scratch.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return ImportSummary(name, len(clips), len({clip.session for clip in clips}), _notes(clips, content))


def _describe(files: Sequence[Path], folder: Path, name: str, operation_map: str | None) -> dict[str, Any]:
    """Copy the files and return their description; all that the truth depends on is in it."""
    kept = []
    for place, file in enumerate(files):
        try:
            content = file.read_bytes()
        except OSError as error:
            raise WorldError(f"{file}: {error.strerror}") from None
        stored = f"{place:03d}-{re.sub(r'[^A-Za-z0-9._-]', '_', file.name)[-80:]}"
        (folder / stored).write_bytes(content)
        kept.append({"file": stored, "name": file.name, "sha256": sha256(content)})
    if not _is_openpack(folder / kept[0]["file"]):
        if operation_map:
            raise WorldError("--map belongs to OpenPack annotations; these files hold truth with labels of its own")
        return {"format": FORMAT, "name": name, "kind": "truth", "files": kept}
    return {"format": FORMAT, "name": name, "kind": "openpack", "files": kept, "map": _stored_map(operation_map)}


def _is_openpack(path: Path) -> bool:
    if path.suffix != ".csv":
        return False
    with path.open("rb") as file:
        header = set(file.readline().decode("utf-8-sig", "replace").strip().split(","))
    return any({*openpack.COMMON_COLUMNS, *needed} <= header for needed in openpack.LAYOUTS)


def _stored_map(name_or_path: str | None) -> dict[str, str | None]:
    """Return a map's text for the description, so that a map edited later does not change this world's truth."""
    operation_map = openpack.load_map(name_or_path or openpack.DEFAULT_MAP)
    return {"name": Path(operation_map.name).name, "toml": openpack.map_text(operation_map.name)}


def _operation_map(kept: Mapping[str, str | None]) -> openpack.OperationMap:
    if kept["toml"] is None:
        return openpack.load_map(openpack.IDENTITY)
    return openpack.parse_map(kept["toml"].encode(), str(kept["name"]))


def _content(folder: Path, description: Mapping[str, Any]) -> Content:
    paths = {folder / kept["file"]: kept["name"] for kept in description["files"]}
    for path, kept in zip(paths, description["files"], strict=True):
        if sha256(path) != kept["sha256"]:
            raise WorldError(f"{path}: is not the file that was imported")
    starts: dict[str, int] = {}
    if description["kind"] == "openpack":
        annotated = _annotated_sessions(paths, description)
        starts = {name: session.start_ms for name, session in annotated.items()}
        clips = _cut_annotations(annotated, description)
        operations = openpack.label_order(_operation_map(description["map"]), annotated)
    else:
        clips = _read_truth(paths)
        operations = _operations(clips)
    if not clips:
        raise WorldError(f"{', '.join(paths.values())}: gives no clip (a clip needs 5 s and a known next operation)")
    sessions: dict[str, int] = {}
    numbers = [sessions.setdefault(clip.session, len(sessions)) for clip in clips]
    alone = len(sessions) == 1
    fits = [fit(clips, operations)] if alone else fit_leave_one_out(clips, numbers, operations)
    return Content(operations, clips, len(clips), fits, in_sample=alone, starts=starts)


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


def _operations(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the labels: the canonical ten where they suffice, else those that occur, canonical ones first."""
    used = {
        label for clip in clips for label in (clip.dominant_operation, clip.previous_operation, *clip.next_operations)
    }
    others = sorted(label for label in used if label is not None and label not in OPERATIONS)
    labels = OPERATIONS if not others else (*(label for label in OPERATIONS if label in used), *others)
    if len(labels) > MAX_LABELS:
        raise WorldError(f"{len(labels)} different operations, at most {MAX_LABELS} are supported")
    return labels


def _read_truth(paths: Mapping[Path, str]) -> list[Clip]:
    """Return the clips of all files, sessions together, in time order. Raises WorldError with file and line."""
    clips: dict[str, tuple[Clip, str]] = {}
    seen: dict[str, int] = {}
    for path, name in paths.items():
        for line, row in _rows(path, name):
            place = f"{name}:{line}"
            session = str(row.get("session") or row.get("clip_id"))
            clip = _clip(row, place, session, seen.get(session, 0))
            seen[session] = seen.get(session, 0) + 1
            if clip.clip_id in clips:
                raise WorldError(f"{place}: clip_id {clip.clip_id!r} was already read from {clips[clip.clip_id][1]}")
            clips[clip.clip_id] = clip, place
    found = [clip for clip, _ in clips.values()]
    order = {session: place for place, session in enumerate(seen)}
    found.sort(key=lambda clip: (order[clip.session], clip.clip_index))
    indices = [(clip.session, clip.clip_index) for clip in found]
    if len(set(indices)) != len(indices):
        raise WorldError(f"{next(iter(paths.values()))}: two clips of a session have the same clip_index")
    return found


def _rows(path: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = {".jsonl": _json_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}.get(Path(name).suffix)
    if reader is None:
        raise WorldError(f"{name}: expected a .jsonl, .csv or .parquet file of truth, or OpenPack annotations (.csv)")
    for line, row in reader(path, name):
        yield line, _flat(row)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the segment in two fields; a `temporal_segment` that is no object counts as missing."""
    segment = row.get("temporal_segment")
    return {**row, **(segment if isinstance(segment, dict) else {})}


def _json_rows(path: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            raise WorldError(f"{name}:{line}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise WorldError(f"{name}:{line}: expected an object")
        yield line, row


def _csv_rows(path: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            cells: dict[str, Any] = {key: value for key, value in row.items() if key and value not in ("", None)}
            for key in ("start_frame", "end_frame", "clip_index", "start_ms"):
                if re.fullmatch(r"-?[0-9]{1,15}", cells.get(key, "")):
                    cells[key] = int(cells[key])
            if "next_operations" in cells:
                cells["next_operations"] = cells["next_operations"].split("|")
            yield line, cells


def _parquet_rows(path: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            rows = connection.execute(sql(__package__, "parquet_rows"), {"path": str(path)})
            columns = [column[0] for column in rows.description]
            for line, row in enumerate(rows.fetchall(), 1):
                yield line, {key: value for key, value in zip(columns, row, strict=True) if value is not None}
    except duckdb.Error as error:
        raise WorldError(f"{name}: not a readable Parquet file ({str(error).splitlines()[0]})") from None


def _clip(row: Mapping[str, Any], place: str, session: str, index: int) -> Clip:
    missing = [key for key in REQUIRED if row.get(key) is None]
    if missing:
        raise WorldError(f"{place}: {', '.join(missing)} missing")
    start, end = (_integer(row, key, place) for key in ("start_frame", "end_frame"))
    if not 0 <= start < end <= CLIP_FRAMES:
        raise WorldError(f"{place}: segment [{start}, {end}) does not lie in a clip of {CLIP_FRAMES} frames")
    following = tuple(_label(label, place) for label in row.get("next_operations") or [row["next_operation"]])
    operation, first = _label(row["dominant_operation"], place), _label(row["next_operation"], place)
    if following[0] != first or operation == first:
        raise WorldError(
            f"{place}: next_operation {first!r} must be the first of next_operations, and not the dominant one"
        )
    before = row.get("previous_operation")
    return Clip(
        clip_id=str(row["clip_id"]),
        session=session,
        clip_index=_integer(row, "clip_index", place, default=index),
        start_ms=_integer(row, "start_ms", place, default=0),
        dominant_operation=operation,
        temporal_segment=Segment(start, end),
        next_operation=first,
        previous_operation=None if before is None else _label(before, place),
        next_operations=following[:3],
        cut_kind=str(row.get("cut_kind", "mid")),
        domain=row.get("domain"),
        worker=row.get("worker"),
    )


def _integer(row: Mapping[str, Any], key: str, place: str, default: int | None = None) -> int:
    value = row.get(key, default)
    if type(value) is not int:
        raise WorldError(f"{place}: {key} is {value!r}, expected an integer")
    return value


def _label(text: Any, place: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise WorldError(f"{place}: {text!r} is no operation")
    known = {normalise_label(label): label for label in OPERATIONS}
    return known.get(normalise_label(text), text.strip())


def _notes(clips: Sequence[Clip], content: Content) -> tuple[str, ...]:
    sessions = len({clip.session for clip in clips})
    notes = []
    if sessions == len(clips) > 1:
        notes.append("no session column: each clip is a session of its own, so intervals assume independent clips")
    if content.in_sample:
        notes.append(
            "one session only: floors and transitions are fitted on it (in_sample), intervals are not supported"
        )
    elif sessions < 10:
        notes.append(f"only {sessions} sessions: intervals are wide or not supported")
    return tuple(notes)
