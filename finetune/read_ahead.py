"""Reading ahead: the next updates' passes are read, collated and pinned while the model computes.

Frames are decoded and texts encoded in worker processes (`workers` of the config; 0: in threads of this one). What the
frozen vision tower said of a pass's clips is read in place of their frames, once all of them are kept.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch

from finetune.data import ClipDataset, Collator
from finetune.layers.geometry import ON_HOST, lay_out
from finetune.layers.vision_cache import VisionCache
from reference.pools.processes import end_with_parent

UPDATES_AHEAD = 2
Place = tuple[int, int, int]
"""Epoch and number of a clip, and the seed of its dropout."""


@dataclass(frozen=True)
class PassReader:
    """Reader of one pass's clips as a batch: all that it needs, to be sent to a worker process once.

    `shape` is the transformers config of the model.
    """

    clips: ClipDataset
    collator: Collator
    shape: Any
    cache: VisionCache | None = None

    def read(self, places: Sequence[Place]) -> tuple[dict[str, Any], float]:
        """Return the batch of a pass, with numpy arrays, and the weight of its answer tokens."""
        examples = [self.clips.example(number, epoch) for epoch, number, _ in places]
        batch = self.collator(examples)
        batch |= lay_out(batch, self.collator.base, self.shape)
        if self.cache is not None:
            batch |= self.cache.look_up([example.frames for example in examples])
            if "features" in batch:
                del batch["frames"]
        arrays: dict[str, Any] = {name: value.numpy() for name, value in batch.items()}
        return arrays | {"seeds": [seed for _, _, seed in places]}, float(batch["target_weights"].sum())


class Update(NamedTuple):
    """This process's share of an update: its passes, the weight of their answer tokens, and their clips."""

    passes: list[dict[str, Any]]
    weight: float
    clips: int


class ReadAhead:
    """Passes of the updates of a run, read before they are asked for.

    Clip k of the whole run is a function of the seed and k, so a resumed run reads what an uncut one would have read.
    """

    def __init__(
        self,
        reader: PassReader,
        *,
        seed: int,
        clips_per_update: int,
        rank: int = 0,
        processes: int = 1,
        workers: int = 0,
    ):
        self.reader, self.seed, self.clips_per_update = reader, seed, clips_per_update
        self.rank, self.processes = rank, processes
        self.pool = ThreadPoolExecutor(max(1, workers))
        self.workers: Executor | None = None
        if workers:
            # Spawned: the fork of a process with threads can deadlock, and that of one with CUDA has no card.
            context = get_context("spawn")
            self.workers = ProcessPoolExecutor(workers, context, initializer=_adopt, initargs=(reader,))
        self.waiting: dict[tuple[int, int], list[Future[tuple[dict[str, Any], float]]]] = {}
        self.orders: dict[int, list[int]] = {}

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self.workers, self.pool):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    def update(self, step: int, size: int) -> Update:
        """Return the update of a step in passes of `size` clips; the next ones are read meanwhile."""
        wanted = [(ahead, size) for ahead in range(step, step + 1 + UPDATES_AHEAD)]
        for key in [key for key in self.waiting if key not in wanted]:
            for future in self.waiting.pop(key):
                future.cancel()
        for key in wanted:
            if key not in self.waiting:
                places = self._places(key[0])
                parts = [places[begin : begin + size] for begin in range(0, len(places), size)]
                self.waiting[key] = [self.pool.submit(self._read, part) for part in parts]
        # They stay until the next update: out of memory, this one is asked for once more in smaller passes.
        found = [future.result() for future in self.waiting[step, size]]
        clips = sum(len(batch["seeds"]) for batch, _ in found)
        return Update([batch for batch, _ in found], sum(weight for _, weight in found), clips)

    def _places(self, step: int) -> list[Place]:
        """Return this process's clips of an update."""
        places, clips = [], self.reader.clips
        for position in range(
            step * self.clips_per_update + self.rank, (step + 1) * self.clips_per_update, self.processes
        ):
            epoch, number = divmod(position, len(clips))
            if epoch not in self.orders:
                # Updates ahead may reach across the end of an epoch: its order is kept beside the newest.
                self.orders = {kept: order for kept, order in self.orders.items() if kept == epoch - 1}
                self.orders[epoch] = clips.order(self.seed, epoch)
            # The primes keep the seeds of neighbouring clips and runs apart.
            places.append((epoch, self.orders[epoch][number], (self.seed * 1_000_003 + position * 31) % (1 << 62)))
        return places

    def _read(self, places: Sequence[Place]) -> tuple[dict[str, Any], float]:
        """Return a pass as tensors, pinned where there is a card to copy them to."""
        if self.workers is None:
            batch, weight = self.reader.read(places)
        else:
            batch, weight = self.workers.submit(_read, list(places)).result()
        seeds = batch.pop("seeds")
        tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
        if torch.cuda.is_available():
            tensors = {name: value if name in ON_HOST else value.pin_memory() for name, value in tensors.items()}
        return tensors | {"seeds": seeds}, weight


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Return a pass with everything that is computed with on the device; the copies are queued, not waited for."""
    return {
        name: value if name in ON_HOST or name == "seeds" else value.to(device, non_blocking=True)
        for name, value in batch.items()
    }


_reader: list[PassReader] = []


def _adopt(reader: PassReader) -> None:
    """Keep the reader in a worker process, which computes with one thread and ends with the run."""
    end_with_parent()
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _reader.append(reader)


def _read(places: Sequence[Place]) -> tuple[dict[str, Any], float]:
    return _reader[0].read(places)
