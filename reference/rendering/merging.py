"""Shards of one rendering -> the rendering that one process would have made, byte for byte.

Files are hard links where the shards lie on the same file system, and copies elsewhere. The merged folder gets its name
when it is whole. Sizes of files are compared with index.json; contents are not read again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import RenderError
from reference.files import locked, new_folder, write_json
from reference.outside_files import JSON_BYTES, json_lines, read_object
from reference.rendering.artifacts import digest
from reference.rendering.lists import TRUTH, read_description
from reference.rendering.render_split import index_of
from reference.shard import Shard
from reference.task import OPEN_SPLITS
from reference.truth.sealed import CLIPS, INDEX, RENDERING

REPAIR = "the command that rendered this shard repairs it"


@dataclass(frozen=True)
class RenderedShard:
    """Folder of a shard of a rendering, its description without the shard, and its index, None while unfinished."""

    folder: Path
    shard: Shard
    description: dict[str, Any]
    index: dict[str, Any] | None

    @classmethod
    def read(cls, folder: Path) -> RenderedShard | None:
        """Return the shard in a folder; None where it holds a rendering that is no shard. Raises RenderError."""
        details = read_description(folder)
        request = dict(details["request"])
        if not (shard := request.pop("shard", None)):
            return None
        whole = folder / INDEX
        index = read_object(whole, RenderError, JSON_BYTES) if whole.is_file() else None
        return cls(folder, Shard.of(shard), {**details, "request": request}, index)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what all shards of a rendering share, by name."""
        request, libraries = self.description["request"], self.description.get("libraries")
        others = {name: self.description.get(name) for name in ("world_digest", "code")}
        return {**request, **(libraries if isinstance(libraries, dict) else {}), **others}

    @property
    def is_finished(self) -> bool:
        """Return whether all files of this shard are there."""
        return self.index is not None

    @property
    def content(self) -> Any:
        """Return what tells the files of this shard from others."""
        return (self.index or {}).get("files")


def merge_renderings(shards: Sequence[RenderedShard], output: Path) -> int:
    """Write the rendering of all shards, in their order, into the new folder `output`; return its clips.

    Raises RenderError for files that are not those of an index, and where a shard is being rendered.
    """
    with contextlib.ExitStack() as stack:
        for shard in shards:
            busy = RenderError(f"{shard.folder}: another process is rendering into it")
            stack.enter_context(locked(shard.folder, busy))
        fresh = stack.enter_context(new_folder(output))
        request = shards[0].description["request"]
        files = [file for shard in shards for file in _files(shard)]
        clips = _join(shards, fresh, CLIPS)
        if request["split"] in OPEN_SPLITS:
            _join(shards, fresh, TRUTH)
        for shard in shards:
            _place_files(shard, fresh)
        write_json(fresh / RENDERING, shards[0].description)
        write_json(fresh / INDEX, index_of(clips, files))
    return clips


def _files(shard: RenderedShard) -> list[dict[str, Any]]:
    found = (shard.index or {}).get("files")
    if not isinstance(found, list) or not all(
        isinstance(file, dict) and _is_inside(file.get("path")) for file in found
    ):
        raise RenderError(f"{shard.folder / INDEX}: does not list files of a rendering; render this shard again")
    return found


def _is_inside(path: Any) -> bool:
    """Return whether a path names something in the folder that lists it."""
    parts = Path(path).parts if isinstance(path, str) else ()
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts


def _join(shards: Sequence[RenderedShard], fresh: Path, name: str) -> int:
    """Write the lists of this name one after the other; return the lines of them all."""
    total = 0
    with (fresh / name).open("wb") as whole:
        for shard in shards:
            lines = sum(1 for _ in json_lines(shard.folder / name, RenderError))
            if shard.index is None or lines != shard.index.get("clips"):
                raise RenderError(f"{shard.folder / name}: has {lines:,} lines, {INDEX} says another number; {REPAIR}")
            with (shard.folder / name).open("rb") as part:
                shutil.copyfileobj(part, whole)
            total += lines
        whole.flush()
        os.fsync(whole.fileno())
    return total


def _place_files(shard: RenderedShard, fresh: Path) -> None:
    for file in _files(shard):
        source = shard.folder / file["path"]
        for path in _each(source):
            _place(path, fresh / path.relative_to(shard.folder))
        found = digest(source)
        if found["bytes"] != file.get("bytes"):
            raise RenderError(f"{source}: has {found['bytes']:,} bytes, {INDEX} says {file.get('bytes')}; {REPAIR}")
        if found["sha256"] != file.get("sha256"):
            raise RenderError(f"{source}: was altered (its sha256 is not that of {INDEX}); delete it, and {REPAIR}")


def _each(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise RenderError(f"{path}: is missing; {REPAIR}")
    yield from sorted(path.iterdir()) if path.is_dir() else [path]


def _place(source: Path, target: Path) -> None:
    """Link or copy a file. Raises RenderError where another shard brought one of its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise RenderError(f"{source}: two shards hold this file; they are of different renderings")
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
