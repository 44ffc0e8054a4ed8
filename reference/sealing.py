"""Sealed splits: pictures are published, the truth is not, and a commitment proves later that it was not changed.

A secret of 32 bytes from the operating system is the world key of a split. Whoever has it can compute the truth, the
clip ids and the pictures again; nobody else can. The organiser publishes the pictures, `clips.jsonl`, the world file
and a *commitment*, the SHA-256 of a 32-byte salt, `|` and the canonical JSON of {format, world file digest, generator
version, split, truth digest, clips.jsonl digest, digest of the rendered files}. No digest of a session or a clip is
published.

The organiser reveals secret and salt later; `check_reveal` computes truth, ids and pictures again and compares. That
proves that nothing was changed since the commitment. It does not prove that the organiser drew the secret at random, or
trained no model on its truth.

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
from reference.files import sha256, write_atomically, write_json
from reference.home import user_key
from reference.process.world import World, world_file, world_names
from reference.rendering.render_split import generator
from reference.task import OPEN_SPLITS
from reference.truth.origin import Seal
from reference.truth.sealed import (
    NAME,
    REGISTERED,
    WORLD_FILE,
    Secret,
    make_secret,
    registered_seal,
    sealed_origin,
    sealed_world,
)
from reference.truth.store import attach, build_truth

FORMAT = "warehouse-harness/commitment-1"
COMMITMENT = "commitment.json"
PICTURES = ("frames", "videos", "shards")

Render = Callable[[World, str, Path], Any]
"""`render(world, split, folder)` writes pictures and clips.jsonl into the folder, or resumes there."""


def seal(base: str, split: str, name: str, secret_file: Path, folder: Path, home: Path, render: Render) -> Seal:
    """Render the split under the secret, write the commitment beside the pictures, and register the name.

    Idempotent. Raises WorldError for a name or a split that cannot be sealed, or a name with another commitment.
    """
    if not NAME.fullmatch(name) or name in world_names():
        raise WorldError(f"{name!r} cannot name a sealed split: letters, digits, '.', '_' and '-', and no shipped name")
    if split in OPEN_SPLITS:
        raise WorldError(f"split {split} is published to learn from; seal one that models are scored on")
    secret = make_secret(secret_file)
    world = sealed_world(base, name, secret)
    render(world, split, folder)
    commitment = commit(secret.salt, statement(world, split, folder, home))
    known = registered_seal(name, home)
    if known and known.commitment != commitment:
        raise WorldError(f"there is a sealed split {name!r} already, with commitment {known.commitment[:16]}")
    public = {"name": name, "split": split, "commitment": commitment}
    for place in (folder, home / "sealed" / name):
        write_atomically(place / WORLD_FILE, lambda temporary: temporary.write_bytes(world_file(base)))
    write_json(folder / COMMITMENT, {"format": FORMAT, **public}, sort_keys=True)
    registration = {**public, "secret_file": str(secret_file.absolute())}
    write_json(home / "sealed" / name / REGISTERED, registration, sort_keys=True)
    registered = registered_seal(name, home)
    assert registered is not None
    return registered


def statement(world: World, split: str, folder: Path, home: Path) -> dict[str, str]:
    """Return the object that the commitment is the digest of; digests are SHA-256, hexadecimal."""
    return {
        "format": FORMAT,
        "world_file": world.digest,
        "generator": generator(),
        "split": split,
        "truth": _truth_digest(world, split, home),
        "clips": sha256(folder / "clips.jsonl"),
        "pictures": pictures_digest(folder),
    }


def commit(salt: bytes, statement: dict[str, str]) -> str:
    """Return the commitment to a statement: SHA-256, hexadecimal, of the salt, `|` and its canonical JSON."""
    return sha256(salt + b"|" + json.dumps(statement, sort_keys=True, separators=(",", ":")).encode())


def pictures_digest(folder: Path) -> str:
    """Return the SHA-256, hexadecimal, over names and contents of all rendered files, in the order of their names."""
    total = hashlib.sha256()
    for kind in PICTURES:
        for path in sorted(path for path in (folder / kind).rglob("*") if path.is_file()):
            total.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return total.hexdigest()


def _truth_digest(world: World, split: str, home: Path) -> str:
    """Return the digest of the split's truth, which exists only while this function runs."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "truth.duckdb"
        build_truth(sealed_origin(world, split), split, path, key=user_key(home))
        with attach(path, home) as truth:
            return truth.digest


@dataclass(frozen=True)
class Check:
    """Outcome of `check_reveal`: pairs of a claim and whether it holds."""

    claims: tuple[tuple[str, bool], ...]

    @property
    def valid(self) -> bool:
        """Return whether all claims hold."""
        return all(agrees for _, agrees in self.claims)


def check_reveal(folder: Path, secret: Secret, home: Path, render: Render) -> Check:
    """Compare the published folder and commitment with truth, ids and pictures computed from a revealed secret.

    Raises WorldError where the folder has no readable commitment.
    """
    try:
        public = json.loads((folder / COMMITMENT).read_text(encoding="utf-8"))
        name, split, commitment = (public[key] for key in ("name", "split", "commitment"))
    except (OSError, ValueError, KeyError, TypeError):
        raise WorldError(f"{folder / COMMITMENT}: not a readable commitment") from None
    world = sealed_world(folder / WORLD_FILE, name, secret)
    again = Path(tempfile.mkdtemp(prefix="check-reveal-"))
    try:
        render(world, split, again)
        revealed = statement(world, split, again, home)
        clips = sha256(folder / "clips.jsonl")
        return Check(
            (
                ("the clips are the ones published", revealed["clips"] == clips),
                ("the pictures are the ones published", revealed["pictures"] == pictures_digest(folder)),
                (
                    "the truth, clips and pictures are the ones committed to",
                    commit(secret.salt, revealed) == commitment,
                ),
            )
        )
    finally:
        shutil.rmtree(again, ignore_errors=True)
