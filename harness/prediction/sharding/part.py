"""Part of a run that a shard asks about: a contiguous range of the run's clips, which ends at whole batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.formatting import plural
from reference.files import sha256
from reference.shard import Shard


@dataclass(frozen=True)
class Part:
    """Clips of a shard: the places `first` to `last`, from 1, among the clips of the run. `digest`: of all of them."""

    shard: Shard
    clips: tuple[str, ...]
    first: int
    last: int
    total: int
    digest: str

    @classmethod
    def of(cls, shard: Shard, clips: tuple[str, ...], at_once: int) -> Part:
        """Cut a run's clips, which are asked about in batches of so many. Raises HarnessError for too many shards."""
        batches = -(-len(clips) // at_once)
        if at_once == 1:
            mine = shard.cut(batches, plural(batches, "clip"))
        else:
            what = f"{'1 batch' if batches == 1 else f'{batches:,} batches'} of {at_once:,} clips"
            mine = shard.cut(batches, what, ", or a smaller --batch-size")
        chosen = clips[mine.start * at_once : mine.stop * at_once]
        first = mine.start * at_once + 1
        return cls(shard, chosen, first, first + len(chosen) - 1, len(clips), clips_digest(clips))

    @property
    def identity(self) -> str:
        """Return what tells this part from another of the same run, in words."""
        return f"{self.shard}, clips {self.first} to {self.last} of {self.total} ({self.digest[:12]})"

    @property
    def table(self) -> dict[str, Any]:
        """Return the card's `run.shard`."""
        return {"first": self.first, "last": self.last, "clips": self.total, "clips_sha256": self.digest}


def clips_digest(clips: tuple[str, ...]) -> str:
    """Return a digest of clip ids in their order."""
    return sha256("\n".join(clips).encode())


def shard_in(identity: Mapping[str, Any]) -> Shard | None:
    """Return the shard of an unfinished run by the identity in its journal; None where it is of none."""
    said = identity.get("shard")
    return Shard.of(said.split(",")[0]) if isinstance(said, str) else None
