"""Sealed splits for the command line and `import harness`: seal one, reveal its secret, check a revealed secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.progress import counter
from reference import sealing
from reference.home import cache_home
from reference.process.world import World, load_world
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.rendering.sources import Scenes
from reference.sealing import Check, Render
from reference.task import DEFAULT_SPLIT
from reference.truth.origin import Seal
from reference.truth.sealed import read_secret, registered_seal, secret_of


def seal(
    world: str,
    folder: Path,
    secret_file: Path,
    *,
    name: str | None = None,
    split: str = DEFAULT_SPLIT,
    home: Path | None = None,
    **pictures: Any,
) -> Seal:
    """Render a split under a secret, commit to it and return its seal.

    `pictures`: `form` and `size` as in reference.rendering.request, and `workers`, the processes that draw them.
    """
    name = name or f"{load_world(world).name}-sealed"
    return sealing.seal(world, split, name, secret_file, folder, cache_home(home), _renderer(**pictures))


def reveal(name: str, *, home: Path | None = None) -> dict[str, str]:
    """Return secret and salt of a sealed split, for all the world to check. Raises UsageError for an unknown name."""
    sealed = registered_seal(name, cache_home(home))
    if sealed is None:
        raise UsageError(f"no sealed split {name!r} on this machine")
    secret = read_secret(Path(sealed.secret_file))
    return {"name": name, "commitment": sealed.commitment, "secret": secret.key.hex(), "salt": secret.salt.hex()}


def check_reveal(folder: Path, secret: str, salt: str, *, workers: int = 2, home: Path | None = None) -> Check:
    """Compare a published folder with what a revealed secret makes; its render.json says how to make the pictures.

    Raises UsageError for a folder that holds no rendering, and for what is no secret and salt.
    """
    try:
        revealed = secret_of(secret, salt)
        request = json.loads((folder / "render.json").read_text(encoding="utf-8"))["request"]
    except ValueError as error:
        raise UsageError(f"--secret and --salt: {error}") from None
    except (OSError, KeyError, TypeError):
        raise UsageError(f"{folder}: holds no rendering") from None
    pictures = {key: request[key] for key in ("form", "frames", "sampler", "size", "image")}
    return sealing.check_reveal(folder, revealed, cache_home(home), _renderer(workers, **pictures))


def _renderer(workers: int = 2, **pictures: Any) -> Render:
    """Return the function that sealing draws with: it shows progress and takes the world as it is, secret and all."""

    def draw(world: World, split: str, folder: Path) -> None:
        request = Request(world=world.name, split=split, **pictures)
        with counter(f"{world.name} / {split}") as report:
            render(request, folder, workers=workers, progress=report, source=Scenes(world, split))

    return draw
