"""Files of a rendering, one clip at a time: pictures as JPEG or WebP, folders of them, videos.

    frames/CLIP_ID/017.jpg    the frame with index 17
    videos/CLIP_ID.mp4        all 125 frames
    shards/SPLIT-00003.tar    reference.rendering.shards
    clips.jsonl               what a model may see: a line for each clip
    truth.jsonl               train and validation only
    render.json, index.json   the request; the files that it gave, with digests

A file or folder gets its name when it is whole, so an interrupted rendering holds only whole ones. `is_whole` is a
second check, cheap and structural, for damage by a power cut.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.errors import RenderError, ShardError
from reference.extras import needs
from reference.rendering.picture_size import picture_size
from reference.rendering.shards import read_shard

Pixels = NDArray[np.uint8]
FRAME = re.compile(r"[0-9]{3}\.(?:jpg|webp)")
PARTIAL = ".partial"
"""Beside frames/, videos/ and shards/: what is being written."""
SIDES = 16, 2048
"""Least and greatest side of a rendered picture, in pixels; no greater one is decoded."""
IMAGES: dict[str, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 90, "subsampling": "4:2:0"},
    "webp": {"format": "WEBP", "quality": 80, "method": 4},
}


def image_bytes(picture: Pixels, kind: str) -> bytes:
    """Return RGB [h, w, 3] as a JPEG or WebP file. Pillow alone writes it: no other library may change a byte."""
    buffer = io.BytesIO()
    _pillow().fromarray(picture).save(buffer, **IMAGES[kind])
    return buffer.getvalue()


def image_pixels(content: bytes, name: str, side: int | None = None) -> Pixels:
    """Return the RGB pixels [h, w, 3] of a JPEG or WebP file. Raises RenderError naming `name`.

    The header is read first: a picture with other sides than `side` pixels, or without it with sides above those of
    SIDES, is refused before it is decoded.
    """
    size = picture_size(content)
    _check_size(size, name, side)
    try:
        with _pillow().open(io.BytesIO(content), formats=("JPEG", "WEBP")) as picture:
            if picture.size != size:
                raise ValueError(f"two sizes, {size} and {picture.size}")
            return np.asarray(picture.convert("RGB"))
    except RenderError:
        raise
    except Exception as error:  # what a decoder of damaged bytes raises is not listed anywhere
        raise RenderError(f"{name}: not a readable picture ({str(error)[:200]})") from None


def _check_size(size: tuple[int, int] | None, name: str, side: int | None) -> None:
    if size is None:
        raise RenderError(f"{name}: not a readable picture (no header of a JPEG or WebP)")
    width, height = size
    if side is not None and size != (side, side):
        raise RenderError(f"{name}: has {width} x {height} pixels, expected {side} x {side}")
    if not (0 < width <= SIDES[1] and 0 < height <= SIDES[1]):
        raise RenderError(f"{name}: has {width} x {height} pixels, sides of at most {SIDES[1]} are read")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise RenderError(needs("a picture", error)) from None
    return Image


def frame_name(index: int, kind: str) -> str:
    """Return the file name of the frame with this index."""
    return f"{index:03d}.{kind}"


def frame_indices(folder: Path) -> list[int]:
    """Return the frame indices that a clip's folder holds, sorted. Raises RenderError for another file in it."""
    names = sorted(path.name for path in folder.iterdir())
    if odd := next((name for name in names if not FRAME.fullmatch(name)), None):
        raise RenderError(f"{folder / odd}: is no frame; delete the folder, and it is rendered again")
    return sorted(int(name[:3]) for name in names)


def write_folder(path: Path, files: Mapping[str, bytes], partial: Path) -> None:
    """Write a folder with these files, whole or not at all."""
    scratch = partial / f"{os.getpid()}-{path.name}"
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, content in files.items():
        (scratch / name).write_bytes(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch.rename(path)


def is_whole_folder(path: Path, n: int) -> bool:
    """Return whether a folder holds n whole files and no other."""
    return path.is_dir() and [is_whole(file) for file in path.iterdir()] == [True] * n


def is_whole(path: Path) -> bool:
    """Return whether a file ends as one of its kind must."""
    try:
        return path.is_file() and _CHECKS[path.suffix](path)
    except (OSError, KeyError, ShardError):
        return False


def _whole_jpeg(path: Path) -> bool:
    content = path.read_bytes()
    return content.startswith(b"\xff\xd8") and content.endswith(b"\xff\xd9")


def _whole_webp(path: Path) -> bool:
    content = path.read_bytes()
    return content[:4] == b"RIFF" and len(content) == 8 + int.from_bytes(content[4:8], "little")


def _whole_mp4(path: Path) -> bool:
    """Return whether a file's boxes fill it, and the last one holds the pictures."""
    content, place, kind = path.read_bytes(), 0, b""
    while 0 <= place < len(content):
        size, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if size < 8:
            return False
        place += size
    return place == len(content) and kind == b"mdat"


def _whole_tar(path: Path) -> bool:
    return sum(1 for _ in read_shard(path)) > 0


_CHECKS = {".jpg": _whole_jpeg, ".webp": _whole_webp, ".mp4": _whole_mp4, ".tar": _whole_tar}


def digest(path: Path) -> dict[str, Any]:
    """Return `bytes` and `sha256` of a file; for a folder over its files in order: name, length, content."""
    total, size = hashlib.sha256(), 0
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        content = file.read_bytes()
        size += len(content)
        if path.is_dir():
            total.update(f"{file.name} {len(content)}\n".encode())
        total.update(content)
    return {"bytes": size, "sha256": total.hexdigest()}
