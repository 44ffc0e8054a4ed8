"""Compressed submissions (.gz, .zst), unpacked a piece at a time: a few bytes of them may stand for gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Any

from harness.errors import SubmissionError, UsageError
from reference.extras import needs

CHUNK = 1 << 18
"""Bytes of a file that are read at once."""


def gunzip(packed: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the bytes that gzip data stands for. Raises SubmissionError for damaged data."""
    import gzip

    with gzip.GzipFile(fileobj=packed) as stream:
        try:
            while chunk := stream.read(CHUNK):
                yield chunk
        except EOFError:
            raise SubmissionError(f"{name}: the gzip data is truncated; copy or compress it again") from None
        except (OSError, zlib.error) as error:
            raise SubmissionError(f"{name}: the gzip data is damaged ({error})") from None


def unzstd(packed: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the bytes that zstd data stands for. Raises SubmissionError for damaged data, UsageError where
    zstandard is not installed."""
    try:
        import zstandard
    except ImportError as error:
        raise UsageError(f"{name}: {needs('reading .zst', error)}; unpack the file") from None
    # A kilobyte at a time: the few bytes of one block can stand for 128 kB, and one call returns all of them.
    frame: Any = None
    rest = b""
    while data := rest or packed.read(1024):
        frame = frame or zstandard.ZstdDecompressor().decompressobj()
        try:
            yield frame.decompress(data)
        except zstandard.ZstdError as error:
            raise SubmissionError(f"{name}: the zstd data is damaged ({error})") from None
        rest = frame.unused_data if frame.eof else b""
        frame = None if frame.eof else frame
    if frame is not None:
        raise SubmissionError(f"{name}: the zstd data is truncated; copy or compress it again")
