"""Sizes of the check, true and rehearsed; configs of its runs, and the frames that they read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from finetune.base_models import BASES
from finetune.config import Config
from finetune.gpu_check.steps import MAIN
from reference.rendering.render_split import render
from reference.rendering.request import Request

Line = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """Numbers of clips and updates of a check."""

    batches: tuple[int, ...]  # of the passes
    loop: tuple[int, int]  # batch and passes an update of the loop
    too_large: int  # batch that does not fit
    asked: int  # clips of a batch of answers
    repeats: int  # measurements of one thing


TRUE = Sizes(batches=(2, 4, 8, 12), loop=(16, 2), too_large=32, asked=16, repeats=3)
"""The loop's batch is what the plan gives a T4."""
REHEARSED = Sizes(batches=(1, 2), loop=(2, 2), too_large=4, asked=2, repeats=1)


@dataclass(frozen=True)
class Setup:
    """Places and sizes of a check; `rehearsal` takes tiny shapes on the CPU in place of published ones on the card."""

    work: Path
    rehearsal: bool

    @property
    def sizes(self) -> Sizes:
        """Sizes of this check."""
        return REHEARSED if self.rehearsal else TRUE

    @property
    def device(self) -> str:
        """Kind of the device."""
        return "cpu" if self.rehearsal else "cuda"

    def folder(self, base: str) -> Path:
        """Folder of a base's checkpoint."""
        return self.work / base.rpartition("/")[2]

    def new_run(self, name: str) -> Path:
        """Return the empty folder of a run; what an earlier check left there is deleted."""
        folder = self.work / "runs" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def side(self, base: str) -> int:
        """Side of a frame in pixels: the base's own, in a rehearsal three merged patches."""
        vision = BASES[base].vision
        return 3 * vision["patch_size"] * vision["spatial_merge_size"] if self.rehearsal else BASES[base].size

    def config(self, base: str = MAIN, **changes: Any) -> Config:
        """Return the defaults for a base of random weights, that evaluate at the end alone and on few clips."""
        frames = self.work / f"frames-{self.side(base)}"
        config = Config(
            base=base,
            weights=str(self.folder(base)),
            size=self.side(base),
            train=str(frames / "train"),
            validation=str(frames / "validation"),
            scratch=str(self.work / "kept"),
            evaluate_every=0,
            evaluate_clips=self.sizes.asked,
            patience=0,
        )
        if self.rehearsal:
            config = replace(config, optimizer="adamw_8bit", threads=1, workers=0)
        return replace(config, **changes)

    def synchronise(self) -> None:
        """Wait until the device has done all its work."""
        if not self.rehearsal:
            torch.cuda.synchronize()


def figure(row: str, what: str, value: Any) -> Line:
    """Return a line with a measured value; a float keeps four digits."""
    return {"row": row, "what": what, "measured": float(f"{value:.4g}") if isinstance(value, float) else value}


def forecast(row: str, what: str, value: float) -> Line:
    """Return a line with a planned value."""
    return {"row": row, "what": what, "planned": float(f"{value:.4g}")}


def draw_frames(setup: Setup) -> Iterator[Line]:
    """Draw the clips of all steps: two updates of the loop, a batch of answers."""
    batch, passes = setup.sizes.loop
    for side in dict.fromkeys(map(setup.side, BASES)):
        for split, clips in (("train", 2 * batch * passes), ("validation", setup.sizes.asked)):
            request = Request(split=split, form="frames", size=side, limit=clips)
            workers = 1 if setup.rehearsal else os.cpu_count() or 1
            render(request, setup.work / f"frames-{side}" / split, workers=workers)
        yield figure("frames", f"clips of {side} px", 2 * batch * passes + setup.sizes.asked)
