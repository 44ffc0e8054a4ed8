"""Imported worlds: OpenPack annotations, or truth that `harness world export` (or anyone) wrote.

The imported files are stored unchanged under HARNESS_HOME/worlds/NAME beside `world.json`; truth databases are derived
from them like from a world file. An imported world has no process and so no ceiling. Its key is the SHA-256 of the
imported files.

Whole sessions may be put into the splits `train` and `validation`; the others are `test`, by default all. With a train
split, floors and transitions of the other splits are fitted on it, as in synthetic worlds. Without one, and for train
itself, they are fitted on the other sessions of the split, session by session; with a single session on itself, which
is marked `in_sample`.

Truth files hold one row a clip: `clip_id`, `dominant_operation`, `temporal_segment` (or `start_frame` and `end_frame`),
`next_operation`, and where known `session`, `clip_index`, `start_ms`, `previous_operation`, `next_operations`,
`cut_kind`, `domain`, `worker`. truth_files.py reads the rows, truth_clips.py makes the clips. Facts of a process
(ceiling, script) are ignored.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.files import locked, scratch, sha256, write_json
from reference.outside_files import JSON_BYTES, read_bytes, read_object
from reference.process.cutter import DEFAULT_PLAN, session_clips
from reference.process.priors import Fit, fit, fit_leave_one_out
from reference.process.world import world_names
from reference.task import DEFAULT_SPLIT, OPEN_SPLITS, OPERATIONS, Clip, saturation_note
from reference.truth import openpack
from reference.truth.origin import Content, Origin
from reference.truth.sealed import registered_seal
from reference.truth.truth_clips import read_truth
from reference.truth.truth_files import MAX_BYTES

FORMAT = 1
SPLITS = (*OPEN_SPLITS, DEFAULT_SPLIT)
DESCRIPTION = "world.json"
ASIDE = ".replaced-"
"""Begins the name of the folder that holds a world while its replacement takes its place."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCALED = re.compile(rf"({'|'.join(map(re.escape, world_names()))})(-x[0-9]+)+", re.IGNORECASE)
_FILE_KEYS = ("file", "name", "sha256")  # of a stored file in a description
MAX_LABELS = 254  # codes above stand for "other label" and "no answer"


@dataclass(frozen=True)
class ImportSummary:
    """Outcome of an import: the name to score against, the sizes, and notes for the user.

    `splits` maps each split to its numbers of clips and sessions.
    """

    name: str
    clips: int
    sessions: int
    notes: tuple[str, ...]
    splits: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class _Read:
    """All that the files of an import say."""

    clips: Sequence[Clip]
    operations: Sequence[str]
    starts: Mapping[str, int]
    meanings: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def sessions(self) -> list[str]:
        """Return the names of the sessions, in order."""
        return list(dict.fromkeys(clip.session for clip in self.clips))


def imported_names(home: Path) -> list[str]:
    """Return the names of the worlds that were imported on this machine, sorted.

    Worlds whose replacement was killed get their names back first.
    """
    recover_worlds(home)
    found = (home / "worlds").glob(f"*/{DESCRIPTION}")
    return sorted(path.parent.name for path in found if NAME.fullmatch(path.parent.name))


def imported_origin(name: str, home: Path) -> Origin | None:
    """Return the imported world of that name, or None. Raises WorldError where its description is damaged."""
    folder = home / "worlds" / name
    if not NAME.fullmatch(name):
        return None
    if not folder.exists():
        recover_worlds(home)
    if not (folder / DESCRIPTION).is_file():
        return None
    description: dict[str, Any] = {}
    with contextlib.suppress(WorldError):
        description = read_object(folder / DESCRIPTION, WorldError, JSON_BYTES)
    if not _is_description(description):
        raise WorldError(f"{folder / DESCRIPTION}: not readable; import {name} again")
    return Origin(
        name=name,
        digest=sha256(json.dumps(description, sort_keys=True).encode()),
        public=False,
        splits=tuple(split for split in SPLITS if split in _splits(description)),
        content=lambda split: _content(_read(folder, description), description, split),
        converted="fps" in description or "clip_frames" in description,
    )


