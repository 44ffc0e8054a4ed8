"""Bytes of a submission -> a regular, capped, local file that both DuckDB and the strict checker can read by line.

A line ends at a line feed, nowhere else. `SubmissionFile.original` holds the decompressed bytes as they are, its `path`
holds the same lines for DuckDB, whose CSV reader fails on what is not UTF-8 and on control characters: where there are
any, it is a copy in which each such line is one placeholder, so that line numbers agree. Memory is bounded for every
file: no line over the cap is ever read whole.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np

from harness.errors import SubmissionError, UsageError
from harness.formatting import printable
from harness.ingestion import not_predictions
from harness.ingestion.packed import archives, compressed, excel
from harness.ingestion.packed.compressed import CHUNK
from reference.files import sha256
from reference.outside_files import is_utf8, open_regular

STDIN = "-"
BOM = codecs.BOM_UTF8
PLACEHOLDER = b"?"  # no JSON, so the screen leaves it to the strict checker
JSON_SPACE = b" \t\r\n"
PACKED = (".gz", ".zst")
ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".eval")
"""Endings that say how a file's predictions are written; any other dot belongs to its name, as in gpt-4.1."""


@dataclass(frozen=True)
class Limits:
    """Caps on size; a file above one of them is refused. `max_bytes` counts decompressed bytes."""

    max_line_bytes: int = 1 << 20
    max_lines: int = 20_000_000
    max_bytes: int = 4 << 30


