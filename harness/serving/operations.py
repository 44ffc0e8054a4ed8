"""Operations of a server: those of a world, with the constant answer of its training split, or those of a file."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.baselines.write import line, random_answer
from harness.errors import HarnessError
from harness.prediction.floors import Floors, NoFloors
from harness.prediction.own_clips.labels import Labels, labels_of_world, read_labels
from reference.errors import WorldError
from reference.task import CLIP_FRAMES, DEFAULT_SPLIT
from reference.truth.catalog import locate
from reference.truth.store import open_clips

FIELDS = ("dominant_operation", "temporal_segment", "next_operation")


class WorldFloors(NoFloors):
    """Floors for clips from anywhere: the constant answer and the usual successors of a world's training split."""

    def __init__(self, floors: Floors):
        super().__init__((), floors.operations)
        self._floors, self._clip = floors, floors.clips[0]

    def constant(self, clip_id: str) -> dict[str, Any]:
        """Return the three answer fields that are right most often."""
        return self._floors.constant(self._clip)

    def after(self, clip_id: str, operation: str) -> Any:
        """Return the operation that follows it most often."""
        return self._floors.after(self._clip, operation)

    def answers(self, name: str, seed: int = 0) -> Mapping[str, dict[str, Any]]:
        """Return clip id -> answer fields of a baseline that uses no truth; a random one depends on seed and id."""
        whole = {"temporal_segment": {"start_frame": 0, "end_frame": CLIP_FRAMES}}

        def at_random(clip_id: str) -> dict[str, Any]:
            codes = random_answer(random.Random(f"{seed} {clip_id}"), self.operations)
            found = line(clip_id, self.operations, codes)
            return {field: found[field] for field in FIELDS}

        return AnyClip(
            {
                "constant": self.constant,
                "whole-clip": lambda clip_id: self.constant(clip_id) | whole,
                "random": at_random,
            }[name]
        )


class AnyClip(Mapping[str, dict[str, Any]]):
    """Mapping from any clip id to an answer."""

    def __init__(self, answer: Callable[[str], dict[str, Any]]):
        self._answer = answer

    def __getitem__(self, clip_id: str) -> dict[str, Any]:
        return self._answer(clip_id)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read_operations(world: str, labels: Path | None) -> tuple[Labels, NoFloors]:
    """Return the operations with their meanings, and what stands in where a text holds no answer.

    Labels of a file have no training split, nor have worlds that were imported: for them nothing stands in. Raises
    UsageError, WorldError.
    """
    if labels is not None:
        found = read_labels(labels)
        return found, NoFloors((), found.operations)
    found = labels_of_world(world)
    origin = locate(world)
    split = DEFAULT_SPLIT if DEFAULT_SPLIT in origin.splits else origin.splits[0]
    if origin.process:
        with suppress(WorldError, HarnessError), open_clips(world, split) as truth:
            return found, WorldFloors(Floors(truth))
    return found, NoFloors((), found.operations)
