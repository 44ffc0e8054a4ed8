"""A folder of videos and of pictures -> clips of five seconds, each with a name and a place in its file.

A video is a clip. Its id is its path in the folder without the ending, with `/` between folders; where two files would
have one id, the ending stays. A longer video is cut from its beginning into clips of five seconds, whose ids end with
the second at which they begin: NAME/000000, NAME/000005. What is left at the end is a clip, too, where no more than
half a second is missing, for which the last picture stays on show; a shorter rest is left out and counted.

A folder of pictures is a clip, in the natural order of their names (frame2 before frame10), spread evenly over its five
seconds; with a rate it is a recording of so many pictures a second, and cut as a video is. Pictures beside videos are
no clip (cameras write previews there). Names that begin with a dot are passed over.

Videos are of unknown origin: a child process decodes them. Files that cannot be read are left out, with the reason.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness.errors import HarnessError, UsageError
from harness.formatting import printable, writable
from reference.errors import RenderError
from reference.extras import needs
from reference.outside_files import read_bytes
from reference.rendering.recordings import RECORDING
from reference.task import CLIP_MS, MAX_FPS
from reference.video import read
from reference.video.decoders import Pixels
from reference.video.instants import fitted, in_square

VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".ogv")
)
"""Endings of videos; what a file holds is judged by its content."""
PICTURES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
MISSING_MS = 500
"""Milliseconds that a clip may lack at its end."""
MOST_PICTURES = 600
"""Pictures that five seconds are spread over, without a rate: more are a recording."""
SIDE, PICTURE_BYTES = 8192, 64 << 20
"""Longest side in pixels and most bytes of a picture that is decoded."""
LONGEST_ID = 128
NAMED = 5
"""Files that a message names."""
HEAD = 1 << 16
"""Bytes of a file's beginning that tell it, with its size, from another of its name."""
TIMEOUT = 120.0

_NUMBER = re.compile(r"(\d+)")


class Source(Protocol):
    """Video or folder of pictures that clips are cut from."""

    def squares(self, instants_ms: Sequence[int], size: int) -> Pixels:
        """Return what is on show at these times, rising, as uint8 RGB [n, size, size, 3]. Raises HarnessError."""

    def reason(self, error: HarnessError | OSError) -> str:
        """Return what an error says of the source, without the folder that it lies in."""


class VideoFile(NamedTuple):
    """Video that a child process decodes."""

    path: Path

    def squares(self, instants_ms: Sequence[int], size: int) -> Pixels:
        return read.squares(self.path, instants_ms, size, timeout=TIMEOUT, limits=RECORDING)

    def reason(self, error: HarnessError | OSError) -> str:
        return reason(error, self.path)


class PictureFolder(NamedTuple):
    """Pictures that are on show for equal times, `length_ms` together."""

    paths: tuple[Path, ...]
    length_ms: Fraction

    def squares(self, instants_ms: Sequence[int], size: int) -> Pixels:
        last = len(self.paths) - 1
        places = [min(last, int(instant * len(self.paths) / self.length_ms)) for instant in instants_ms]
        shown = {place: picture_square(self.paths[place], size) for place in dict.fromkeys(places)}
        return np.stack([shown[place] for place in places])

    def reason(self, error: HarnessError | OSError) -> str:
        return reason(error, self.paths[0])


class OwnClip(NamedTuple):
    """Clip of a source: five seconds from `start_ms` on."""

    source: Source
    start_ms: int


@dataclass
class Found:
    """Clips of a folder by id, in the order of their files, and what is none of them."""

    clips: dict[str, OwnClip] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # file or folder -> why
    rests: dict[str, float] = field(default_factory=dict)  # file or folder -> seconds at its end that are no clip
    others: int = 0  # files that are neither video nor picture, or pictures beside videos
    digest: str = ""  # tells these files from any others

    def remarks(self) -> list[str]:
        """Return a sentence on each kind of thing that is left out."""
        said = list[str]()
        if self.left_out:
            named = [f"{name} ({why})" for name, why in list(self.left_out.items())[:NAMED]]
            more = [f"{len(self.left_out) - NAMED:,} more"] if len(self.left_out) > NAMED else []
            said.append(printable(f"left out: {', '.join(named + more)}", in_line=True))
        if self.rests:
            named = [f"{name} {rest:g} s" for name, rest in list(self.rests.items())[:NAMED]]
            more = [f"{len(self.rests) - NAMED:,} more"] if len(self.rests) > NAMED else []
            said.append(f"left out at the end, less than a clip of {CLIP_MS / 1000:g} s: {', '.join(named + more)}")
        return said


def find_clips(folder: Path, fps: float | None, report: Callable[[int, int], None]) -> Found:
    """Return the clips in a folder. `fps`: pictures a second of folders of pictures; `report`: (files read, files).

    Raises UsageError where there is no folder, or no clip in it.
    """
    if fps is not None and not 0 < fps <= MAX_FPS:
        raise UsageError(f"--clips-fps {fps:g}: expected a rate above 0 and at most {MAX_FPS} pictures a second")
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of clips")
    found, total = Found(), hashlib.sha256()
    named, found.others = _named_files(folder.absolute())
    for place, (name, (shown, paths)) in enumerate(named.items()):
        report(place, len(named))
        try:
            _add(found, name, paths, fps, shown)
            for path in paths:
                total.update(f"{name} {path.name} {path.stat().st_size}\n".encode() + _head(path))
        except (HarnessError, OSError) as error:
            found.left_out[shown] = reason(error, paths[0])
    found.digest = total.hexdigest()[:16]
    if not found.clips:
        raise UsageError(f"{folder}: {_no_clips(found)}")
    return found