@dataclass
class SubmissionFile:
    """Opened submission. `sha256`: of the bytes as the user has them, packed or not."""

    name: str
    sha256: str
    original: Path
    path: Path
    limits: Limits
    magic: bytes
    parquet: bool = False
    bom: bool = False
    _folder: Path | None = None
    _opened: tuple[Path, tuple[int, ...]] | None = None  # the user's file, and its size, time and inode when hashed

    def lines(self, wanted: np.ndarray | None = None) -> Iterator[tuple[int, bytes | None]]:
        """Yield number and bytes of each line that is not blank; None instead of the bytes of a line over the cap.

        `wanted`: ascending line numbers, by default all.
        """
        chosen = None if wanted is None else iter(wanted.tolist())
        target = next(chosen, None) if chosen else None
        cap = self.limits.max_line_bytes
        with self.original.open("rb") as file:
            file.seek(len(BOM) if self.bom else 0)
            for number, line in enumerate(_capped_lines(file, cap), start=1):
                if chosen is None or number == target:
                    if line is None or line.strip(JSON_SPACE):
                        yield number, line
                    if chosen is not None and (target := next(chosen, None)) is None:
                        return

    def sample(self, count: int) -> list[bytes | None]:
        """Return the first, the last and evenly spread lines that are not blank, each once, in order; None as in lines.

        All lines where there are at most `count`. A larger file is sought by bytes, so that its size costs nothing.
        """
        first = list(islice(self.lines(), count + 1))
        if len(first) <= count:
            return [line for _, line in first]
        found: dict[int, bytes | None] = {}
        with self.original.open("rb") as file:
            end = _text_end(file, self.limits.max_line_bytes)
            for step in range(1, count - 1):
                self._find_line(file, end * step // (count - 1), found)
            self._find_line(file, _last_line(file, end, self.limits.max_line_bytes), found)
        return [first[0][1], *(found[start] for start in sorted(found))]

    def _find_line(self, file: IO[bytes], at: int, found: dict[int, bytes | None]) -> None:
        """Add the first line that begins at or after an offset, by its own offset, unless it is blank."""
        cap = self.limits.max_line_bytes
        file.seek(max(0, at - 1))
        if at and not file.readline(cap + 1).endswith(b"\n"):
            return  # in the midst of a line over the cap, or at the end
        start = file.tell()
        if start > (len(BOM) if self.bom else 0) and start not in found:
            line = next(_capped_lines(file, cap), b"")
            if line is None or line.strip(JSON_SPACE):
                found[start] = line

    def check_unchanged(self) -> None:
        """Raise UsageError unless the file is still the one that was hashed."""
        if self._opened is not None and _stamp(self._opened[0].stat()) != self._opened[1]:
            raise UsageError(f"{self.name}: the file changed while it was read")

    def discard(self) -> None:
        """Remove the files that were unpacked or copied for this submission."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def open_submission(submission: str | Path, scratch: Path, limits: Limits | None = None) -> Iterator[SubmissionFile]:
    """Open a prediction file, or standard input for "-". `scratch`: folder to unpack and copy into.

    Raises UsageError (no such file, not a regular file) and SubmissionError (nothing in it can be read).
    """
    limits = limits or Limits()
    folder = Path(scratch) / "submission"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield _open(submission, folder, limits)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open(submission: str | Path, folder: Path, limits: Limits) -> SubmissionFile:
    name = shown_name(submission)
    piped = str(submission) == STDIN
    path = _from_stdin(folder / "stdin", name, limits) if piped else Path(submission)
    magic, stamp = _head(path, name)
    names = _names_in(magic, path, name, limits)
    unpack = _unpacker(magic, names, path, name, limits)
    if unpack is None:
        _refuse_foreign(magic, names, name)
    with ThreadPoolExecutor(1) as pool:  # hashing leaves the other core to the look at the bytes
        digest = pool.submit(sha256, path)
        original = path
        if unpack is not None:
            original = folder / "unpacked"
            with path.open("rb") as packed:
                _write_capped(unpack(packed, name), original, name, limits)
            magic, _ = _head(original, name)
            _refuse_foreign(magic, _names_in(magic, original, name, limits), name)
        if original.stat().st_size > limits.max_bytes:
            raise SubmissionError(f"{name}: over the cap of {limits.max_bytes:,} bytes (--max-bytes)")
        original = original.absolute()
        source = SubmissionFile(
            name=name,
            sha256="",
            original=original,
            path=original,
            limits=limits,
            magic=magic,
            parquet=magic.startswith(b"PAR1"),
            bom=magic.startswith(BOM),
            _folder=folder,
            _opened=(path, stamp),
        )
        if not source.parquet and not _is_plain(source):
            source.path = folder.absolute() / "screened"
            _copy_screenable(source)
        elif not _is_literal(original):
            source.path = folder.absolute() / "submission"
            if is_utf8(str(original)):
                source.path.symlink_to(original)
            else:  # DuckDB would follow a link to a path that it cannot be allowed
                shutil.copyfile(original, source.path)
        source.sha256 = digest.result()
    return source


def shown_name(submission: str | Path) -> str:
    """Return the file's name for messages, without characters that a terminal would obey."""
    return "standard input" if str(submission) == STDIN else printable(str(submission), in_line=True)


def split_ending(name: str) -> tuple[str, str]:
    """Return a prediction file's name without its known endings, and those: gpt-4.1.csv.gz -> gpt-4.1, .csv.gz."""
    stem = name
    for endings in (PACKED, ENDINGS):
        found = next((ending for ending in endings if stem.lower().endswith(ending)), "")
        stem = stem.removesuffix(stem[len(stem) - len(found) :])
    return (stem, name[len(stem) :]) if stem else (name, "")


def _is_literal(path: Path) -> bool:
    """Return True if DuckDB reads this path literally (no glob characters, valid UTF-8)."""
    text = str(path)
    return text.isprintable() and not set(text) & set("*?[{")


def _from_stdin(path: Path, name: str, limits: Limits) -> Path:
    stream = sys.stdin.buffer
    _write_capped(iter(lambda: stream.read(CHUNK), b""), path, name, limits)
    return path


def _write_capped(chunks: Iterator[bytes], path: Path, name: str, limits: Limits) -> None:
    written = 0
    with path.open("wb") as file:
        for chunk in chunks:
            written += len(chunk)
            if written > limits.max_bytes:
                raise SubmissionError(f"{name}: over the cap of {limits.max_bytes:,} decompressed bytes (--max-bytes)")
            file.write(chunk)


def _head(path: Path, name: str) -> tuple[bytes, tuple[int, ...]]:
    """Return the first bytes of a regular file, and its stamp. Raises UsageError with a remedy for anything else."""
    try:
        with open_regular(path, UsageError, name) as file:
            return file.read(4096), _stamp(os.fstat(file.fileno()))
    except UsageError as error:
        raise UsageError(f"{error}{_remedy(path)}") from None


def _remedy(path: Path) -> str:
    """Return the end of the sentence about a path that is no regular file."""
    if path.is_dir():
        return f", expected a prediction file{not_predictions.by_folder(path)}"
    return " (a pipe or device); use - to read standard input" if path.exists() and not path.is_file() else ""


def _names_in(magic: bytes, path: Path, name: str, limits: Limits) -> list[str]:
    """Return the names of the files in a zip archive, and none for any other file."""
    return archives.names_in(path, name, limits.max_lines) if magic.startswith(archives.ZIP) else []


def _refuse_foreign(magic: bytes, names: list[str], name: str) -> None:
    """Raise SubmissionError for content that is certainly no prediction file."""
    if what := not_predictions.by_names(names) or not_predictions.by_bytes(magic):
        raise SubmissionError(f"{name}: {what}")


def _unpacker(
    magic: bytes, names: list[str], path: Path, name: str, limits: Limits
) -> Callable[[IO[bytes], str], Iterator[bytes]] | None:
    if archives.inspect_samples(names):
        return partial(archives.inspect_lines, most_files=limits.max_lines)
    if excel.is_workbook(names):
        return partial(excel.json_lines, max_bytes=limits.max_bytes, max_lines=limits.max_lines)
    ending = path.suffix.lower()
    for suffix, start, unpack in (
        (".gz", b"\x1f\x8b", compressed.gunzip),
        (".zst", b"\x28\xb5\x2f\xfd", compressed.unzstd),
    ):
        if magic.startswith(start) and ending != suffix:
            raise SubmissionError(f"{name}: this is {suffix[1:]} data; unpack it, or give the file a name in {suffix}")
        if ending == suffix:
            if not magic.startswith(start):
                raise SubmissionError(f"{name}: named {suffix} but holds no such data; rename or recompress it")
            return unpack
    return None


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _is_plain(source: SubmissionFile) -> bool:
    """Return True if DuckDB can read the file as it is; in the same pass check the cap on lines.

    Plain: UTF-8, no control characters but line feeds, no line over the cap.
    """
    cap, lines, since, plain, valid = source.limits.max_line_bytes, 0, 0, True, True
    utf8 = codecs.getincrementaldecoder("utf-8")()
    with source.original.open("rb") as file:
        while chunk := file.read(min(CHUNK, cap)):
            newlines = chunk.count(b"\n")
            lines += newlines
            if lines > source.limits.max_lines:
                raise SubmissionError(f"{source.name}: over the cap of {source.limits.max_lines:,} lines (--max-lines)")
            # A chunk is no longer than the cap, so only a line that began before it can be over the cap.
            longest = since + (chunk.find(b"\n") if newlines else len(chunk))
            since = len(chunk) - chunk.rfind(b"\n") - 1 if newlines else longest
            plain &= longest <= cap and np.count_nonzero(np.frombuffer(chunk, np.uint8) < 32) == newlines
            if valid and not (chunk.isascii() and not utf8.getstate()[0]):
                valid = _decodes(utf8, chunk)
    return plain and valid and _decodes(utf8, b"", final=True)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _copy_screenable(source: SubmissionFile) -> None:
    """Write source.path: the same lines, with a placeholder for each that DuckDB cannot read."""
    with source.original.open("rb") as file, source.path.open("wb") as copy:
        file.seek(len(BOM) if source.bom else 0)
        for line in _capped_lines(file, source.limits.max_line_bytes):
            copy.write((PLACEHOLDER if line is None else _screenable(line)) + b"\n")


_CONTROL = bytes(range(32))


def _screenable(line: bytes) -> bytes:
    line = line.rstrip(b"\r\n")
    if line.translate(None, _CONTROL) != line:
        return PLACEHOLDER
    if not line.isascii():
        try:
            line.decode()
        except UnicodeDecodeError:
            return PLACEHOLDER
    return line


def _text_end(file: IO[bytes], cap: int) -> int:
    """Return the offset after the last byte that is no white space, as far as the last `cap` bytes tell."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - cap))
    tail = file.read(cap)
    return size - len(tail) + len(tail.rstrip(JSON_SPACE))


def _last_line(file: IO[bytes], end: int, cap: int) -> int:
    """Return the offset of the line that ends at `end`, or `end` where it is over the cap."""
    start = max(0, end - cap - 1)
    file.seek(start)
    line_feed = file.read(end - start).rfind(b"\n")
    return start + line_feed + 1 if line_feed >= 0 else end


def _capped_lines(file: IO[bytes], cap: int) -> Iterator[bytes | None]:
    """Yield lines with their line feed; None for a line of more than `cap` bytes."""
    while line := file.readline(cap + 1):
        if len(line) > cap and not line.endswith(b"\n"):
            while (rest := file.readline(CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line
