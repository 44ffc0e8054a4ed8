"""Sealed splits on the organiser's machine: a secret as the world key, and a registered name.

A sealed split is registered under HARNESS_HOME/sealed/NAME, with a copy of its world file. Its secret lies in a file of
the organiser's that nobody else can read. Floors and transitions are those of the public train split.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.files import place_new, scratch, sha256
from reference.outside_files import open_regular, read_object
from reference.process.world import World, load_world
from reference.truth.origin import Origin, Seal
from reference.truth.synthetic import synthetic_content

REGISTERED, WORLD_FILE, COMMITMENT = "seal.json", "world.toml", "commitment.json"
CLIPS, RENDERING, INDEX = "clips.jsonl", "render.json", "index.json"
"""Files of every rendering: the clips, what was requested, and what is in the rendering's files."""
COMMITMENT_FORMAT = "warehouse-harness/commitment-1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SECRET_BYTES = 32
PICTURES = ("frames", "videos", "shards")


@dataclass(frozen=True)
class Secret:
    """Key of a sealed world, and the salt that keeps its commitment from being guessed; 32 bytes each."""

    key: bytes
    salt: bytes

    @property
    def fingerprint(self) -> str:
        """Return a digest that tells this secret from others and does not give it away, because it is random."""
        return sha256(b"secret|" + self.key + self.salt)


def sealed_world(base: str | Path, name: str, secret: Secret) -> World:
    """Return the base world under the secret key: other sessions, other ids, other pictures, nothing pinned."""
    return replace(load_world(base), name=name, key=secret.key, digests={})


def registered_world(seal: Seal) -> World:
    """Return the world of a registered seal. Raises WorldError where the organiser's secret cannot be read."""
    try:
        secret = read_secret(Path(seal.secret_file))
    except WorldError as error:
        remedy = "put it back, or repeat harness world seal with its new path"
        raise WorldError(f"{seal.name} is sealed, and its secret cannot be read: {error}; {remedy}") from None
    return sealed_world(seal.folder / WORLD_FILE, seal.name, secret)


def sealed_origin(world: World, split: str, seal: Seal | None = None) -> Origin:
    """Return the Origin of one split under a secret key; `seal` is None until the split is registered.

    `digest` names the key without giving it away.
    """
    secret = hashlib.sha256(b"sealed|" + world.key).hexdigest()
    return Origin(
        name=world.name,
        digest=f"{world.digest}:{secret}",
        public=False,
        splits=(split,),
        content=lambda _: synthetic_content(world, split, 1),
        process=world,
        seal=seal,
    )


def make_secret(path: Path) -> Secret:
    """Return the secret at `path`, or write a new one there, whole or not at all, that only its owner can read."""
    if not path.exists():
        fresh = {name: secrets.token_hex(SECRET_BYTES) for name in ("secret", "salt")}
        with scratch(path.parent) as folder:
            (folder / path.name).touch(mode=0o600)
            (folder / path.name).write_text(json.dumps(fresh) + "\n")
            place_new(folder / path.name, path)
    return read_secret(path)


def read_secret(path: Path) -> Secret:
    """Return the secret at `path`. Raises WorldError where it is missing, malformed, or readable by others."""
    with open_regular(path, WorldError) as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise WorldError(f"{path}: others can read it; chmod 600 {path.name}")
    try:
        table = read_object(path, WorldError)
        return secret_of(table.get("secret"), table.get("salt"), path)
    except WorldError:
        raise WorldError(f"{path}: not a secret file of `harness world seal`") from None


def secret_of(key: Any, salt: Any, place: object) -> Secret:
    """Return the secret of two hexadecimal texts. Raises WorldError, naming their place, for anything else."""
    with contextlib.suppress(ValueError, TypeError):
        found = Secret(bytes.fromhex(key), bytes.fromhex(salt))
        if len(found.key) == len(found.salt) == SECRET_BYTES:
            return found
    raise WorldError(f"{place}: expected secret and salt, {2 * SECRET_BYTES} hexadecimal digits each")


def statement(world: World, split: str, folder: Path, truth: str, generator: str) -> dict[str, str]:
    """Return the object that the commitment to a folder is the digest of; digests are SHA-256, hexadecimal.

    `truth`: the digest of the split's truth; `generator`: the version of the code that made it and the pictures.
    """
    return {
        "format": COMMITMENT_FORMAT,
        "world_file": world.digest,
        "generator": generator,
        "split": split,
        "truth": truth,
        "clips": sha256(folder / CLIPS),
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


def registered_seal(name: str, home: Path) -> Seal | None:
    """Return the registration of the sealed split of that name on this machine, or None. Raises WorldError."""
    folder = home / "sealed" / name
    if not NAME.fullmatch(name) or not (folder / REGISTERED).is_file():
        return None
    try:
        return Seal(**read_object(folder / REGISTERED, WorldError), folder=folder)
    except (WorldError, TypeError):
        raise WorldError(
            f"{folder / REGISTERED}: not a readable registration; remove it and seal {name} again"
        ) from None


def sealed_names(home: Path) -> list[str]:
    """Return the names of the sealed splits of this machine, sorted."""
    return sorted(path.parent.name for path in (home / "sealed").glob(f"*/{REGISTERED}"))