def picture_square(path: Path, size: int) -> Pixels:
    """Return a JPEG, PNG or WebP picture, upright and whole, in a black square [size, size, 3]. Raises RenderError."""
    return square_of(read_bytes(path, RenderError, PICTURE_BYTES), size, str(path))


def square_of(content: bytes, size: int, name: str, side: int = SIDE) -> Pixels:
    """Return the picture in a file's content as `picture_square` does; `name` stands in errors, `side` is the longest.

    Raises RenderError.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise RenderError(needs("a picture", error)) from None
    try:
        with Image.open(io.BytesIO(content), formats=sorted(set(PICTURES.values()))) as picture:
            if max(picture.size) > side:
                raise RenderError(f"{name}: has {picture.size[0]} x {picture.size[1]} pixels, at most {side} a side")
            picture.draft("RGB", (2 * size, 2 * size))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            small = upright.resize(fitted(*upright.size, size), Image.Resampling.BOX)
    except RenderError:
        raise
    except Exception as error:  # what a decoder of damaged bytes raises is not listed anywhere
        raise RenderError(f"{name}: not a readable picture ({str(error)[:200]})") from None
    return in_square(np.asarray(small), size)


def natural(name: str) -> tuple[list[Any], str]:
    """Return the key that sorts frame2 before frame10."""
    parts = _NUMBER.split(name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _named_files(root: Path) -> tuple[dict[str, tuple[str, list[Path]]], int]:
    """Return id -> (its file or folder, the video or the pictures there); and how many files are neither."""
    found, others = list[tuple[str, str, list[Path]]](), 0
    for folder, inside in _folders(root):
        videos = [path for path in inside if path.suffix.lower() in VIDEOS]
        pictures = [path for path in inside if path.suffix.lower() in PICTURES and not videos]
        others += len(inside) - len(videos) - len(pictures)
        below = folder.relative_to(root)
        found += [((below / path.stem).as_posix(), (below / path.name).as_posix(), [path]) for path in videos]
        if pictures:
            name = root.name if folder == root else below.as_posix()
            found.append((name, name, pictures))
    taken = Counter(short for short, _, _ in found)
    named = {(short if taken[short] == 1 else full): (writable(full), paths) for short, full, paths in found}
    return dict(sorted(named.items(), key=lambda item: natural(item[0]))), others


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder with its files, in natural order; links to folders are not followed."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted((name for name in folders if not name.startswith((".", "__MACOSX"))), key=natural)
        names = sorted((name for name in files if not name.startswith(".")), key=natural)
        yield Path(place), [Path(place, name) for name in names]


def _add(found: Found, name: str, paths: list[Path], fps: float | None, shown: str) -> None:
    """Add the clips of a file, or of a folder of pictures. Raises HarnessError where it has none."""
    if not name.isprintable() or len(name) > LONGEST_ID - len("/000000"):
        raise UsageError(f"its name is no clip's: at most {LONGEST_ID - 7} printable characters; rename it")
    source: Source
    if paths[0].suffix.lower() in VIDEOS:
        source, length_ms = VideoFile(paths[0]), read.seconds(paths[0], timeout=TIMEOUT, limits=RECORDING) * 1000
    else:
        source = _pictures(paths, fps)
        length_ms = float(source.length_ms)
    count = int((length_ms + MISSING_MS) // CLIP_MS)
    if not length_ms:
        raise UsageError("none of its pictures can be found; the file is damaged")
    if not count:
        raise UsageError(f"lasts {length_ms / 1000:.1f} s, a clip {CLIP_MS / 1000:g} s")
    starts = range(0, count * CLIP_MS, CLIP_MS)
    clips = {f"{name}/{start // 1000:06d}" if count > 1 else name: OwnClip(source, start) for start in starts}
    if taken := sorted(set(clips) & set(found.clips)):
        raise UsageError(f"its clip {taken[0]} would have the id of another file; rename it")
    found.clips |= clips
    if (rest := length_ms / 1000 - count * CLIP_MS / 1000) > MISSING_MS / 1000:
        found.rests[shown] = round(rest, 1)


def _pictures(paths: list[Path], fps: float | None) -> PictureFolder:
    if fps is not None:
        return PictureFolder(tuple(paths), len(paths) * 1000 / Fraction(str(fps)))
    if not 2 <= len(paths) <= MOST_PICTURES:
        expected = f"2 to {MOST_PICTURES} are a clip; --clips-fps cuts a longer recording"
        raise UsageError(f"holds {len(paths):,} picture{'s' * (len(paths) != 1)}, {expected}")
    return PictureFolder(tuple(paths), Fraction(CLIP_MS))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(HEAD)).digest()


def reason(error: HarnessError | OSError, path: Path) -> str:
    """Return what an error says of a file, without the folders that it lies in."""
    text = (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
    return text.removeprefix(f"{path}: ").replace(f"{path.parent}{os.sep}", "")


def _no_clips(found: Found) -> str:
    if found.left_out:
        name, reason = next(iter(found.left_out.items()))
        more = f"; {len(found.left_out) - 1:,} more are no clips either" if len(found.left_out) > 1 else ""
        return f"holds no clip that can be read: {name}: {reason}{more}"
    others = f", among {found.others:,} files" if found.others else ""
    return f"holds no video and no folder of pictures{others}; expected .mp4 or .mov files, or .jpg, .png or .webp"
