"""Files of a rendering that are made where its folder is not: they travel as bytes, and are written there.

A worker on another machine writes a task's files into a folder of its own, with the same Writer, and sends their
content; whoever holds the rendering's folder puts them in place. So the bytes are those of one process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from reference.rendering import artifacts
from reference.rendering.sources import Job
from reference.rendering.writers import Writer, WrittenFile, moved_into_place


class SentFile(NamedTuple):
    """A file of a rendering with its bytes; a folder with those of each file in it."""

    written: WrittenFile
    content: bytes | Mapping[str, bytes]


def write_apart(writer: Writer, task: tuple[int, list[Job]]) -> list[SentFile]:
    """Write the files of a task into a temporary folder, and return them with their bytes."""
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        here = replace(writer, folder=Path(folder))
        return [SentFile(written, _content(here.folder / written.file["path"])) for written in here.write(*task)]


def put_in_place(writer: Writer, sent: SentFile) -> WrittenFile:
    """Write what was sent into the rendering's folder, whole or not at all."""
    path = writer.folder / sent.written.file["path"]
    if isinstance(sent.content, bytes):
        with moved_into_place(writer, path) as scratch:
            scratch.write_bytes(sent.content)
    else:
        artifacts.write_folder(path, sent.content, writer.partial)
    return sent.written


def _content(path: Path) -> bytes | Mapping[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()} if path.is_dir() else path.read_bytes()
