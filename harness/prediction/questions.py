"""The clips of a split as questions: clip id, frames, indices, times, prompt, and nothing of the truth.

Pictures come from a rendering: one that the user names (frames, videos or shards; a folder that holds SPLIT/ is taken
as well), or one that is made here as the model wants it and kept in the per-user cache. A rendering has to show this
split as it is judged and as the model wants it: another world or version of it, another domain, painted-out surfaces,
other frames are refused. Clips may be missing; the caller reports how many.

Pictures are read in a thread of their own while the model answers; a few batches wait at most.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.errors import UsageError
from harness.prediction.choices import Choices
from harness.prediction.predictor import Question, Wants, without_pictures
from harness.worlds.rendering import render
from reference.errors import RenderError
from reference.files import locked, sha256
from reference.home import cache_home
from reference.outside_files import JSON_BYTES, json_lines, read_object
from reference.pools.processes import in_order
from reference.rendering.artifacts import image_pixels
from reference.rendering.lists import read_description
from reference.rendering.render_split import check_draws_alike, description, source_of
from reference.rendering.request import Request
from reference.rendering.sources import Job, shows_more
from reference.rendering.writers import Writer
from reference.resources import sql
from reference.training.datasets import Clips
from reference.truth.catalog import locate
from reference.truth.sealed import CLIPS, COMMITMENT, INDEX, RENDERING
from reference.truth.store import Truth

AHEAD = 2
PINNED = ("form", "frames", "sampler", "size", "image", "video", "video_start_ms", "as_domain")
"""Fields of a rendering's request that decide what a clip looks like, not which there are (`limit`, `domains`)."""

Batch = Sequence[str]

_one_at_a_time = threading.Lock()
"""The library that draws keeps to one thread: two at once give other pictures."""


class Questions(Protocol):
    """Clips of a split, ready to be asked about."""

    @property
    def clips(self) -> tuple[str, ...]:
        """Return the ids of the clips that can be asked about, in order."""

    @property
    def pictures(self) -> dict[str, Any] | None:
        """Return what pins the pictures, for card and journal; None without any."""

    def sample(self, number: int) -> list[Question]:
        """Return questions to try before the run, at most so many; possible before `draw`."""

    def draw(self) -> None:
        """Make the pictures, where that is not done yet; before the first `read`."""

    def read(self, batch: Batch) -> list[Question]:
        """Return one question for each clip id."""


class SplitQuestions(Questions, Protocol):
    """Clips of a split, of which some may be asked about alone."""

    def only(self, clips: tuple[str, ...]) -> Questions:
        """Return the questions about these clips; pictures that are to be drawn are drawn for them alone."""


