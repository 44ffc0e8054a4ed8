"""Sealed splits: pictures are published, the truth is not, and a commitment proves later that it was not changed.

A secret of 32 bytes from the operating system is the world key of a split. Who holds it makes the truth, the clip ids
and the pictures anew; nobody else can. The organiser publishes the pictures, `clips.jsonl`, the world file and a
*commitment*, the SHA-256 of a 32-byte salt, `|` and the canonical JSON of {format, world file digest, generator
version, split, truth digest, clips.jsonl digest, digest of the rendered files}. No digest of a session or a clip is
published.

`reveal` gives out secret and salt; `check_reveal` makes truth, ids and pictures again and compares. That proves that
nothing was changed since the commitment. It does not prove that the organiser did not choose the secret, or train on
what it makes.

On the organiser's machine a sealed split is a world of its own, registered under HARNESS_HOME/sealed/NAME. Floors and
transitions are those of the public train split.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.files import write_atomically
from reference.home import user_key
from reference.process.world import World, world_file, world_names
from reference.rendering.sources import OPEN_SPLITS
from reference.truth.sealed import (
    NAME,
    REGISTERED,
    WORLD_FILE,
    Seal,
    Secret,
    make_secret,
    registered,
    sealed_origin,
    sealed_world,
)
from reference.truth.store import attach, build_truth

FORMAT = "warehouse-harness/commitment-1"
COMMITMENT = "commitment.json"
PICTURES = ("frames", "videos", "shards")


Render = Callable[[World, str, Path], Any]
"""`render(world, split, folder)` puts pictures and clips.jsonl into the folder, or goes on with what is there."""


def seal(base: str, split: str, name: str, secret_file: Path, folder: Path, home: Path, render: Render) -> Seal:
    """Render the split under the secret, publish the commitment beside the pictures, register the name. Idempotent."""
    if not NAME.fullmatch(name) or name in world_names():
        raise WorldError(f"{name!r} cannot name a sealed split: letters, digits, '.', '_' and '-', and no shipped name")
    if split in OPEN_SPLITS:
        raise WorldError(f"split {split} is there to learn from; seal one that models are judged on")
    secret = make_secret(secret_file)
    world = sealed_world(base, name, secret)
    render(world, split, folder)
    commitment = commit(secret.salt, statement(world, split, folder, home))
    known = registered(name, home)
    if known and known.commitment != commitment:
        raise WorldError(f"there is a sealed split {name!r} already, with commitment {known.commitment[:16]}")
    public = {"name": name, "split": split, "commitment": commitment}
    for place in (folder, home / "sealed" / name):
        write_atomically(place / WORLD_FILE, lambda temporary: temporary.write_bytes(world_file(base)))
    _write_json(folder / COMMITMENT, {"format": FORMAT, **public})
    _write_json(home / "sealed" / name / REGISTERED, {**public, "secret_file": str(secret_file.absolute())})
    found = registered(name, home)
    assert found is not None
    return found


def statement(world: World, split: str, folder: Path, home: Path) -> dict[str, str]:
    """What the commitment is about; digests are SHA-256, hexadecimal."""
    from reference.rendering.render_split import generator

    return {
        "format": FORMAT,
        "world_file": world.digest,
        "generator": generator(),
        "split": split,
        "truth": _truth_digest(world, split, home),
        "clips": hashlib.sha256((folder / "clips.jsonl").read_bytes()).hexdigest(),
        "pictures": pictures_digest(folder),
    }


def commit(salt: bytes, said: dict[str, str]) -> str:
    return hashlib.sha256(salt + b"|" + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def pictures_digest(folder: Path) -> str:
    """Over the names and contents of all rendered files, in the order of their names."""
    total = hashlib.sha256()
    for kind in PICTURES:
        for path in sorted(path for path in (folder / kind).rglob("*") if path.is_file()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()


def _truth_digest(world: World, split: str, home: Path) -> str:
    """The truth is made in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "truth.duckdb"
        build_truth(sealed_origin(world, split, ""), split, path, key=user_key(home))
        with attach(path, home) as truth:
            return truth.digest


@dataclass(frozen=True)
class Check:
    """What `check_reveal` compared: (what, whether it agrees)."""

    agreed: tuple[tuple[str, bool], ...]

    @property
    def good(self) -> bool:
        return all(agrees for _, agrees in self.agreed)


def check_reveal(folder: Path, secret: Secret, home: Path, render: Render) -> Check:
    """Make truth, ids and pictures from a revealed secret, and compare with the published folder and commitment."""
    try:
        public = json.loads((folder / COMMITMENT).read_text(encoding="utf-8"))
        name, split, commitment = (public[key] for key in ("name", "split", "commitment"))
    except (OSError, ValueError, KeyError, TypeError):
        raise WorldError(f"{folder / COMMITMENT}: not a readable commitment") from None
    world = sealed_world(folder / WORLD_FILE, name, secret)
    again = Path(tempfile.mkdtemp(prefix="check-reveal-"))
    try:
        render(world, split, again)
        said = statement(world, split, again, home)
        clips = hashlib.sha256((folder / "clips.jsonl").read_bytes()).hexdigest()
        return Check(
            (
                ("the clips are the ones published", said["clips"] == clips),
                ("the pictures are the ones published", said["pictures"] == pictures_digest(folder)),
                ("the truth, clips and pictures are the ones committed to", commit(secret.salt, said) == commitment),
            )
        )
    finally:
        shutil.rmtree(again, ignore_errors=True)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
