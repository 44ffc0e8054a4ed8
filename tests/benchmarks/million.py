"""Time to score a million lines against DuckDB's typed read of them, and to make the truth."""

from __future__ import annotations

from tests.benchmarks import material
from tests.benchmarks.bench import COLUMNS, Benchmark, Claim, Place, Run, in_turn, run, table

TEXT = """\
Both are whole processes, from start to end. `harness score` starts Python, opens and checks the truth, hashes and
checks every line, judges it, works out the whole record with its intervals, slices, failure modes and audit, stores
record and answers, and prints. The other process starts Python and DuckDB, reads the same file with its column types
given, joins it with the same truth and counts three things; it checks nothing. They run in turn; medians of
{repetitions}."""

LIMIT = 5
"""Times of a typed read that scoring may take."""


def measure(place: Place, scale: int, repetitions: int) -> Benchmark:
    built = material.build(place, scale)
    read, scored = in_turn(repetitions, lambda: typed_read(place, scale), lambda: score(place, scale))
    lines, ratio = scale * material.CLIPS, scored.seconds / read.seconds
    worked = scored.processor / read.processor
    measured = f"{ratio:.1f}" + ("" if ratio <= LIMIT else ": the limit does not hold")
    rows = [
        ("typed read_json, join, three counts", "1", "1", *read.columns),
        ("harness score", f"{ratio:.1f}", f"{worked:.1f}", *scored.columns),
    ]
    return Benchmark(
        f"Scoring {lines:,} lines",
        TEXT.format(repetitions=repetitions),
        [
            Claim(f"scoring {lines:,} lines, in typed reads of the same file", f"{LIMIT}", measured),
            Claim(f"memory for {lines:,} lines", "1.5 GB", scored.memory),
            Claim(f"making the truth of {lines:,} clips, ceilings included", "300 s", f"{built.seconds:.0f} s"),
        ],
        [table(("", "ratio of time", "of processor", *COLUMNS), rows)],
    )


def typed_read(place: Place, scale: int) -> Run:
    truth, file = material.truth_path(place, scale), material.submission(place, scale)
    return run(place, "tests.benchmarks.typed_read", truth, file)


def score(place: Place, scale: int) -> Run:
    """Score the split's submission with no score of it in the cache."""
    file = material.submission(place, scale)
    material.forget_scores(place)
    return run(place, "harness", "score", file, "--world", material.world(scale))
