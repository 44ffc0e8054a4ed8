"""The benchmarks' machinery on tiny sizes: that it runs and writes its tables. No time is asserted."""

from __future__ import annotations

from functools import partial

import duckdb
import pytest

from reference.truth.store import open_truth
from tests.benchmarks import material
from tests.benchmarks.__main__ import measure, page
from tests.benchmarks.bench import Benchmark, Claim, Place, Run, in_turn, run, table


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("place"))


def test_a_copied_split_opens_and_holds_each_clip_twice(place):
    with open_truth("warehouse-v2", "test", home=place.home) as base:
        n, sessions = base.n, base.sessions
    material.multiply(place, 1, 2)
    with open_truth("warehouse-v2-x2", "test", home=place.home) as twice:
        assert (twice.n, twice.sessions) == (2 * n, 2 * sessions)
        for column, number in (("clip_id", n), ("session", sessions), ("session_index", sessions)):
            counted = twice.connection.execute(f"SELECT count(DISTINCT {column}) FROM truth.clips").fetchone()
            assert counted == (2 * number,)


def test_a_submission_holds_a_line_for_every_clip(place):
    with open_truth("warehouse-v2", "test", home=place.home) as truth:
        file = material.submission(place, 1)
        lines = duckdb.execute("SELECT * FROM read_json(?, format = 'newline_delimited')", [str(file)]).df()
        assert len(lines) == truth.n == lines["clip_id"].nunique()
    assert set(lines) == {"clip_id", "dominant_operation", "temporal_segment", "next_operation", "confidence"}


def test_jobs_alternate_and_their_medians_are_taken():
    seen, times = [], iter([1.0, 10.0, 3.0, 30.0, 2.0, 20.0])

    def job(name):
        seen.append(name)
        seconds = next(times)
        return Run(seconds, seconds / 2, len(seen))

    assert in_turn(3, partial(job, "a"), partial(job, "b")) == [Run(2.0, 1.0, 5), Run(20.0, 10.0, 6)]
    assert seen == ["a", "b"] * 3


def test_a_run_says_what_its_own_process_took(tmp_path):
    assert run(Place(tmp_path), "timeit", "-n1", "-r1", "pass").peak < 50e6


def test_the_page_begins_with_the_claims():
    claims, tables = [Claim("a", "1 s", "0.5 s")], [table(("", "b"), [("c", "d")])]
    text = page(measure([lambda place: Benchmark("Speed", "How.", claims, tables)]))
    assert text.index("| a | 1 s | 0.5 s |") < text.index("## Speed\n\nHow.\n\n|  | b |\n|---|---:|\n| c | d |")
