"""Tests of methods: several runs of one model as one entry, from the folder to scores, verdicts and the board."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import harness
from harness import statistics
from harness.cards import read_card, run_files
from harness.comparison.pairwise import METHOD_OF_RUNS
from harness.errors import UsageError
from harness.report import data, gather
from harness.rules import AA40
from harness.scoring.methods import mean
from harness.scoring.record import headline
from harness.scoring.request import Request
from tests.gates import runs as gate
from tests.support import hand

SESSIONS, CLIPS = 12, 5
WRONG = {"next_operation": "Wrap"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two methods: run k is wrong about what follows k clips of session 0; `poor` also about one of each other one."""
    folder = tmp_path_factory.mktemp("methods")
    rows = hand.grid(SESSIONS, CLIPS)
    hand.world("runs", rows, folder, folder)
    for name, more in (("good", 0), ("poor", 1)):
        for k in (1, 2, 3):
            wrong = {(s, i) for s in range(SESSIONS) for i in range(CLIPS) if (i < k if s == 0 else i < more)}
            at = [(int(row["session"][1:]), row["clip_index"]) for row in rows]
            lines = [hand.right(row, **(WRONG if one in wrong else {})) for row, one in zip(rows, at, strict=True)]
            hand.write(folder / name / "runs" / f"{k}.jsonl", lines)
    return folder


@pytest.fixture
def request_(place):
    return Request(world="runs", home=place)


def test_the_value_is_the_mean_and_the_interval_knows_the_runs(place, request_):
    runs = [harness.score(file, request=request_) for file in run_files(place / "good")]
    method = harness.score(place / "good", request=request_)
    values = [run.metrics["aa1"].value for run in runs]
    assert method.metrics["aa1"].value == pytest.approx(np.mean(values), abs=1e-12)
    assert method.record["runs"]["k"] == 3 and not method.record["runs"]["alike"]
    assert method.record["runs"]["values"]["aa1"] == values
    assert method.record["runs"]["sd"]["aa1"] == pytest.approx(np.std(values, ddof=1))
    assert "|runs:3|" in method.signature and method.record["modes"] == runs[0].record["modes"]
    assert method.metrics["aa1"].low < runs[0].metrics["aa1"].low


def test_every_number_beside_the_mean_is_of_the_mean(place, request_):
    """What is said of anticipation follows from the values that stand beside it, and has the error of the runs."""
    runs = [harness.score(file, request=request_) for file in run_files(place / "good")]
    record = harness.score(place / "good", request=request_).record
    gain, prior = (record["own_prior"][name] for name in ("own_prior_gain", "own_prior"))
    assert gain["value"] == pytest.approx(record["metrics"]["aa1"]["value"] - prior["value"], abs=1e-12)
    assert gain["low"] < np.mean([run.record["own_prior"]["own_prior_gain"]["low"] for run in runs])
    assert record["metrics"]["tiou50"]["note"] == runs[0].record["metrics"]["tiou50"]["note"]
    # This world has no process: a second prior and a ceiling are put beside the answers.
    read = mean._read(runs, None)
    known = {"state_prior_right": 2.0, "prior_right": 1.0, "ceiling_ppm": 4_900_000.0}
    sums = [run | {name: np.full(SESSIONS, value) for name, value in known.items()} for run in read.sums]
    average = mean.mean_sums(sums)
    totals = {name: column.sum() for name, column in average.items()}
    alone = headline(average, totals, {name: totals[name] - average[name] for name in average}, AA40, None)["aa1"]
    wider = mean.mean_metrics(average, read._replace(sums=sums), AA40)["aa1"]
    assert wider["skill_state"] == alone["skill_state"]
    for end in ("skill_low", "skill_state_low"):
        assert wider[end] < alone[end]


def test_a_check_that_any_run_raises_is_raised(place, request_, tmp_path):
    rows = hand.grid(SESSIONS, CLIPS)
    shutil.copytree(place / "poor" / "runs", tmp_path / "leaky" / "runs")
    hand.write(tmp_path / "leaky" / "runs" / "2.jsonl", [hand.right(row) for row in rows])
    audit = {row["flag"]: row for row in harness.score(tmp_path / "leaky", request=request_).record["audit"]}
    assert audit["copy_of_truth"]["raised"] and audit["copy_of_truth"]["text"].startswith("run 2: ")


def test_equal_runs_are_the_file(place, request_, tmp_path):
    """The mean over copies of one file is its value, with its interval; and it is said that they are alike."""
    source = place / "good" / "runs" / "2.jsonl"
    for k in (1, 2):
        target = tmp_path / "same" / "runs" / f"{k}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    one, two = harness.score(source, request=request_), harness.score(tmp_path / "same", request=request_)
    assert two.record["metrics"] == one.record["metrics"] and two.record["runs"]["alike"]


