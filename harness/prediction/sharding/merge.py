"""Merge shards: of an entry, or of a rendering. What the folders hold says which.

harness.merge("shards/1", "shards/2", "shards/3", output="mine")
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from harness.cards import ANSWERS, CARD, PREDICTIONS
from harness.errors import UsageError
from harness.formatting import plural
from harness.prediction.journal import PART
from harness.prediction.sharding.check import in_order
from harness.prediction.sharding.entries import EntryShard, merge_entries
from reference.rendering.merging import RenderedShard, merge_renderings
from reference.truth.sealed import RENDERING


class Merged(NamedTuple):
    """Outcome of a merge. `is_entry`: answers were merged, else pictures."""

    path: Path  # the new folder
    shards: int
    clips: int
    world: str
    split: str
    is_entry: bool
    named: str = ""  # the world as the command of an entry's shards named it
    is_sealed: bool = False
    is_part: bool = False  # of the split: the shards were made with --limit

    def __repr__(self) -> str:
        what = "answers" if self.is_entry else "pictures"
        return f"{plural(self.shards, 'shard')} merged: {what} of {plural(self.clips, 'clip')} in {self.path}"


def merge(*folders: str | Path, output: str | Path) -> Merged:
    """Merge the folders of all shards of one entry, or of one rendering, into the new folder `output`.

    The folders stay as they are; pictures are hard links where that is possible. Raises HarnessError where a shard is
    missing, unfinished, of another whole or there twice, and where `output` holds something. A merge that is killed
    leaves nothing under its name.
    """
    target = Path(output)
    if not folders:
        raise UsageError("name the folders of the shards")
    if not target.resolve().name.isprintable() or not target.resolve().name:
        raise UsageError(f"{target}: expected the name of a folder, printable")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target}: holds something already; choose another folder")
    for folder in map(Path, folders):
        if target.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"{target}: lies in {folder}, which may be removed after the merge; choose a folder outside"
            )
    pieces = [_read(Path(folder)) for folder in folders]
    kinds = {type(piece) for piece in pieces}
    if len(kinds) > 1:
        entry, rendering = (
            next(piece.folder for piece in pieces if type(piece) is kind) for kind in (EntryShard, RenderedShard)
        )
        raise UsageError(f"{entry} holds answers and {rendering} pictures: merge each kind by itself")
    if kinds == {EntryShard}:
        return _merge_entries(in_order(cast(Sequence[EntryShard], pieces)), target)
    shards = in_order(cast(Sequence[RenderedShard], pieces))
    request = shards[0].description["request"]
    if not shards[0].description.get("scored", True) and target.name == request["split"]:
        raise UsageError(f"{target}: is named after a split, and these pictures may not be ones that are judged")
    clips = merge_renderings(shards, target)
    return Merged(target, len(shards), clips, request["world"], request["split"], is_entry=False)


def _merge_entries(shards: Sequence[EntryShard], target: Path) -> Merged:
    card = merge_entries(shards, target)
    clips = sum(card.run["answers"].values())
    words = shlex.split(card.run.get("command", ""))
    named = words[words.index("--world") + 1] if "--world" in words else card.world
    whole = Merged(target, len(shards), clips, card.world, card.split, is_entry=True)
    return whole._replace(named=named, is_sealed=bool(card.commitment), is_part="limit" in card.run)


def _read(folder: Path) -> EntryShard | RenderedShard:
    """Return the shard in a folder. Raises UsageError where it holds none."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; each shard's own command writes one")
    if (folder / RENDERING).is_file():
        rendering = RenderedShard.read(folder)
        if rendering is None:
            raise UsageError(f"{folder}: holds a whole rendering, and no shard of one; leave it out")
        return rendering
    if any((folder / name).exists() for name in (CARD, PART)):
        entry = EntryShard.read(folder)
        if entry is None:
            raise UsageError(f"{folder}: holds a whole entry, or the run of one, and no shard; leave it out")
        return entry
    answers = "answers about own clips" if (folder / ANSWERS).exists() else f"no {CARD} and no {RENDERING}"
    bare = f"{PREDICTIONS} without its {CARD}" if (folder / PREDICTIONS).exists() else answers
    raise UsageError(f"{folder}: holds {bare}: harness predict or world render with --shard makes a shard")


def summary_lines(merged: Merged) -> list[str]:
    """Summary lines for the terminal: what was merged, and what to do next with it."""
    shards, clips = plural(merged.shards, "shard"), plural(merged.clips, "clip")
    if not merged.is_entry:
        where = f"{merged.path}/clips.jsonl"
        return [
            f"{merged.world} / {merged.split}: {shards} merged, {clips} in {where}",
            "  the same files as of one process; the folders of the shards may be removed",
        ]
    return [f"{merged.world} / {merged.split}: {shards} merged, {clips} answered in {merged.path / PREDICTIONS}"]
