"""The clips of a split as questions: clip id, frames, indices, times, prompt, and nothing that tells the truth.

Pictures come from a rendering: one that the user names (frames, videos or shards; a folder that holds SPLIT/ will do),
or one made here as the model wants it and kept in the per-user cache. A rendering has to be one of this split as it is
judged, shown as the model wants it: another world or version of it, another domain, painted-out surfaces, other frames
are refused. That clips are missing is allowed, and said by whoever asks.

Pictures are read in a thread of their own while the model answers; a few batches wait at most.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.errors import UsageError
from harness.prediction.predictor import Question, Wants
from reference.home import cache_home
from reference.pool import in_order

if TYPE_CHECKING:
    from reference.truth.store import Truth

AHEAD = 2
PINNED = ("form", "frames", "sampler", "size", "image", "video", "video_start_ms")
"""What of a rendering's request decides what a clip looks like; `limit`, `domains` decide which clips there are."""

Batch = Sequence[str]
Say = Callable[[str], object]


class Questions(Protocol):
    @property
    def clips(self) -> tuple[str, ...]:
        """Those that can be asked about, in order."""

    @property
    def shown(self) -> dict[str, Any] | None:
        """What pins the pictures; None without any."""

    def read(self, batch: Batch) -> list[Question]: ...


class Blind:
    """For a model that needs no pictures."""

    shown = None

    def __init__(self, clips: tuple[str, ...]):
        self.clips = clips

    def read(self, batch: Batch) -> list[Question]:
        none = np.empty((0, 0, 0, 3), np.uint8), np.empty(0, np.int64), np.empty(0)
        return [Question(clip_id, *none, "") for clip_id in batch]


class Pictures:
    """A rendering of clips of a split, `known`. Files from elsewhere (`trusted` false) are decoded apart."""

    def __init__(self, folder: Path, shown: dict[str, Any], known: Collection[str], *, trusted: bool):
        from reference.training.datasets import Clips

        self.shown, self._clips = shown, Clips(folder, trusted=trusted)
        self._places = _places(folder)
        self.clips = tuple(self._places)
        if strange := set(self.clips).difference(known):
            raise UsageError(f"{folder}: shows clips that are not of the split: {min(strange)!r}")

    def read(self, batch: Batch) -> list[Question]:
        """The sample of an open split also holds its truth, which stays here."""
        samples = (self._clips[self._places[clip_id]] for clip_id in batch)
        return [Question(*(sample[name] for name in Question._fields)) for sample in samples]


def given(folder: Path, truth: Truth, known: Collection[str], wants: Wants) -> Pictures:
    """The rendering in `folder`, or in the folder there that is named after the split. Raises UsageError."""
    if not (folder / "render.json").is_file() and (folder / truth.split / "render.json").is_file():
        folder /= truth.split
    described = _described(folder)
    _check_split(folder, described, truth)
    _check_shown(folder, described["request"], wants)
    return Pictures(folder, _shown(described), known, trusted=False)


def rendered(
    world: str,
    truth: Truth,
    known: Collection[str],
    wants: Wants,
    *,
    limit: int | None,
    workers: int,
    home: Path | None,
    say: Say,
) -> Pictures:
    """The split as the model wants to see it, rendered into the cache, or found there."""
    from harness.worlds.rendering import render
    from reference.rendering.render_split import description, source_of
    from reference.rendering.request import Request

    if truth.meta["kind"] == "imported":
        raise UsageError(
            f"{truth.world} was imported, its pictures are a recording: harness world render "
            f"{truth.world} --video FILE -o DIR, then --frames DIR"
        )
    asked = Request(world=world, split=truth.split, **wants._asdict())
    described = description(asked, source_of(asked, home=home))
    whole = _kept_in(cache_home(home), described)
    folder = whole if limit is None or (whole / "index.json").exists() else whole.with_name(f"{whole.name}-{limit}")
    if not (folder / "index.json").exists():
        say(
            f"rendering {truth.world} / {truth.split} into {folder} ({wants.frames} frames a clip, {wants.sampler}, "
            f"{wants.size} x {wants.size})"
        )
        render(
            world,
            folder,
            workers=workers,
            home=home,
            split=truth.split,
            limit=None if folder == whole else limit,
            **wants._asdict(),
        )
    return Pictures(folder, _shown(described), known, trusted=True)


def batches_of(clips: Sequence[str], size: int) -> Iterator[Batch]:
    return (clips[start : start + size] for start in range(0, len(clips), size))


def read_ahead(questions: Questions, batches: Iterable[Batch]) -> Generator[list[Question]]:
    """The questions of each batch, the next ones being read meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield from in_order(pool, questions.read, batches, AHEAD)


def _kept_in(home: Path, described: dict[str, Any]) -> Path:
    """Named by what is asked for and all else that the bytes depend on: a changed world or renderer renders anew."""
    asked = described["request"]
    pinned = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
    name = f"{asked['split']}-{asked['sampler']}-{asked['frames']}x{asked['size']}-{pinned}"
    return home / "renderings" / asked["world"] / name


def _described(folder: Path) -> dict[str, Any]:
    """render.json of a whole rendering."""
    if not (folder / "index.json").is_file():
        raise UsageError(f"{folder}: holds no whole rendering; harness world render WORLD -o {folder}")
    try:
        described = json.loads((folder / "render.json").read_text(encoding="utf-8"))
        return described | {"request": dict(described["request"]), "world_digest": str(described["world_digest"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{folder / 'render.json'}: does not say what was rendered") from None


def _shown(described: dict[str, Any]) -> dict[str, Any]:
    asked = described["request"]
    pinned = {key: asked[key] for key in PINNED if asked.get(key) is not None}
    return pinned | {key: str(described.get(key)) for key in ("world_digest", "code")}


def _check_split(folder: Path, described: dict[str, Any], truth: Truth) -> None:
    asked = described["request"]
    if (asked.get("world"), asked.get("split")) != (truth.world, truth.split):
        raise UsageError(
            f"{folder}: shows {asked.get('world')} / {asked.get('split')}, asked is {truth.world} / {truth.split}"
        )
    # a truth's digest of the world goes on with the scale or the seal, which a rendering says elsewhere or not at all
    if re.split("[:x]", truth.meta["world_digest"])[0] != described["world_digest"]:
        raise UsageError(f"{folder}: shows another version of {truth.world}; render it anew")
    if asked.get("as_domain") or asked.get("paint_out"):
        raise UsageError(f"{folder}: was drawn in another domain or painted out, a split is not judged on that")


def _check_shown(folder: Path, asked: dict[str, Any], wants: Wants) -> None:
    if other := [name for name, value in wants._asdict().items() if asked.get(name) != value]:
        there = ", ".join(f"{name} {asked.get(name)}" for name in other)
        wanted = " ".join(f"--{name} {getattr(wants, name)}" for name in other)
        raise UsageError(
            f"{folder}: has {there}; the model wants a rendering with {wanted}, and gets one without --frames"
        )


def _places(folder: Path) -> dict[str, int]:
    """Clip id -> line of clips.jsonl. A line that is marked as altered is refused here too."""
    path, found = folder / "clips.jsonl", dict[str, int]()
    with path.open(encoding="utf-8") as file:
        for place, text in enumerate(file):
            row = json.loads(text)
            clip_id = row.get("clip_id")
            if not isinstance(clip_id, str) or clip_id in found:
                raise UsageError(f"{path}:{place + 1}: no clip id, or one that stands there twice")
            if row.get("as_domain") or row.get("paint_out"):
                raise UsageError(f"{path}:{place + 1}: an altered picture, a split is not judged on that")
            found[clip_id] = place
    return found
