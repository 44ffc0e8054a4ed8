"""What a frozen vision tower says of a clip, kept on disk: computed once, read in later epochs, evaluations and runs.

    FOLDER/KEY/ab/abcdef....npy    features [tokens, width] in fp16; Qwen3-VL's deep features beside the others

KEY stands for the tower's weights, its compute type and VERSION, the file's name for the frames. A file is written
whole or not at all, and only if all its numbers are finite. Nothing here may stop a run: a place that is full, gone or
torn means that the tower computes the clip.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.config import Config
from reference.files import write_atomically
from reference.home import cache_home

VERSION = 1
"""Of what is computed for a clip: a change of patches, of the tower's code or of this form raises it."""
RESERVE = 1 << 30
"""Bytes of the place that stay free."""
WAITING = 64
"""Clips that may wait to be written; further ones are computed again in the next epoch."""
DIGEST = 16


def cache_folder(config: Config) -> Path:
    """Return the folder of a run's cache."""
    return (Path(config.scratch) if config.scratch else cache_home()) / "vision"


def clip_digest(frames: NDArray[np.uint8]) -> bytes:
    """Return the digest of a clip's frames [n, h, w, 3]."""
    shape = repr(frames.shape).encode()
    return hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=DIGEST, key=shape[:64]).digest()


def tower_key(visual: torch.nn.Module, *facts: str) -> str:
    """Return the name of a tower: of VERSION, its weights, and facts such as the compute type."""
    digest = hashlib.blake2b(repr((VERSION, *facts)).encode(), digest_size=DIGEST)
    for name, parameter in visual.state_dict().items():
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def clip_bytes(tokens: int, width: int) -> int:
    """Return the bytes of a clip's features."""
    return 2 * tokens * width + 128


class VisionCache:
    """Features of one tower below a folder, of `budget` bytes at most; it can be sent to other processes.

    Each of the `writers`, processes that write at the same time, may fill its share of the room.
    """

    def __init__(self, folder: Path, key: str, budget: int, writers: int = 1):
        self.root, self.folder = folder, folder / key
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.left = self._room(budget) // writers

    def _room(self, budget: int) -> int:
        """Return the bytes that may still be written; other towers' features go where a tenth of the budget is gone."""
        others = sorted((path for path in self.root.glob("*") if path.is_dir() and path != self.folder), key=_time)
        while True:
            left = min(budget - _features_bytes(self.root), free_bytes(self.root) - RESERVE)
            if left >= budget // 10 or not others:
                return max(0, left)
            shutil.rmtree(others.pop(0), ignore_errors=True)

    def path(self, digest: bytes) -> Path:
        """Return the file of a clip."""
        name = digest.hex()
        return self.folder / name[:2] / f"{name}.npy"

    def read(self, digests: Sequence[bytes]) -> NDArray[np.float16] | None:
        """Return the features [tokens, width] of clips, one after another; None if one of them is missing or torn."""
        found = []
        for digest in digests:
            try:
                found.append(np.load(self.path(digest), allow_pickle=False))
            except (OSError, ValueError, EOFError):
                return None
        return np.concatenate(found)

    def look_up(self, clips: Sequence[NDArray[np.uint8]]) -> dict[str, torch.Tensor]:
        """Return the `digests` [clips, DIGEST] of clips' frames and, where all of them are kept, their `features`."""
        digests = [clip_digest(frames) for frames in clips]
        found = {"digests": torch.from_numpy(np.stack([np.frombuffer(one, np.uint8) for one in digests]))}
        features = self.read(digests)
        return found if features is None else found | {"features": torch.from_numpy(features)}

    def write(self, digest: bytes, features: NDArray[np.float16]) -> bool:
        """Write a clip's features; return False, and write nothing, if they are not finite or there is no room."""
        path = self.path(digest)
        if path.exists() or features.nbytes > self.left or not np.isfinite(features).all():
            return False
        try:
            write_atomically(path, lambda temporary: np.save(temporary, features))
        except OSError:
            self.left = 0
            return False
        self.left -= features.nbytes
        return True


class Writer:
    """Thread that writes features while the next pass is computed; nobody waits for it but `close`."""

    def __init__(self, cache: VisionCache):
        self.cache, self.pool, self.waiting = cache, ThreadPoolExecutor(1), 0

    def write(self, digests: torch.Tensor, features: torch.Tensor, tokens: int) -> None:
        """Write the features [clips x tokens, width] of clips with these digests [clips, DIGEST]."""
        if self.waiting + len(digests) > WAITING or self.cache.left <= 0:
            return
        self.waiting += len(digests)
        # The copy to pinned memory is queued behind the tower's work; the thread waits for it, the training does not.
        copy = torch.empty(features.shape, dtype=torch.float16, pin_memory=features.is_cuda)
        copy.copy_(features.detach(), non_blocking=True)
        done = torch.cuda.Event() if features.is_cuda else None
        if done is not None:
            done.record()
        self.pool.submit(self._write, digests, copy, tokens, done)

    def _write(self, digests: torch.Tensor, copy: torch.Tensor, tokens: int, done: Any) -> None:
        if done is not None:
            done.synchronize()
        for digest, features in zip(digests.numpy(), copy.split(tokens), strict=True):
            self.cache.write(digest.tobytes(), features.numpy())
            self.waiting -= 1

    def close(self) -> None:
        """Wait until everything is written."""
        self.pool.shutdown()


def _features_bytes(root: Path) -> int:
    """Return the bytes of all features below a folder, in which other processes may write and delete meanwhile."""
    return sum(
        _size(Path(folder, name)) for folder, _, names in os.walk(root) for name in names if name.endswith(".npy")
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the place where a folder is or will be; 0 if it cannot be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free if os.access(folder, os.W_OK) else 0
    except OSError:
        return 0