def spread(clips: Sequence[str], number: int) -> list[str]:
    """Return at most so many clip ids, evenly spread over all."""
    return list(dict.fromkeys(clips[len(clips) * place // number] for place in range(number) if clips))


class Blind:
    """Questions for a model that needs no pictures."""

    pictures = None

    def __init__(self, clips: tuple[str, ...]):
        self.clips = clips

    def sample(self, number: int) -> list[Question]:
        return self.read(spread(self.clips, number))

    def draw(self) -> None:
        """Draw nothing: there is nothing to see."""

    def read(self, batch: Batch) -> list[Question]:
        return list(map(without_pictures, batch))

    def only(self, clips: tuple[str, ...]) -> Blind:
        """Return the questions about these clips."""
        return Blind(clips)


class Pictures:
    """Questions with the pictures of a rendering, whose clips must be among `known`.

    Clips come in the order of `known`. Files from elsewhere (`trusted` false) are decoded in a sandbox. Lines that are
    marked as drawn in another domain are refused unless `pictures` says so of all.
    """

    def __init__(self, folder: Path, pictures: dict[str, Any], known: Sequence[str], *, trusted: bool):
        self.folder, self.pictures = folder, pictures
        try:
            # absolute: pictures are read in a thread while the model may be in a working directory of its own
            self._clips = Clips(folder.absolute(), trusted=trusted)
        except RenderError as error:  # before anything is asked: the folder that was named is the fault
            raise UsageError(str(error)) from None
        self._places = _places(folder, self._clips, as_judged="as_domain" not in pictures)
        self.clips = tuple(clip for clip in known if clip in self._places)
        if strange := set(self._places).difference(known):
            raise UsageError(f"{folder}: shows clips that are not of the split: {min(strange)!r}")

    def sample(self, number: int) -> list[Question]:
        return self.read(spread(self.clips, number))

    def draw(self) -> None:
        """Draw nothing: the pictures are there."""

    def read(self, batch: Batch) -> list[Question]:
        # the sample of an open split also holds its truth: the fields of a question leave it here
        return [Question(*(sample[name] for name in Question._fields)) for sample in map(self._sample, batch)]

    def only(self, clips: tuple[str, ...]) -> Pictures:
        """Return the questions about these clips."""
        part = copy.copy(self)
        part.clips = clips
        return part

    def row(self, clip_id: str) -> dict[str, Any]:
        """Return a clip's line of clips.jsonl, checked. Raises RenderError."""
        return self._clips.row(self._places[clip_id])

    def _sample(self, clip_id: str) -> dict[str, Any]:
        try:
            return self._clips[self._places[clip_id]]
        except OSError as error:
            raise UsageError(f"{self.folder}: clip {clip_id} cannot be read ({error.strerror or error})") from None


def open_rendering(folder: Path, truth: Truth, known: Sequence[str], wants: Wants | None, choices: Choices) -> Pictures:
    """Return the rendering in `folder`, or in the folder there that is named after the split. Raises UsageError.

    `wants`: the frames that it must have; None for any.
    """
    if not (folder / RENDERING).is_file() and (folder / truth.split / RENDERING).is_file():
        folder /= truth.split
    details = _read_description(folder)
    _check_split(folder, details, truth, choices.as_domain)
    if choices.shard is not None and (shard := details["request"].get("shard")):
        raise UsageError(
            f"{folder}: holds shard {shard} of a rendering alone, and --shard cuts the clips of a whole one: harness "
            "merge joins its shards; without --frames each shard draws its own pictures"
        )
    if wants is not None:
        _check_wants(folder, details["request"], wants, rendered_elsewhere=not truth.answered)
    return Pictures(folder, _pins(details), known, trusted=False)


class DrawnLater:
    """Questions about a split whose pictures are drawn when they are needed: a few to try, then all that are asked."""

    def __init__(self, truth: Truth, known: tuple[str, ...], wants: Wants, choices: Choices):
        shown = {"as_domain": choices.as_domain, **wants._asdict()}
        request = Request(world=choices.world, split=truth.split, **shown)
        self._request, self._source = request, source_of(request, home=choices.home)
        self._details = description(request, self._source)
        self._what, self._wants, self._choices = (truth.world, truth.split), wants, choices
        self._all: Pictures | None = None
        self._known, self._is_part = known, False
        self.clips, self.pictures = known[: choices.limit], _pins(self._details)

    def only(self, clips: tuple[str, ...]) -> DrawnLater:
        """Return the questions about these clips, which alone are drawn unless the whole split is there."""
        part = copy.copy(self)
        part.clips, part._is_part = clips, True
        return part

    def sample(self, number: int) -> list[Question]:
        """Return questions about the first clips, drawn for it unless all are there."""
        folder = _cache_folder(cache_home(self._choices.home), self._details)
        few = self._all or (self._made(None) if is_whole(folder) else self._made(self.clips[:number]))
        return few.read(self.clips[:number])

    def draw(self) -> None:
        """Draw the clips that are asked about into the cache unless they are there."""
        self.whole()

    def whole(self) -> Pictures:
        """Return the pictures that `draw` draws."""
        self._all = self._all or self._made(self.clips if self._is_part or self._choices.limit else None)
        return self._all

    def read(self, batch: Batch) -> list[Question]:
        """Return one question for each clip id."""
        return self.whole().read(batch)

    def apart(self, clips: Collection[str]) -> DrawnApart:
        """Return questions about these clips for another process, which draws each clip when it is asked about."""
        jobs = {job.clip_id: job._replace(truth=None) for job in self._source.jobs(clips)}
        folder = _cache_folder(cache_home(self._choices.home), self._details)
        return DrawnApart(Writer(folder, self._request, self._source), jobs, self._details, self._known)

    def _made(self, clips: tuple[str, ...] | None) -> Pictures:
        """Return these clips, or all, as the model wants to see them, rendered into the cache unless they are."""
        wants, (world, split) = self._wants, self._what
        folder, drawn = _cache_folder(cache_home(self._choices.home), self._details), dict[str, Any]()
        if clips is not None and not is_whole(folder):  # where the whole split is there, no part is made
            is_first = clips == self._known[: len(clips)]
            part = str(len(clips)) if is_first else sha256("\n".join(clips).encode())[:12]
            folder = folder.with_name(f"{folder.name}-{part}")
            drawn = {"limit": len(clips)} if is_first else {"clips": clips}
        if not is_whole(folder):
            self._choices.say(
                f"rendering {world} / {split} into {folder} ({wants.frames} frames a clip, {wants.sampler}, "
                f"{wants.size} x {wants.size})"
            )
            shown = {"split": split, "as_domain": self._choices.as_domain, **wants._asdict()}
            render(
                self._choices.world, folder, workers=self._choices.workers, home=self._choices.home, **shown, **drawn
            )
        return Pictures(folder, self.pictures, self._known, trusted=True)


class DrawnApart:
    """Questions that can be sent to another machine, which draws a clip when it is asked about.

    Where the cache there has the whole rendering, the pictures come from it. The pixels are those of a rendering.
    """

    def __init__(self, writer: Writer, jobs: dict[str, Job], details: dict[str, Any], known: tuple[str, ...]):
        self._writer, self._jobs, self._details, self._known = writer, jobs, details, known
        self.clips, self.pictures = tuple(jobs), _pins(details)
        self._cached: Pictures | None = None

    def sample(self, number: int) -> list[Question]:
        return self.read(spread(self.clips, number))

    def draw(self) -> None:
        """Look for the rendering in the cache. Raises RenderError where this machine would draw other pictures."""
        if is_whole(self._writer.folder):
            self._cached = Pictures(self._writer.folder, _pins(self._details), self._known, trusted=True)
        else:
            check_draws_alike(self._writer.request, self._writer.source, self._details)

    def read(self, batch: Batch) -> list[Question]:
        return self._cached.read(batch) if self._cached else [self._question(self._jobs[clip]) for clip in batch]

    def _question(self, job: Job) -> Question:
        with _one_at_a_time:
            indices = self._writer.indices(job)
            pictures = self._writer.pictures(job, indices)
        row = self._writer.row(job, indices)
        frames = [image_pixels(picture, job.clip_id) for picture in pictures]
        times = np.array(row["times_s"], np.float64)
        return Question(job.clip_id, np.stack(frames), np.array(indices, np.int64), times, row["prompt"])


def where_asked(questions: Questions, clips: Collection[str]) -> Questions:
    """Return questions about these clips that can be sent to where they are asked."""
    return questions.apart(clips) if isinstance(questions, DrawnLater) else questions


def make_rendering(truth: Truth, known: tuple[str, ...], wants: Wants, choices: Choices) -> DrawnLater:
    """Return the split as the model wants to see it. Raises UsageError for a recording, which nothing can draw."""
    if truth.meta["kind"] == "imported":
        raise UsageError(
            f"{truth.world} was imported, its pictures are a recording: harness world render "
            f"{truth.world} --video FILE -o DIR, then --frames DIR"
        )
    return DrawnLater(truth, known, wants, choices)


def clips_drawn(truth: Truth, clips: tuple[str, ...], choices: Choices) -> tuple[str, ...]:
    """Return the clips that can be asked about as they are drawn: in another domain not those that show more there."""
    if choices.as_domain is None:
        return clips
    process = locate(choices.world, choices.home).process
    if process is None or truth.sealed:
        raise UsageError(f"{truth.world}: nothing can draw its clips in another domain; leave --as-domain out")
    rows = truth.connection.execute(sql(__package__, "drawn"), [sorted(shows_more(process, choices.as_domain))])
    drawn = {clip_id for (clip_id,) in rows.fetchall()}
    return tuple(clip_id for clip_id in clips if clip_id in drawn)


def is_whole(folder: Path) -> bool:
    """Return whether a folder of the cache holds a whole rendering; one that does not say what it is, is removed."""
    if not folder.is_dir():
        return False
    if _object(folder / RENDERING) is None:
        with locked(folder):  # another process may just begin there
            if _object(folder / RENDERING) is None:
                shutil.rmtree(folder, ignore_errors=True)
        return False
    index = _object(folder / INDEX)
    with contextlib.suppress(RenderError):
        return index is not None and sum(1 for _ in json_lines(folder / CLIPS, RenderError)) == index.get("clips")
    return False


def _object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None."""
    with contextlib.suppress(RenderError):
        return read_object(path, RenderError, JSON_BYTES)
    return None


def split_in_batches(clips: Sequence[str], size: int) -> Iterator[Batch]:
    """Cut a list of clip ids into batches of `size`, the last one perhaps shorter."""
    return (clips[start : start + size] for start in range(0, len(clips), size))


def read_ahead(questions: Questions, batches: Iterable[Batch]) -> Generator[list[Question]]:
    """Yield the questions of each batch while a thread reads the next ones."""
    with ThreadPoolExecutor(1) as pool:
        yield from in_order(pool, questions.read, batches, AHEAD)


def _cache_folder(home: Path, details: dict[str, Any]) -> Path:
    """Return the folder of a rendering in the cache.

    Its name pins all that the bytes depend on, so a changed world or renderer gets another folder.
    """
    request = details["request"]
    pinned = hashlib.sha256(json.dumps(details, sort_keys=True).encode()).hexdigest()[:12]
    name = f"{request['split']}-{request['sampler']}-{request['frames']}x{request['size']}-{pinned}"
    return home / "renderings" / request["world"] / name


def _read_description(folder: Path) -> dict[str, Any]:
    """Return render.json of a whole rendering. Raises UsageError."""
    if not (folder / INDEX).is_file():
        raise UsageError(f"{folder}: holds no whole rendering; harness world render WORLD -o {folder}")
    try:
        return read_description(folder)
    except RenderError as error:
        raise UsageError(f"{folder / RENDERING}: does not say what was rendered ({error})") from None


def _pins(details: dict[str, Any]) -> dict[str, Any]:
    request = details["request"]
    pinned = {key: request[key] for key in PINNED if request.get(key) is not None}
    return pinned | {key: str(details.get(key)) for key in ("world_digest", "code")}


def _check_split(folder: Path, details: dict[str, Any], truth: Truth, as_domain: str | None) -> None:
    """Raise UsageError for pictures of another split, or of this one as it is not judged or not asked for."""
    request = details["request"]
    world, split = request.get("world"), request.get("split")
    if (world, split) != (truth.world, truth.split):
        hint = f"; --world {folder} predicts for it" if (folder / COMMITMENT).is_file() else ""
        there = f"{str(world)[:80]} / {str(split)[:80]}"
        raise UsageError(f"{folder}: shows {there}, expected {truth.world} / {truth.split}{hint}")
    # a truth's world digest ends with its scale (x10) or seal (:...), which a rendering's does not
    if re.split("[:x]", truth.meta["world_digest"])[0] != details["world_digest"]:
        raise UsageError(f"{folder}: shows another version of {truth.world}; render it again")
    if as_domain is not None and (request.get("as_domain") != as_domain or request.get("paint_out")):
        raise UsageError(f"{folder}: was not drawn with --as-domain {as_domain}, as was asked for")
    if as_domain is None and (request.get("as_domain") or request.get("paint_out")):
        raise UsageError(f"{folder}: was drawn in another domain or painted out, a split is not judged on that")


def _check_wants(folder: Path, request: dict[str, Any], wants: Wants, *, rendered_elsewhere: bool) -> None:
    """Raise UsageError where a rendering has other frames than the model wants."""
    if other := [name for name, value in wants._asdict().items() if request.get(name) != value]:
        there = ", ".join(f"{name} {str(request.get(name))[:20]}" for name in other)
        if rendered_elsewhere:
            wanted = ", ".join(f"{name} {getattr(wants, name)}" for name in other)
            raise UsageError(
                f"{folder}: has {there}; the model wants {wanted}, and only the organiser of a sealed split can draw it"
            )
        wanted = " ".join(f"--{name} {getattr(wants, name)}" for name in other)
        raise UsageError(
            f"{folder}: has {there}; the model wants a rendering with {wanted}, and gets one without --frames"
        )


def _places(folder: Path, clips: Clips, *, as_judged: bool) -> dict[str, int]:
    """Return clip id -> line of clips.jsonl, from 0.

    Raises UsageError for a line that is marked as altered, where the pictures should be those that are judged.
    """
    for number, row in enumerate(clips.rows, 1):
        if row.altered and as_judged:
            raise UsageError(f"{folder / CLIPS}:{number}: an altered picture, a split is not judged on that")
    return {row.clip_id: place for place, row in enumerate(clips.rows)}
