"""Sealed splits for the command line and `import harness`: seal one, reveal its secret, check a revealed secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.progress import counter
from harness.worlds.rendering import announcement
from reference import sealing
from reference.errors import WorldError
from reference.files import write_json
from reference.home import cache_home
from reference.outside_files import read_object
from reference.process.world import World, load_world
from reference.rendering.lists import read_description
from reference.rendering.render_split import generator, render
from reference.rendering.request import Request
from reference.rendering.sources import Scenes
from reference.sealing import Check, Render
from reference.task import DEFAULT_SPLIT
from reference.truth.origin import Seal
from reference.truth.published import REVEALED, read_commitment, read_reveal
from reference.truth.sealed import COMMITMENT, Secret, read_secret, registered_seal, secret_of

REVEALED_FORMAT = "warehouse-harness/reveal-1"
PICTURES = ("form", "frames", "sampler", "size", "image")
"""Fields of a rendering's request that `harness world seal` lets its user choose or leaves at their default."""
Say = Callable[[str], object]
"""Takes a sentence about the work before it begins."""


def _silent(text: str) -> None:
    """Drop a sentence."""


def seal(
    world: str,
    folder: Path,
    secret_file: Path,
    *,
    name: str | None = None,
    split: str = DEFAULT_SPLIT,
    home: Path | None = None,
    say: Say = _silent,
    **pictures: Any,
) -> Seal:
    """Render a split under a secret, commit to it and return its seal.

    `pictures`: `form` and `size` as in reference.rendering.request, and `workers`, the processes that draw them.
    """
    name = name or f"{load_world(world).name}-sealed"
    return sealing.seal(world, split, name, secret_file, folder, cache_home(home), _renderer(say, **pictures))


def reveal(name: str, path: Path | None = None, *, home: Path | None = None) -> dict[str, str]:
    """Return secret and salt of a sealed split, for all the world to check; write them to `path` too, if there is one.

    Raises UsageError for an unknown name, and for a path that holds anything else.
    """
    sealed = registered_seal(name, cache_home(home))
    if sealed is None:
        raise UsageError(f"no sealed split {name!r} on this machine")
    secret = read_secret(Path(sealed.secret_file))
    revealed = {
        "format": REVEALED_FORMAT,
        "name": name,
        "commitment": sealed.commitment,
        "secret": secret.key.hex(),
        "salt": secret.salt.hex(),
    }
    if path is not None:
        if path.exists() and not _holds(path, revealed):
            raise UsageError(f"{path}: exists and holds something else; choose another file")
        write_json(path, revealed)
    return revealed


def _holds(path: Path, table: dict[str, str]) -> bool:
    """Return True for a file that holds this JSON object."""
    try:
        return read_object(path, WorldError) == table
    except WorldError:
        return False


def check_reveal(
    published: Path,
    secret: str | None = None,
    salt: str | None = None,
    *,
    revealed: Path | None = None,
    workers: int = 2,
    home: Path | None = None,
    say: Say = _silent,
) -> Check:
    """Compare a published folder with what a revealed secret makes; its render.json says how to make the pictures.

    `published`, `secret`, `salt`, `revealed`: as of `revealed_secret`. Raises UsageError for pictures of another
    version and for what is no secret and salt, WorldError for a folder that was not published, and RenderError for a
    render.json that names no pictures that can be drawn.
    """
    folder, opened = revealed_secret(published, secret, salt, revealed=revealed)
    pictures = picture_choices(folder)
    if (code := read_description(folder).get("code")) != generator():
        raise UsageError(
            f"{folder}: was made by version {str(code)[:16]} of the generator, this is {generator()}; check it with "
            "the version of the harness that sealed it"
        )
    return sealing.check_reveal(folder, opened, cache_home(home), _renderer(say, workers, **pictures))


def revealed_secret(
    published: Path, secret: str | None = None, salt: str | None = None, *, revealed: Path | None = None
) -> tuple[Path, Secret]:
    """Return a published folder, and the secret that was revealed for it.

    `published`: the folder, or the file of `reveal` in it; `revealed`: that file, by default reveal.json in the folder.
    `secret` and `salt`: the two texts instead of a file. Raises UsageError for what is no secret and salt, or those of
    another split, and WorldError for a folder that was not published.
    """
    if published.is_file() and revealed is None:
        published, revealed = published.parent, published
        if not (published / COMMITMENT).is_file():
            raise UsageError(f"{revealed}: name the published folder too: harness world check-reveal FOLDER {revealed}")
    if (secret is None) != (salt is None) or (secret is not None and revealed is not None):
        raise UsageError("expected one file of harness world reveal, or --secret and --salt together")
    public = read_commitment(published)
    path = revealed or published / REVEALED
    try:
        if secret is not None:
            return published, secret_of(secret, salt, "--secret and --salt")
        if not path.exists():
            raise UsageError(f"{path}: no such file; harness world reveal NAME -o FILE writes it")
        return published, read_reveal(path, published, public)
    except WorldError as error:
        raise UsageError(str(error)) from None


def picture_choices(folder: Path) -> dict[str, Any]:
    """Return the choices of a published folder's pictures, of PICTURES. Raises RenderError as read_description does."""
    request = read_description(folder)["request"]
    return {key: request[key] for key in PICTURES}


def _renderer(say: Say, workers: int = 2, **pictures: Any) -> Render:
    """Return the function that sealing draws with: it shows progress and takes the world as it is, secret and all."""

    def draw(world: World, split: str, folder: Path) -> None:
        request = Request(world=world.name, split=split, **pictures)
        with counter(f"{world.name} / {split}", logged=True) as report:
            render(
                request,
                folder,
                workers=workers,
                progress=report,
                source=Scenes(world, split),
                announce=lambda planned, free: say(announcement(request, workers, planned, free)),
            )

    return draw
