"""The user's own clips as questions: the published prompt with the user's operations, and the pictures that are wanted.

A folder of videos and pictures is cut into clips (`clip_files`); the clips.jsonl of a rendering is read as `--frames`
reads one, and nothing of a truth beside it is looked at. A clip whose pictures turn out to be damaged is left out of
its batch, and `faults` says why: the others are asked about all the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, UsageError
from harness.prediction.own_clips.clip_files import Found, OwnClip, find_clips
from harness.prediction.own_clips.labels import Labels
from harness.prediction.own_clips.sheets import SIDE, Sheets, sheet
from harness.prediction.predictor import Question, Wants, without_pictures
from harness.prediction.questions import spread
from harness.progress import counter
from reference.errors import RenderError
from reference.files import sha256
from reference.rendering.artifacts import SIDES
from reference.rendering.lists import CLIPS, RENDERING, read_description
from reference.rendering.prompt import task_prompt, times_s
from reference.task import CLIP_FRAMES, DEFAULT_INDICES, DEFAULT_SAMPLER, FRAME_MS
from reference.training.datasets import Clips
from reference.video.decoders import Pixels
from reference.video.samplers import LUMA_SIDE, SAMPLERS, luma_of, uniform_indices


class Shown(Protocol):
    """Clips with pictures, by id. `found`: what a folder of files holds besides; `split`: the world and split drawn."""

    clips: tuple[str, ...]
    found: Found
    split: tuple[str, str] | None

    def check(self, wants: Wants) -> None:
        """Raise UsageError where no clip can be shown as a model wants it."""

    def show(self, clip_id: str, wants: Wants) -> tuple[Pixels, Sequence[int]]:
        """Return the frames that a model wants, [n, size, size, 3], and their indices. Raises HarnessError."""

    def reason(self, clip_id: str, error: HarnessError | OSError) -> str:
        """Return what an error says of a clip that cannot be shown."""

    def sheet(self, clip_id: str) -> bytes:
        """Return up to eight pictures that are evenly spread over a clip, as one WebP. Raises HarnessError."""


class OwnQuestions:
    """Questions about own clips. `pictures` pins what is shown; `faults`: clip id -> why it could not be shown."""

    def __init__(self, shown: Shown, labels: Labels, wants: Wants | None):
        if wants is not None:
            shown.check(wants)
        self.shown, self.labels, self._wants = shown, labels, wants
        self.clips = shown.clips
        self.pictures = None if wants is None else {"form": "own clips", **wants._asdict()}
        self.faults: dict[str, str] = {}

    @property
    def identity(self) -> dict[str, str]:
        """Return what tells these clips and operations from any others."""
        return {"clips": self.shown.found.digest, "labels": self.labels.digest}

    def sample(self, number: int) -> list[Question]:
        """Return questions about clips that are spread over all."""
        return self.read(spread(self.clips, number))

    def draw(self) -> None:
        """Draw nothing: clips are read when they are asked about."""

    def read(self, batch: Sequence[str]) -> list[Question]:
        """Return a question for each clip that can be shown."""
        found = (self._question(clip_id) for clip_id in batch)
        return [question for question in found if question is not None]

    def _question(self, clip_id: str) -> Question | None:
        if self._wants is None:
            return without_pictures(clip_id)
        try:
            frames, indices = self.shown.show(clip_id, self._wants)
        except (HarnessError, OSError) as error:
            self.faults[clip_id] = self.shown.reason(clip_id, error)
            return None
        prompt = task_prompt(self.labels.operations, indices, self.labels.meanings)
        times = np.array(times_s(indices), np.float64)
        return Question(clip_id, frames, np.array(indices, np.int64), times, prompt)


class FolderClips:
    """Clips of a folder of videos and of pictures."""

    split: tuple[str, str] | None = None

    def __init__(self, folder: Path, fps: float | None = None):
        with counter(f"clips of {folder.name}") as report:
            self.found = find_clips(folder, fps, report)
        self.clips, self._sheets = tuple(self.found.clips), Sheets()

    def check(self, wants: Wants) -> None:
        if wants.frames > CLIP_FRAMES or wants.sampler not in SAMPLERS or not SIDES[0] <= wants.size <= SIDES[1]:
            raise UsageError(
                f"the model wants {wants.frames} frames of {wants.size} x {wants.size} by the sampler {wants.sampler}; "
                f"a clip has {CLIP_FRAMES} frames, sides are {SIDES[0]} to {SIDES[1]}, samplers {', '.join(SAMPLERS)}"
            )

    def show(self, clip_id: str, wants: Wants) -> tuple[Pixels, Sequence[int]]:
        indices = _indices(self.found.clips[clip_id], wants)
        frames = _squares(self.found.clips[clip_id], indices, wants.size)
        if indices == DEFAULT_INDICES:
            with contextlib.suppress(RenderError):  # the page goes without
                self._sheets.keep(clip_id, frames)
        return frames, indices

    def reason(self, clip_id: str, error: HarnessError | OSError) -> str:
        return self.found.clips[clip_id].source.reason(error)

    def sheet(self, clip_id: str) -> bytes:
        return self._sheets.get(clip_id) or sheet(_squares(self.found.clips[clip_id], DEFAULT_INDICES, SIDE))


class RenderedClips:
    """Clips of a rendering, as `harness world render` writes them. Raises UsageError where its list is damaged."""

    def __init__(self, folder: Path):
        try:
            # absolute: pictures are read in a thread while the model may be in a working directory of its own
            self._clips = Clips(folder.absolute())
            request = read_description(folder)["request"] if (folder / RENDERING).exists() else {}
        except RenderError as error:
            raise UsageError(str(error)) from None
        self._folder, self._places = folder, {row.clip_id: place for place, row in enumerate(self._clips.rows)}
        self.clips, self.found = tuple(self._places), Found(digest=sha256(folder / CLIPS)[:16])
        self._request = request
        self.split = (request["world"], request["split"]) if request else None
        if not self.clips:
            raise UsageError(f"{folder / CLIPS}: lists no clip")

    def check(self, wants: Wants) -> None:
        wanted = wants._asdict()
        there = {name: self._request.get(name) for name in wanted}
        if not self._request:
            frames = self._clips[0]["frames"]
            there = {"frames": len(frames), "size": frames.shape[1], "sampler": wants.sampler}
        if other := [name for name in wanted if there[name] != wanted[name]]:
            has = ", ".join(f"{name} {there[name]}" for name in other)
            rendered = " ".join(f"--{name} {wanted[name]}" for name in other)
            raise UsageError(f"{self._folder}: has {has}; the model wants a rendering with {rendered}")

    def show(self, clip_id: str, wants: Wants) -> tuple[Pixels, Sequence[int]]:
        sample = self._clips[self._places[clip_id]]
        return sample["frames"], sample["indices"].tolist()

    def reason(self, clip_id: str, error: HarnessError | OSError) -> str:
        return f"cannot be read ({error.strerror or error})" if isinstance(error, OSError) else str(error)

    def sheet(self, clip_id: str) -> bytes:
        frames = self._clips[self._places[clip_id]]["frames"]
        return sheet(frames[list(uniform_indices(len(frames), min(len(DEFAULT_INDICES), len(frames))))])


def open_clips(path: Path, fps: float | None = None) -> Shown:
    """Return the clips of a folder, or of the clips.jsonl of a rendering, or of the folder that holds one.

    `fps`: pictures a second of folders of pictures. Raises UsageError.
    """
    if path.is_dir() and not (path / CLIPS).is_file():
        return FolderClips(path, fps)
    if not path.exists():
        raise UsageError(f"{path}: no such folder")
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.name != CLIPS:
        raise UsageError(f"{path}: is one file; name the folder that holds it, or the {CLIPS} of a rendering")
    if fps is not None:
        raise UsageError(f"{folder}: is a rendering, whose {CLIPS} says the time of each frame: leave --clips-fps out")
    return RenderedClips(folder)


def _indices(clip: OwnClip, wants: Wants) -> tuple[int, ...]:
    """Return the frames that a sampler chooses, which looks at small pictures of all of them unless it is uniform."""
    if wants.sampler == DEFAULT_SAMPLER:
        return uniform_indices(CLIP_FRAMES, wants.frames)
    return SAMPLERS[wants.sampler](luma_of(_squares(clip, range(CLIP_FRAMES), 2 * LUMA_SIDE)), wants.frames)


def _squares(clip: OwnClip, indices: Sequence[int], size: int) -> NDArray[np.uint8]:
    return clip.source.squares([clip.start_ms + index * FRAME_MS for index in indices], size)
