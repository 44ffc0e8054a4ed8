"""Cost of one line more, as submissions grow."""

from __future__ import annotations

from tests.benchmarks import material
from tests.benchmarks.bench import COLUMNS, Benchmark, Claim, Place, Run, in_turn, table
from tests.benchmarks.million import score

TEXT = """\
Sizes are scored in turn, each in a fresh process, nothing stored; medians of {repetitions}. What a process takes for
the smallest size is nearly all start, so a line's own time is the growth from one size to the next over the lines
added. The largest split is the one before it, copied {copies} times under new ids."""


def measure(place: Place, scales: tuple[int, ...], copies: int, repetitions: int) -> Benchmark:
    material.need(place, *scales)
    material.multiply(place, scales[-1], copies)
    sizes = (*scales, scales[-1] * copies)
    runs = in_turn(repetitions, *(lambda scale=scale: score(place, scale) for scale in sizes))
    added = _added(sizes, runs)
    n = [scale * material.CLIPS for scale in sizes]
    rows = [
        (f"{n[i]:,}", f"{1e9 * run.seconds / n[i]:,.0f}", f"{added[i]:,.0f}" if i else "-", *run.columns)
        for i, run in enumerate(runs)
    ]
    return Benchmark(
        "Time a line",
        TEXT.format(repetitions=repetitions, copies=copies),
        [
            Claim(
                f"time of a line added beyond {n[-2]:,}, in that of one added beyond {n[-3]:,}",
                "about 1",
                f"{added[-1] / added[-2]:.2f}",
            ),
            Claim(f"memory for {n[-1]:,} lines", "4 GB", runs[-1].memory),
        ],
        [table(("lines", "ns a line", "ns a line added", *COLUMNS), rows)],
    )


def _added(sizes: tuple[int, ...], runs: list[Run]) -> list[float]:
    """Return the nanoseconds for each line more than the size before has."""
    steps = zip(zip(sizes, runs, strict=True), zip(sizes[1:], runs[1:], strict=True), strict=False)
    return [0.0, *(1e9 * (b.seconds - a.seconds) / ((y - x) * material.CLIPS) for (x, a), (y, b) in steps)]
