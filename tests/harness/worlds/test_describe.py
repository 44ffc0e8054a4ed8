"""What `harness world info` prints: the figures the default world must have, and the same ones counted another way."""

from __future__ import annotations

import pytest

from harness.worlds import describe
from reference.process.split import build_split
from reference.process.world import load_world
from reference.truth.store import open_truth


@pytest.fixture(scope="module")
def info() -> dict:
    return describe.describe("warehouse-v2", "test")


def test_figures_of_the_default_world(info):
    """The bounds inside which anticipation can be measured on this split."""
    hidden, everywhere = info["metrics"]["aa1_hidden"], info["metrics"]["aa1"]
    assert 0.35 <= hidden["prior"] <= 0.45
    assert hidden["prior"] + 0.40 <= hidden["ceiling"] < 0.95
    assert 0.40 <= everywhere["prior"] <= 0.50
    assert info["metrics"]["oca"]["floor"] < 0.35
    assert info["metrics"]["tiou50"]["floor"] <= 0.75
    assert info["next_hidden"] >= 0.40
    assert 0.40 <= info["dense"] <= 0.50
    operations = {row["level"]: row["clips"] for row in info["distributions"]["operation"]}
    assert len(operations) == 9 and min(operations.values()) >= 0.02 * info["n"]
    assert {row["sessions"] for row in info["distributions"]["domain"]} == {16}


@pytest.mark.parametrize("split", ["train", "test"])
def test_dense_share_of_what_models_learn_and_are_judged_on(split):
    assert 0.40 <= describe.describe("warehouse-v2", split)["dense"] <= 0.50


def test_figures_counted_from_the_clips(info):
    clips = list(build_split(load_world("warehouse-v2"), "test"))
    hidden = [clip for clip in clips if not clip.next_visible]
    assert info["n"] == len(clips)
    assert info["n_hidden"] == len(hidden)
    assert info["metrics"]["aa1_hidden"]["ceiling"] == pytest.approx(sum(clip.ceiling for clip in hidden) / len(hidden))
    usual = info["transition"]
    assert info["metrics"]["aa1"]["prior"] == pytest.approx(
        sum(usual[clip.dominant_operation] == clip.next_operation for clip in clips) / len(clips)
    )
    answer = info["constant"]
    hits = 0
    for clip in clips:
        shown = set(range(*clip.temporal_segment))
        given = set(range(answer["start_frame"], answer["end_frame"]))
        hits += len(shown & given) / len(shown | given) >= 0.5
    assert info["metrics"]["tiou50"]["floor"] == pytest.approx(hits / len(clips))


def test_operations_after_the_next_are_counted_from_the_clips(info):
    """The majority of train stands in the constants; the ceiling is the mean over the clips that have one."""
    with open_truth() as truth:
        rows = truth.connection.execute(
            "SELECT next_operations, later_ceilings_ppm, later_oracle FROM truth.clips"
        ).fetchall()
        [(majority,)] = truth.connection.execute("SELECT later_operations FROM truth.constants").fetchall()
    for place, key in enumerate(("aa2", "aa3")):
        having = [row for row in rows if len(row[0]) > place + 1]
        true = [row[0][place + 1] for row in having]
        expected = {
            "n": len(having),
            "floor": true.count(majority[place]) / len(having),
            "ceiling": sum(row[1][place] for row in having) / 1e6 / len(having),
            "oracle": sum(row[2][place] == label for row, label in zip(having, true, strict=True)) / len(having),
        }
        assert info["further"][key] == pytest.approx(expected)


def test_canonical_world_measures_no_anticipation():
    found = describe.describe("canonical-v1", "test")["metrics"]
    assert {found[name][role] for name in ("aa1", "aa1_hidden") for role in ("prior", "ceiling")} == {1.0}


def test_best_constant_segment_is_the_best():
    """Compare with a plain search on a subset of segments and the train split."""
    clips = list(build_split(load_world("canonical-v1"), "train"))[:400]
    from reference.process.priors import fit
    from reference.task import OPERATIONS

    best = fit(clips, OPERATIONS)

    def hits(start: int, end: int) -> int:
        total = 0
        for clip in clips:
            s, e = clip.temporal_segment
            inside = max(0, min(e, end) - max(s, start))
            total += 2 * inside >= (e - s) + (end - start) - inside
        return total

    found = hits(best.start_frame, best.end_frame)
    for start in range(0, 125, 4):
        for end in range(start + 1, 126, 3):
            other = hits(start, end)
            assert other < found or (other == found and (start, end) >= (best.start_frame, best.end_frame))


DETECTABLE = [
    (1440, 5, 3, "as many rows as shares of disagreement"),
    (1440, 4, 0, "below 5 sessions nothing is tested"),
]


@pytest.mark.parametrize(("n", "sessions", "rows", "why"), DETECTABLE)
def test_detectable(n, sessions, rows, why):
    assert len(describe.detectable(n, sessions)) == rows, why


def test_detectable_by_hand():
    """72 x 20 clips, d = .25: SE = sqrt(.25 x 1.57 / 1440) = .01651; t(.975, 71) + t(.8, 71) = 1.9939 + .8467."""
    assert describe.detectable(1440, 72)[1]["mde"] == pytest.approx(0.01651 * 2.8406, rel=1e-3)
