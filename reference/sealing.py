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

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import ShardError, WorldError
from reference.files import scratch, sha256, write_atomically, write_json
from reference.home import make_private_folder, user_key
from reference.outside_files import json_lines
from reference.process.split import build_split
from reference.process.world import World, load_world, world_file, world_names
from reference.rendering.render_split import generator
from reference.rendering.shards import read_shard
from reference.task import OPEN_SPLITS
from reference.truth.imported import imported_names
from reference.truth.origin import Seal
from reference.truth.published import published_world, read_commitment
from reference.truth.sealed import (
    CLIPS,
    COMMITMENT,
    COMMITMENT_FORMAT,
    NAME,
    REGISTERED,
    WORLD_FILE,
    Secret,
    commit,
    make_secret,
    pictures_digest,
    read_secret,
    registered_seal,
    sealed_origin,
    sealed_world,
    statement,
)
from reference.truth.store import attach, build_truth

Render = Callable[[World, str, Path], Any]
"""`render(world, split, folder)` writes pictures and clips.jsonl into the folder, or resumes there."""


def seal(base: str, split: str, name: str, secret_file: Path, folder: Path, home: Path, render: Render) -> Seal:
    """Render the split under the secret, write the commitment beside the pictures, and register the name.

    Idempotent. Raises WorldError for a name or a split that cannot be sealed, a name with another commitment, a folder
    that was rendered under another secret, and a missing secret of what was sealed before; then nothing is written.
    """
    if not NAME.fullmatch(name) or name in world_names():
        raise WorldError(f"{name!r} cannot name a sealed split: letters, digits, '.', '_' and '-', and no shipped name")
    if split in OPEN_SPLITS:
        raise WorldError(f"split {split} is published to learn from; seal one that models are scored on")
    if name in imported_names(home):
        raise WorldError(f"{name!r} is the name of an imported world on this machine; --name chooses another")
    if secret_file.resolve().is_relative_to(folder.resolve()):
        raise WorldError(f"{secret_file}: lies in {folder}, which is for publishing; keep the secret elsewhere")
    load_world(base).split(split)
    known = registered_seal(name, home)
    secret = _secret_for(secret_file, known, folder)
    world = sealed_world(base, name, secret)
    _check_rendered_under(secret_file, world, split, folder)
    render(world, split, folder)
    commitment = commit(secret.salt, statement(world, split, folder, _truth_digest(world, split, home), generator()))
    if known and known.commitment != commitment:
        raise WorldError(
            f"there is a sealed split {name!r} already, with commitment {known.commitment[:16]}; this one has "
            f"{commitment[:16]}: other pictures, another world file or another version of the harness; --name chooses "
            "another name"
        )
    if (folder / COMMITMENT).exists() and read_commitment(folder).commitment != commitment:
        raise WorldError(
            f"{folder / COMMITMENT}: is another commitment than the one of this secret; nothing was changed"
        )
    public = {"name": name, "split": split, "commitment": commitment}
    make_private_folder(home / "sealed" / name)
    for place in (folder, home / "sealed" / name):
        write_atomically(place / WORLD_FILE, lambda temporary: temporary.write_bytes(world_file(base)))
    write_json(folder / COMMITMENT, {"format": COMMITMENT_FORMAT, **public}, sort_keys=True)
    private = {"secret_file": str(secret_file.absolute()), "fingerprint": secret.fingerprint}
    write_json(home / "sealed" / name / REGISTERED, public | private, sort_keys=True)
    registered = registered_seal(name, home)
    assert registered is not None
    return registered


def _secret_for(path: Path, known: Seal | None, folder: Path) -> Secret:
    """Return the secret at `path`, or a new one where nothing was sealed before.

    A mistyped path must not become a second secret: raises WorldError, before anything is written, where the name is
    registered under another secret, and where there is none at `path` although the folder or the name is taken.
    """
    if not path.exists():
        if known is not None:
            raise WorldError(f"{path}: no such secret; {known.name} was sealed under {known.secret_file}")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise WorldError(
                f"{path}: no such secret, and a new one is made for a new folder only: {folder} is not empty"
            )
        return make_secret(path)
    secret = read_secret(path)
    if known is not None and secret.fingerprint != _fingerprint(known, secret):
        raise WorldError(f"{path}: is another secret than that of {known.name}, sealed under {known.secret_file}")
    return secret


def _fingerprint(known: Seal, otherwise: Secret) -> str:
    """Return the fingerprint of a registered secret; where it cannot be known, that of `otherwise`."""
    try:
        return known.fingerprint or read_secret(Path(known.secret_file)).fingerprint
    except WorldError:
        return otherwise.fingerprint  # the commitment decides, after rendering


def _check_rendered_under(secret_file: Path, world: World, split: str, folder: Path) -> None:
    """Raise WorldError where a folder holds clips of another secret, also those of an interrupted rendering."""
    there = _rendered_clips(folder)
    if there and not there <= {clip.clip_id for clip in build_split(world, split)}:
        raise WorldError(
            f"{folder}: was rendered under another secret than {secret_file}, or from another world or split; nothing "
            "was changed"
        )


def _rendered_clips(folder: Path) -> set[str]:
    """Return the ids of the clips that a folder shows, whole or not; what is damaged is left out."""
    found = {path.name for path in (folder / "frames").glob("[0-9a-z]*") if path.is_dir()}
    found |= {path.stem for path in (folder / "videos").glob("[0-9a-z]*.mp4")}
    with contextlib.suppress(WorldError, KeyError, TypeError):
        found |= {str(row["clip_id"]) for _, _, row in json_lines(folder / CLIPS, WorldError)}
    for shard in (folder / "shards").glob("*.tar") if not found else ():
        with contextlib.suppress(OSError, ShardError):
            found |= {sample.key for sample in read_shard(shard)}
    return found


def _truth_digest(world: World, split: str, home: Path) -> str:
    """Return the digest of the split's truth, which exists only while this function runs."""
    with scratch(home) as folder:  # where a later run finds and removes what a killed one left
        path = folder / "truth.duckdb"
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

    Raises WorldError where the folder is not one that was published.
    """
    public = read_commitment(folder)
    published_world(folder, public.split)
    split, commitment = public.split, public.commitment
    world = sealed_world(folder / WORLD_FILE, public.name, secret)
    with scratch(home) as temporary:
        again = temporary / "again"  # rendering locks the folder that it fills
        render(world, split, again)
        revealed = statement(world, split, again, _truth_digest(world, split, home), generator())
        clips = sha256(folder / CLIPS)
        return Check(
            (
                ("the clips are the ones published", revealed["clips"] == clips),
                ("the pictures are the ones published", revealed["pictures"] == pictures_digest(folder)),
                (
                    "what the secret makes is what was committed to",
                    commit(secret.salt, revealed) == commitment,
                ),
            )
        )
