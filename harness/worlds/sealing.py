"""Sealed splits for the command line and `import harness`: seal one, reveal its secret, check what was revealed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from reference.task import DEFAULT_SPLIT

if TYPE_CHECKING:
    from reference.process.world import World
    from reference.sealing import Check, Render
    from reference.truth.origin import Seal


def seal(
    world: str,
    folder: Path,
    secret_file: Path,
    *,
    name: str | None = None,
    split: str = DEFAULT_SPLIT,
    workers: int = 2,
    home: Path | None = None,
    **asked: Any,
) -> Seal:
    """Render a split under a secret and commit to it; `asked`: form and size of the pictures."""
    from reference import sealing
    from reference.home import cache_home
    from reference.process.world import load_world

    name = name or f"{load_world(world).name}-sealed"
    return sealing.seal(world, split, name, secret_file, folder, cache_home(home), _renderer(workers, **asked))


def reveal(name: str, *, home: Path | None = None) -> dict[str, str]:
    """Secret and salt of a sealed split, for all the world to check."""
    from reference.home import cache_home
    from reference.truth.sealed import read_secret, registered_seal

    found = registered_seal(name, cache_home(home))
    if found is None:
        raise UsageError(f"no sealed split {name!r} on this machine")
    secret = read_secret(Path(found.secret_file))
    return {"name": name, "commitment": found.commitment, "secret": secret.key.hex(), "salt": secret.salt.hex()}


def check_reveal(folder: Path, secret: str, salt: str, *, workers: int = 2, home: Path | None = None) -> Check:
    """Compare a published folder with what a revealed secret makes; pictures are made as render.json there says."""
    from reference import sealing
    from reference.home import cache_home
    from reference.truth.sealed import secret_of

    try:
        revealed = secret_of(secret, salt)
        asked = json.loads((folder / "render.json").read_text(encoding="utf-8"))["request"]
    except ValueError as error:
        raise UsageError(f"--secret and --salt: {error}") from None
    except (OSError, KeyError, TypeError):
        raise UsageError(f"{folder}: holds no rendering") from None
    options = {key: asked[key] for key in ("form", "frames", "sampler", "size", "image")}
    return sealing.check_reveal(folder, revealed, cache_home(home), _renderer(workers, **options))


def _renderer(workers: int, **asked: Any) -> Render:
    from harness.progress import counter
    from reference.rendering.render_split import render
    from reference.rendering.request import Request
    from reference.rendering.sources import Scenes

    def draw(world: World, split: str, folder: Path) -> None:
        request = Request(world=world.name, split=split, **asked)
        with counter(f"{world.name} / {split}") as report:
            render(request, folder, workers=workers, progress=report, source=Scenes(world, split))

    return draw
