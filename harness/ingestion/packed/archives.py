"""Zip archives of strangers, whose directory is bounded: zipfile reads all of it into memory, and more than that.

A log of Inspect (.eval) is one, with a file for each sample.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from harness.errors import SubmissionError
from harness.ingestion.packed.compressed import CHUNK, unzstd

ZIP = b"PK\x03\x04"
DIRECTORY_BYTES = 16 << 20
"""Most bytes of a directory: about 200,000 files of a log, in some 200 MB of memory."""
REFUSED = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError)
"""What zipfile raises for an archive that is damaged, or of a kind that it does not read."""
ZSTD = 93
"""Method of compression by APPNOTE.TXT 4.4.5, in which Inspect stores a log; zipfile knows it from Python 3.14 on."""
LOCAL_HEADER = 30
"""Bytes of a file's own header before its name and extra field, whose lengths are the last two numbers (4.3.7)."""
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class _BoundedReads:
    """Open file that refuses to give more than DIRECTORY_BYTES at once."""

    def __init__(self, file: IO[bytes], name: str):
        self._file, self._name = file, name

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes. Raises SubmissionError where these are too many."""
        if size > DIRECTORY_BYTES or len(content := self._file.read(size if size >= 0 else DIRECTORY_BYTES + 1)) > (
            DIRECTORY_BYTES
        ):
            raise SubmissionError(
                f"{self._name}: a zip archive whose directory has over {DIRECTORY_BYTES:,} bytes; unpack it and pass "
                "the prediction file"
            )
        return content

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._file, attribute)


def open_archive(file: IO[bytes], name: str, most_files: int) -> zipfile.ZipFile:
    """Return the archive in an open file.

    Raises one of REFUSED where it cannot be read, and SubmissionError where it has more files or a larger directory
    than are read.
    """
    bounded: Any = _BoundedReads(file, name)
    archive = zipfile.ZipFile(bounded)
    if len(archive.filelist) > most_files:
        raise SubmissionError(f"{name}: a zip archive of more than {most_files:,} files (--max-lines)")
    return archive


def names_in(path: Path, name: str, most_files: int) -> list[str]:
    """Return the names of an archive's files, as far as it can be read; raises SubmissionError like open_archive."""
    with path.open("rb") as file:
        try:
            return [member.filename for member in open_archive(file, name, most_files).filelist]
        except REFUSED:
            file.seek(0)
            head = file.read(4096)
    return [head[30 : 30 + int.from_bytes(head[26:28], "little")].decode(errors="replace")]


def inspect_samples(names: list[str]) -> list[str]:
    """Return the names of the samples in an archive that is a log of Inspect (.eval), else nothing."""
    if not {"header.json", "_journal/start.json"}.intersection(names):
        return []
    return [name for name in names if re.fullmatch(r"samples/[^/]+\.json", name)]


def inspect_lines(packed: IO[bytes], name: str, most_files: int) -> Iterator[bytes]:
    """Yield the samples of an Inspect log, a line each: line feeds in JSON stand between values only."""
    try:
        with open_archive(packed, name, most_files) as archive:
            members = archive.infolist()
            samples = set(inspect_samples([member.filename for member in members]))
            for member in members:
                if member.filename not in samples:
                    continue
                for chunk in _content(archive, packed, member, name):
                    yield chunk.translate(_ONE_LINE)
                yield b"\n"
    except NotImplementedError:
        remedy = "convert it with `inspect log convert --to json`"
        raise SubmissionError(f"{name}: this Inspect log is packed in a way that is not read; {remedy}") from None
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError) as error:
        raise SubmissionError(f"{name}: this Inspect log is damaged ({error})") from None


def _content(archive: zipfile.ZipFile, packed: IO[bytes], member: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    """Yield the content of a file in an archive. Raises BadZipFile where it is not what the directory says."""
    if member.compress_type != ZSTD:
        with archive.open(member) as file:
            yield from iter(partial(file.read, CHUNK), b"")
        return
    stored: Any = _Stored(packed, member)
    size, checksum = 0, 0
    for chunk in unzstd(stored, name):
        size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
        yield chunk
    if (size, checksum) != (member.file_size, member.CRC):
        raise zipfile.BadZipFile(f"bad content of file {member.filename!r}")


class _Stored:
    """Bytes of an archive's file as they are stored, to be read once from the start."""

    def __init__(self, packed: IO[bytes], member: zipfile.ZipInfo):
        packed.seek(member.header_offset)
        header = packed.read(LOCAL_HEADER)
        if header[:4] != ZIP or member.flag_bits & 1:
            raise zipfile.BadZipFile(f"no readable header of file {member.filename!r}")
        lengths = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        packed.seek(sum(lengths), 1)
        self._packed, self._left = packed, member.compress_size

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end."""
        chunk = self._packed.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk
