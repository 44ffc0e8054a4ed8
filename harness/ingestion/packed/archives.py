"""Zip archives of strangers, whose directory is bounded: zipfile reads all of it into memory, and more than that.

A log of Inspect (.eval) is one, with a file for each sample.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from harness.errors import SubmissionError
from harness.ingestion.packed.compressed import CHUNK

ZIP = b"PK\x03\x04"
DIRECTORY_BYTES = 16 << 20
"""Most bytes of a directory: about 200,000 files of a log, in some 200 MB of memory."""
REFUSED = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError)
"""What zipfile raises for an archive that is damaged, or of a kind that it does not read."""
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
                with archive.open(member) as sample:
                    while chunk := sample.read(CHUNK):
                        yield chunk.translate(_ONE_LINE)
                yield b"\n"
    except NotImplementedError:
        remedy = "convert it with `inspect log convert --to json`"
        raise SubmissionError(f"{name}: this Inspect log is packed in a way that is not read; {remedy}") from None
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise SubmissionError(f"{name}: this Inspect log is damaged ({error})") from None