def test_methods_are_compared_with_the_error_of_runs(place, request_):
    pair = harness.compare(place / "good", place / "poor", request=request_)["pairs"][0]
    assert pair["score"]["method"] == METHOD_OF_RUNS and pair["verdict"]["kind"] == "better"
    assert pair["about"].startswith("This is about the two methods: 3 runs a side")
    assert pair["score"]["difference"] == pytest.approx(0.4 * 11 / 60)
    files = harness.compare(*(place / name / "runs" / "1.jsonl" for name in ("good", "poor")), request=request_)
    assert "two files, not about the two methods" in files["pairs"][0]["about"]
    assert [entry["name"] for entry in files["entries"]] == ["good run 1", "poor run 1"]
    page = data.page(gather.gather_comparison([place / "good", place / "poor"], request_))
    assert page.pairs[0].sentence.endswith("Counts and parts of the split are of run 1.")
    mixed = harness.compare(place / "good", place / "poor" / "runs" / "1.jsonl", request=request_)["pairs"][0]
    assert "one file of poor run 1" in mixed["about"]


def test_two_runs_make_no_claim(place, request_, tmp_path):
    shutil.copytree(place / "poor", tmp_path / "two")
    (tmp_path / "two" / "runs" / "3.jsonl").unlink()
    pair = harness.compare(place / "good", tmp_path / "two", request=request_)["pairs"][0]
    assert pair["about"] == "3 and 2 runs: a claim about methods takes 3 on both sides."


def test_an_entry_of_runs_on_the_board(place, tmp_path):
    made = harness.submit(place / "good", name="good", folder=tmp_path, world="runs", home=place)
    assert made.score.record["runs"]["k"] == 3 and len(read_card(made.folder).runs_sha256) == 3
    harness.submit(place / "poor" / "runs" / "1.jsonl", name="single", folder=tmp_path, world="runs", home=place)
    board = harness.leaderboard(tmp_path, request=Request(world="runs", home=place))
    assert {row["name"]: row["runs"] for row in board["entries"]} == {"good": 3, "single": 1}
    leader = board["entries"][0]
    assert leader["name"] == "good"
    # The leader was picked for the luck of its runs, too: its wider interval knows how these differ.
    score, spread = leader["metrics"]["score"], made.score.record["runs"]["sd"]["score"] / np.sqrt(3)
    assert leader["picked_low"] < score["low"] - spread / 2 and leader["picked_high"] >= score["high"]
    again = {"name": "good", "folder": tmp_path, "world": "runs", "home": place, "replace": True}
    harness.submit(place / "good" / "runs" / "1.jsonl", **again)
    assert not (made.folder / "runs").exists() and (made.folder / "predictions.jsonl").exists()


def test_both_forms_and_gaps_are_refused(place, tmp_path, request_):
    shutil.copytree(place / "good", tmp_path / "good")
    (tmp_path / "good" / "runs" / "2.jsonl").rename(tmp_path / "good" / "runs" / "4.jsonl")
    with pytest.raises(UsageError, match=r"2\.jsonl is missing; runs are numbered"):
        harness.score(tmp_path / "good", request=request_)
    (tmp_path / "good" / "predictions.jsonl").touch()
    with pytest.raises(UsageError, match=r"holds predictions\.jsonl and runs/"):
        harness.score(tmp_path / "good", request=request_)


def test_repeats_make_an_entry(place, tmp_path):
    from harness.prediction.repeats import predict_repeats

    where = {"world": "runs", "home": place}
    made = predict_repeats("baseline:random", tmp_path / "mine", 3, options={"seed": "{run}"}, **where)
    assert len(run_files(made.folder)) == 3 and not made.alike and read_card(made.folder).run["repeats"] == 3
    assert predict_repeats("baseline:constant", tmp_path / "same", 2, **where).alike
    with pytest.raises(UsageError, match="--fresh replaces it"):
        predict_repeats("baseline:constant", tmp_path / "same", 2, **where)


def test_the_parts_of_an_error_add_up():
    assert statistics.runs_error([0.5]) == (0.0, 0.0)
    assert statistics.welch_satterthwaite((0.04, 0.0), (10, 2)) == pytest.approx(10)
    assert statistics.welch_satterthwaite((1.0, 1.0), (4, 4)) == pytest.approx(8)
    test = statistics.runs_test(0.1, 0.0, 23, ([0.5, 0.6, 0.7], [0.4, 0.5, 0.6]))
    assert test.se == pytest.approx(np.sqrt(2 * 0.01 / 3)) and test.df == pytest.approx(4)


def test_equal_methods_are_rarely_called_different():
    """A small version of the gate: with the trainings' own spread the sign flip errs often, this test seldom."""
    rates = gate.measure(gate.draw(0.056, (3, 3), 24, 300))
    assert rates.with_runs <= 0.07 and rates.sign_flip > 0.3
