"""Lines and files of predictions after accidents, against a second reader and against what must hold.

Every line and every file is read with --lenient. Lines, and files of the canonical fields (JSONL, array, document, by
clip, stream, CSV, TSV, Parquet), must be read as tests/support/strict_reader.py reads them.

    python -m tests.proof.lines --lines 200000 --files 20000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError
from reference.task import OPERATIONS
from tests.proof import table
from tests.proof.mutate import a_line, a_mutated_line, dumps
from tests.support import strict_reader
from tests.support.small_truth import SmallTruth, read, small_truth

LINES, FILES = 200_000, 20_000
BATCH = 2_000
CLIPS = tuple(f"clip-{number:04d}" for number in range(3 * BATCH))


class Tally:
    """Row of the table while it is being filled."""

    def __init__(self, what: str):
        self.what, self.tried, self.crashes, self.disagreements, self.slow = what, 0, 0, 0, 0

    @contextmanager
    def one(self, tried: int = 1) -> Iterator[None]:
        """Count a try, its processor time (the machine may be busy), and an exception that is no HarnessError."""
        self.tried += tried
        began = time.process_time()
        try:
            yield
        except Exception as error:
            self.crashes += 1
            table.report("lines", f"{self.what}: {type(error).__name__}: {error}")
        self.slow += time.process_time() - began > table.SLOW

    def differs(self, what: str) -> None:
        self.disagreements += 1
        table.report("lines", f"{self.what}: {what}")

    def row(self) -> table.Row:
        return table.row(
            self.what, tried=self.tried, crashes=self.crashes, disagreements=self.disagreements, slow=self.slow
        )


def mutated_lines(truth: SmallTruth, folder: Path, seed: int, count: int) -> table.Row:
    """Read batches of mutated lines, each of a clip of its own, among as many good ones."""
    tally, split = Tally("mutated lines"), strict_reader.split_of(CLIPS, OPERATIONS)
    for start in range(0, count, BATCH):
        chance = random.Random(f"lines {seed} {start}")
        size = min(BATCH, count - start)
        clips = chance.sample(CLIPS, 2 * size)
        lines = [dumps(a_line(chance, clip), chance).encode() for clip in clips[:size]]
        lines += [a_mutated_line(chance, clip, clips) for clip in clips[size:]]
        data = b"\n".join([lines[0], *chance.sample(lines[1:], len(lines) - 1), b""])
        file = folder / "lines.jsonl"
        file.write_bytes(data)
        with tally.one(size):
            found = read(truth, file, folder, lenient=True, adapter="canonical")
            expected = strict_reader.lines(data, split)
            by_clip = {clip: line for line, clip in _clips_of(data, split)}
            for wrong in strict_reader.differences(expected, truth.predictions(), found.rejected):
                tally.differs(f"seed {seed}, batch {start}: {wrong} {by_clip.get(wrong.split(':')[0], b'')!r}")
    return tally.row()


def _clips_of(data: bytes, split: strict_reader.Split) -> Iterator[tuple[bytes, str | None]]:
    for raw in data.split(b"\n"):
        yield raw, strict_reader.line(raw, split).clip


def run(seed: int, scale: float) -> list[table.Row]:
    """Try all, at full size at scale 1."""
    return try_all(seed, table.tries(LINES, scale), table.tries(FILES, scale))


def try_all(seed: int, lines: int, files: int) -> list[table.Row]:
    folder = Path(tempfile.mkdtemp(prefix="proof-lines-"))
    try:
        with small_truth(CLIPS) as truth:
            return [mutated_lines(truth, folder, seed, lines)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(table.main("lines", run))