def _is_description(value: Mapping[str, Any]) -> bool:
    """Return True for an object that names stored files, their kind, and sessions of splits."""
    if value.get("kind") not in ("openpack", "truth"):
        return False
    files, splits, chosen = value.get("files"), value.get("splits", {DEFAULT_SPLIT: []}), value.get("map")
    return (
        isinstance(files, list)
        and all(isinstance(file, dict) and _are_texts(file.get(key) for key in _FILE_KEYS) for file in files)
        and isinstance(splits, dict)
        and all(isinstance(sessions, list) and _are_texts(sessions) for sessions in splits.values())
        and (value["kind"] == "truth" or (isinstance(chosen, dict) and chosen.keys() >= {"name", "toml"}))
    )


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def import_world(
    files: Sequence[Path],
    home: Path,
    *,
    name: str | None = None,
    operation_map: str | None = None,
    replace: bool = False,
    fps: float | None = None,
    clip_frames: int | None = None,
    **sessions: Sequence[str],
) -> ImportSummary:
    """Store the files as world `name` (by default the first file's name).

    `sessions`: `train` and `validation`, the names of these splits' sessions or patterns such as `U01*`; the others are
    `test`.

    `operation_map` turns OpenPack ids into labels: `identity` (the default), `openpack`, `ten-labels`, or the path of a
    TOML file.
    `fps` and `clip_frames` say how files of truth count frames, where that is not 125 frames a clip at 25 fps. Raises
    WorldError with file and line where a file is unusable, and for a name that is taken unless `replace`.
    """
    if unknown := sorted(set(sessions) - set(OPEN_SPLITS)):
        raise TypeError(f"import_world has no option {unknown[0]!r}; sessions are named for {', '.join(OPEN_SPLITS)}")
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", files[0].stem).strip("-.") or "imported"
    if not NAME.fullmatch(name) or name in world_names() or _SCALED.fullmatch(name):
        raise WorldError(
            f"{name!r} cannot name an imported world: letters, digits, '.', '_' and '-', and no shipped name, "
            "also with -xN behind it; --name chooses another"
        )
    if registered_seal(name, home) is not None:
        raise WorldError(f"{name!r} is the name of a sealed split on this machine; --name chooses another")
    target = home / "worlds" / name
    recover_worlds(home)
    if target.exists() and not replace:
        raise WorldError(f"there is an imported world {name!r} already; --replace replaces it")
    with scratch(target.parent) as folder:
        description = _describe(files, folder, name, operation_map, fps, clip_frames)
        read = _read(folder, description)
        if any(sessions.values()):
            description["splits"] = _assign(read.sessions, sessions)
        contents = {split: _content(read, description, split) for split in _splits(description)}
        write_json(folder / DESCRIPTION, description, sort_keys=True)
        folder.chmod(0o755)
        _put_in_place(folder, target)
    splits = {split: _sizes(contents[split].clips) for split in SPLITS if split in contents}
    notes = [note for split, content in contents.items() for note in _notes(content, split, splits)]
    return ImportSummary(name, len(read.clips), len(read.sessions), (*read.notes, *notes), splits)


def _sizes(clips: Iterable[Clip]) -> tuple[int, int]:
    """Return the numbers of clips and of sessions."""
    sessions = [clip.session for clip in clips]
    return len(sessions), len(set(sessions))


