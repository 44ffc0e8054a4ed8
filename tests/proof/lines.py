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
from pathlib import Path

from reference.task import OPERATIONS
from tests.proof import foreign_files, own_files, table
from tests.proof.mutate_lines import a_line, a_mutated_line, dumps
from tests.proof.tally import Tally
from tests.support import strict_reader
from tests.support.small_truth import SmallTruth, read, small_truth

LINES, FILES = 200_000, 20_000
BATCH = 2_000
CLIPS = tuple(f"clip-{number:04d}" for number in range(3 * BATCH))


def mutated_lines(truth: SmallTruth, folder: Path, seed: int, count: int) -> table.Row:
    """Read batches of mutated lines, each of a clip of its own, among as many good ones."""
    tally, split = Tally("lines", "mutated lines"), strict_reader.split_of(CLIPS, OPERATIONS)
    for start in range(0, count, BATCH):
        chance = random.Random(f"lines {seed} {start}")
        size = min(BATCH, count - start)
        clips = chance.sample(CLIPS, 2 * size)
        lines = [dumps(a_line(chance, clip), chance).encode() for clip in clips[:size]]
        lines += [a_mutated_line(chance, clip, clips) for clip in clips[size:]]
        data = b"\n".join([lines[0], *chance.sample(lines[1:], len(lines) - 1), b""])
        file = folder / "lines.jsonl"
        file.write_bytes(data)
        name, found = f"{seed}/{start}", None
        with tally.one(name, size) as refused:
            found = read(truth, file, folder, lenient=True, adapter="canonical")
        for error in refused:
            tally.differs(name, f"refused: {error}")
        if found is not None:
            wrong = strict_reader.differences(strict_reader.lines(data, split), truth.predictions(), found.rejected)
            for difference in wrong:
                tally.differs(name, f"{difference} {_line_of(difference.split(':')[0], data)!r}")
    return tally.row()


def _line_of(clip: str, data: bytes) -> bytes:
    return next((line for line in data.split(b"\n") if clip.encode() in line), b"")


def mutated_files(folder: Path, seed: int, count: int) -> list[table.Row]:
    """Read small files of every kind in turn."""
    makers = {**dict.fromkeys(own_files.MAKERS, own_files), **dict.fromkeys(foreign_files.KINDS, foreign_files)}
    kinds, tallies = [*makers], own_files.tallies() | foreign_files.tallies()
    with small_truth() as truth:
        for number in range(count):
            kind = kinds[number % len(kinds)]
            makers[kind].try_one(tallies[kind], truth, folder, kind, f"{seed}/{number}")
    return [tally.row() for tally in tallies.values() if tally.tried]


def run(seed: int, scale: float) -> list[table.Row]:
    """Try all, at full size at scale 1."""
    return try_all(seed, table.tries(LINES, scale), table.tries(FILES, scale))


def try_all(seed: int, lines: int, files: int) -> list[table.Row]:
    """Try so many lines and files; return a row for each kind."""
    folder = Path(tempfile.mkdtemp(prefix="proof-lines-"))
    try:
        with small_truth(CLIPS) as truth:
            found = [mutated_lines(truth, folder, seed, lines)]
        return found + mutated_files(folder, seed, files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--files", type=int, default=FILES)
    chosen, others = parser.parse_known_args(arguments)

    def run_some(seed: int, scale: float) -> list[table.Row]:
        return try_all(seed, table.tries(chosen.lines, scale), table.tries(chosen.files, scale))

    return table.main("lines", run_some, others)


if __name__ == "__main__":
    raise SystemExit(main())
