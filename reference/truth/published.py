"""Published folder of a sealed split as a world: clips and their pictures, whose truth only the organiser holds.

An entrant has what `harness world seal` wrote for publishing: the world file (labels, floors), `clips.jsonl` (clip ids)
and the commitment. That is a world to validate, render from and predict for. Nothing can be scored on it: its database
holds clips without answers, and `open_truth` refuses to open it for anyone who needs them. Once the organiser's
`reveal.json` lies in the folder, its truth is made from the secret, and used only if the commitment opens to it.

The folder comes from a stranger. Sizes, types, names and ids are checked before anything is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reference import shapes
from reference.errors import TruthError, WorldError
from reference.files import sha256
from reference.outside_files import JSON_BYTES, open_regular, read_object
from reference.process.world import World, load_world, world_names
from reference.task import OPEN_SPLITS
from reference.truth.origin import Content, Origin, Published
from reference.truth.sealed import (
    CLIPS,
    COMMITMENT,
    COMMITMENT_FORMAT,
    INDEX,
    NAME,
    RENDERING,
    WORLD_FILE,
    Secret,
    commit,
    sealed_origin,
    sealed_world,
    secret_of,
    statement,
)
from reference.truth.synthetic import public_fit

REVEALED = "reveal.json"
DIGEST = re.compile("[0-9a-f]{64}")
_CLIP = shapes.table({"clip_id": shapes.CLIP_ID}, others=True)


@dataclass(frozen=True)
class Commitment:
    """Content of a folder's commitment.json."""

    name: str
    split: str
    commitment: str


def published_folder(name: str) -> Path | None:
    """Return the published folder that a name means: the folder itself, or that of its world file; else None."""
    path = Path(name)
    folder = path.parent if path.name == WORLD_FILE and path.is_file() else path
    return folder if name not in world_names() and (folder / COMMITMENT).is_file() else None


def published_origin(name: str) -> Origin | None:
    """Return the published split whose folder, or whose world file in it, is at this path, or None.

    Raises WorldError, which names the file, for a folder that cannot have been published by `harness world seal`.
    """
    folder = published_folder(name)
    if folder is None:
        return None
    said = read_commitment(folder)
    world = published_world(folder, said.split)
    with open_regular(_present(folder / CLIPS), WorldError) as file:
        clips = sha256(file)
    if (folder / REVEALED).exists():
        return _revealed_origin(folder, said, clips)
    return Origin(
        name=said.name,
        digest=f"{world.digest}:{said.commitment}:{clips}",
        public=False,
        splits=(said.split,),
        content=lambda split: _content(folder, world, split),
        published=Published(folder, said.commitment),
    )


def _revealed_origin(folder: Path, said: Commitment, clips: str) -> Origin:
    """Return the split as anyone can make it after the reveal: its truth is public, if the commitment opens to it."""
    secret = read_reveal(folder / REVEALED, folder, said)
    world = sealed_world(folder / WORLD_FILE, said.name, secret)

    def check(truth: str) -> None:
        """Raise TruthError unless the commitment opens to a truth of that digest and to what lies in the folder."""
        code = str(read_object(_present(folder / RENDERING), WorldError).get("code"))
        if commit(secret.salt, statement(world, said.split, folder, truth, code)) != said.commitment:
            raise TruthError(
                f"{folder / REVEALED}: what its secret makes, or what lies in {folder}, is not what was committed to; "
                f"harness world check-reveal {folder} says more"
            )

    origin = sealed_origin(world, said.split)
    digest = f"{origin.digest}:{said.commitment}:{clips}"
    return replace(origin, digest=digest, public=True, published=Published(folder, said.commitment, check))


def read_reveal(path: Path, folder: Path, said: Commitment) -> Secret:
    """Return the secret that the organiser's file at `path` reveals for a published folder.

    Raises WorldError for a file of another split or of another commitment, and for a malformed one.
    """
    table = read_object(path, WorldError)
    for key, expected in (("name", said.name), ("commitment", said.commitment)):
        if table.get(key, expected) != expected:
            raise WorldError(f"{path}: reveals {key} {str(table[key])[:80]!r}, {folder} is {expected!r}")
    return secret_of(table.get("secret"), table.get("salt"), path)


def read_commitment(folder: Path) -> Commitment:
    """Return what the commitment of a published folder says. Raises WorldError where it is missing or malformed."""
    path = folder / COMMITMENT
    table = read_object(_present(path), WorldError)
    if table.get("format") != COMMITMENT_FORMAT:
        raise WorldError(f"{path}: format is {str(table.get('format'))[:60]!r}, expected {COMMITMENT_FORMAT!r}")
    for key, shape in (("name", NAME), ("split", NAME), ("commitment", DIGEST)):
        if not isinstance(table.get(key), str) or not shape.fullmatch(table[key]):
            raise WorldError(f"{path}: {key} = {str(table.get(key))[:80]!r}, not what `harness world seal` writes")
    return Commitment(table["name"], table["split"], table["commitment"])


def published_world(folder: Path, split: str) -> World:
    """Return the public world of a published folder. Raises WorldError for one that has no such sealed split."""
    path = _present(folder / WORLD_FILE)
    world = load_world(path)
    if split in OPEN_SPLITS or split not in world.splits:
        raise WorldError(f"{path}: has no split {split!r} that could be sealed, which {COMMITMENT} names")
    return world


def _present(path: Path) -> Path:
    """Return the path of a file that every published folder has. Raises WorldError where it is missing."""
    if not path.exists():
        raise WorldError(f"{path}: no such file; `harness world seal` wrote one, so the folder is not whole")
    return path


def _content(folder: Path, world: World, split: str) -> Content:
    """Return the content of a database without answers: the clips in the file's order, and what train says."""
    size = world.split(split)
    ids = tuple(_clip_ids(folder / CLIPS, size.sessions * size.clips))
    if (folder / INDEX).exists():
        listed = read_object(folder / INDEX, WorldError, JSON_BYTES).get("clips")
        if listed != len(ids):
            raise WorldError(
                f"{folder / CLIPS}: has {len(ids):,} lines, {INDEX} says {str(listed)[:20]}; fetch it again"
            )
    return Content(
        operations=world.operations,
        clips=(),
        expected=len(ids),
        fits=[public_fit(world)],
        unanswered=ids,
        sessions=size.sessions,
    )


def _clip_ids(path: Path, most: int) -> Iterator[str]:
    """Yield the clip ids of clips.jsonl. Raises WorldError with file and line, and for none or more than `most`."""
    number = 0
    rows = shapes.clip_rows(path, lambda row, place: shapes.check(row, _CLIP, place, WorldError), WorldError)
    for number, (_, place, row) in enumerate(rows, 1):
        if number > most:
            raise WorldError(f"{place}: the split has at most {most:,} clips")
        if not row["clip_id"].isprintable():
            raise WorldError(f"{place}: clip_id {shapes.shown(row['clip_id'])} is no printable name")
        yield row["clip_id"]
    if not number:
        raise WorldError(f"{path}: names no clip")