def _assign(sessions: Sequence[str], chosen: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the sessions of each split that has any. Raises WorldError for none, and for one session in two splits."""
    owner: dict[str, str] = {}
    for split, patterns in chosen.items():
        for pattern in patterns:
            matching = [session for session in sessions if session == pattern or fnmatchcase(session, pattern)]
            if not matching:
                known = ", ".join(sessions[:20]) + (", ..." if len(sessions) > 20 else "")
                raise WorldError(f"--{split} {pattern}: no session with clips has that name; there are {known}")
            for session in matching:
                if owner.setdefault(session, split) != split:
                    raise WorldError(f"session {session} was named for {owner[session]} and {split}; it belongs to one")
    splits = {split: [name for name in sessions if owner.get(name, DEFAULT_SPLIT) == split] for split in SPLITS}
    return {split: names for split, names in splits.items() if names}


def _splits(description: Mapping[str, Any]) -> Mapping[str, Sequence[str] | None]:
    """Return the sessions of each split; None stands for all."""
    return description.get("splits", {DEFAULT_SPLIT: None})


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename an imported world's folder to its name; the world that it replaces is there until then, or kept aside."""
    aside = target.with_name(f"{ASIDE}{target.name}")
    with locked(target.parent):
        if os.path.lexists(target):
            shutil.rmtree(aside, ignore_errors=True)
            target.rename(aside)
        folder.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def recover_worlds(home: Path) -> None:
    """Give worlds their names back whose replacement was killed, and remove those whose replacement is there."""
    for aside in (home / "worlds").glob(f"{ASIDE}*"):
        target = aside.with_name(aside.name.removeprefix(ASIDE))
        with locked(aside.parent), contextlib.suppress(OSError):
            if target.exists():
                shutil.rmtree(aside)
            else:
                aside.rename(target)


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
        content = read_bytes(file, WorldError, MAX_BYTES)
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


def _read(folder: Path, description: Mapping[str, Any]) -> _Read:
    """Return what the stored files say. Raises WorldError where one was altered, or where they give no clip."""
    paths = {folder / kept["file"]: kept["name"] for kept in description["files"]}
    for path, kept in zip(paths, description["files"], strict=True):
        if sha256(path) != kept["sha256"]:
            raise WorldError(f"{path}: is not the file that was imported")
    starts: dict[str, int] = {}
    meanings: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    if description["kind"] == "openpack":
        annotated = _annotated_sessions(paths, description)
        starts = {name: session.start_ms for name, session in annotated.items()}
        clips = _cut_annotations(annotated, description)
        operation_map = _operation_map(description["map"])
        operations = openpack.label_order(operation_map, annotated)
        meanings = openpack.meanings(operation_map)
    else:
        read = read_truth(paths, description.get("fps"), description.get("clip_frames"))
        clips, notes = read.clips, read.notes
        operations = _operations(clips, ", ".join(paths.values()))
    if not clips:
        raise WorldError(f"{', '.join(paths.values())}: gives no clip (a clip needs 5 s and a known next operation)")
    return _Read(clips, operations, starts, meanings, notes)


def _content(read: _Read, description: Mapping[str, Any], split: str) -> Content:
    """Return the truth of one split. Its floors and transitions come from train, if that is another split."""
    splits = _splits(description)
    clips = _clips_of(read, splits[split])
    others = _clips_of(read, splits["train"]) if split != "train" and "train" in splits else []
    fits, in_sample = ([fit(others, read.operations)], False) if others else _own_fits(clips, read.operations)
    return Content(
        operations=read.operations,
        clips=clips,
        expected=len(clips),
        fits=fits,
        in_sample=in_sample,
        starts=read.starts,
        meanings=read.meanings,
    )


def _clips_of(read: _Read, sessions: Sequence[str] | None) -> list[Clip]:
    wanted = None if sessions is None else set(sessions)
    return [clip for clip in read.clips if wanted is None or clip.session in wanted]


def _own_fits(clips: Sequence[Clip], operations: Sequence[str]) -> tuple[list[Fit], bool]:
    """Return the fits of a split on itself, a session left out at a time, and whether they are in-sample."""
    sessions: dict[str, int] = {}
    numbers = [sessions.setdefault(clip.session, len(sessions)) for clip in clips]
    if len(sessions) == 1:
        return [fit(clips, operations)], True
    return fit_leave_one_out(clips, numbers, operations), False


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


def _notes(content: Content, split: str, splits: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return what the user should know about a split that models are judged on."""
    (_, sessions), where = splits[split], f"{split}: " if len(splits) > 1 else ""
    if split in OPEN_SPLITS:
        return []
    notes = []
    if content.in_sample:
        fitted = "floors and transitions are fitted on it (in_sample), intervals are not supported"
        notes.append(f"one session only: {fitted}")
    elif sessions < 10:
        plural = "session" if sessions == 1 else "sessions"
        notes.append(f"only {sessions} {plural}: intervals are wide or not supported")
    clips = list(content.clips)
    if saturated := saturation_note(sum(not clip.dense for clip in clips) / len(clips)):
        notes.append(saturated)
    return [f"{where}{note}" for note in notes]
