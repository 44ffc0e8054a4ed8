"""Tests of scoring as a whole: invariants that hold for any answers. Values themselves are test_oracle's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from importlib import resources

import pytest

import harness
from harness.rules import RULES, Weights
from reference.task import CLIP_FRAMES
from reference.truth.store import open_truth
from tests.support import oracle
from tests.support.random_worlds import (
    SHAPES,
    make_world,
    oracle_truth,
    random_answers,
    random_truth,
    write_answers,
)

UNTIDY = Weights(0.7, 0.1, 0.2)  # .7 + .1 + .2 is not 1 in floats
HEADLINE = ("oca", "tiou50", "aa1", "score", "aa1_hidden")


class Bench:
    """World with a function that scores answers to it."""

    def __init__(self, folder, world="plain", split="test"):
        self.folder, self.world, self.split = folder, world, split
        self.truth = oracle_truth(world, split, folder)
        self.files = 0

    def score(self, answers, **options):
        self.files += 1
        file = write_answers(self.folder / f"answers-{self.world}-{self.files}.jsonl", answers, options.pop("seed", 0))
        return harness.score(file, world=self.world, split=self.split, home=self.folder, **options)

    def perfect(self):
        keys = {"operation": "dominant_operation", "start_frame": "start_frame", "end_frame": "end_frame"}
        keys["next_operation"] = "next_operation"
        return {clip["clip_id"]: {mine: clip[key] for mine, key in keys.items()} for clip in self.truth.clips}

    def all_missing(self, **options):
        """Write a file that holds lines, but none for a clip of this split."""
        return self.score({"elsewhere": next(iter(self.perfect().values()))}, ignore_extra=True, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    rows = random_truth(SHAPES["plain"], seed=3)
    make_world("plain", rows, folder, folder)
    twins = [row | {"clip_id": f"{row['clip_id']}+", "session": f"{row['session']}+"} for row in rows]
    make_world("twice", [*rows, *twins], folder, folder)
    return folder


@pytest.fixture(scope="module")
def plain(folder):
    return Bench(folder)


@pytest.fixture(scope="module")
def synthetic(folder):
    return Bench(folder, "warehouse-v2", "validation")


def values(record):
    return {name: record["metrics"][name]["value"] for name in HEADLINE}


def points(record):
    """Return every point estimate that depends on truth and answers alone (floors and priors depend on the fit)."""
    return {
        **values(record),
        "model_only": record["model_only"],
        "thresholds": [row["value"] for row in record["temporal"]["thresholds"]],
        "mean_tiou": record["temporal"]["mean_tiou"]["value"],
        "start": record["temporal"]["boundary_errors"]["start_mean"]["value"],
        "end p90": record["temporal"]["boundary_errors"]["end_p90_abs"],
        "f1": [record[field]["macro_f1"]["value"] for field in ("operation", "next")],
        "balanced": [record[field]["balanced_accuracy"]["value"] for field in ("operation", "next")],
        "map": record["detection"]["map"]["value"],
        "segmental": {name: row["value"] for name, row in record["segmental"].items()},
        "ece": [record["calibration"][field]["ece"] for field in ("operation", "next")],
        "brier": [record["calibration"][field]["brier"]["value"] for field in ("operation", "next")],
        "area": [record["calibration"][field]["risk_coverage_area"] for field in ("operation", "next")],
        "latency": {name: row for name, row in record["latency"].items() if name != "n"},
        "modes": {row["mode"]: [row["share"], row["gain"], row["field_gain"]] for row in record["modes"]},
        "slices": {
            (row["dimension"], row["level"]): [metric["value"] for metric in row["metrics"].values()]
            for row in record["slices"]
        },
    }


REACHABLE = [name for name in RULES if name != "one-frame-degenerate"]
"""Rule sets under which every true segment can be answered: that one takes true segments of one frame for none."""


@pytest.mark.parametrize("rules", [*REACHABLE, ",".join(REACHABLE[1:])])
@pytest.mark.parametrize("weights", [Weights(), UNTIDY], ids=str)
def test_perfect_answers_are_exactly_1(rules, weights, plain):
    record = plain.score(plain.perfect(), rules=rules, weights=weights).record
    assert values(record) == dict.fromkeys(HEADLINE, 1)
    metrics = [record["metrics"][name] for name in HEADLINE]
    assert all(metric["one_sided"] and metric["high"] == 1 > metric["low"] for metric in metrics)
    assert {row["value"] for row in record["temporal"]["thresholds"]} == {1}
    assert record["temporal"]["mean_tiou"]["value"] == record["temporal"]["mean_over_thresholds"]["value"] == 1
    for field in ("operation", "next"):
        assert record[field]["macro_f1"]["value"] == record[field]["balanced_accuracy"]["value"] == 1
    assert record["detection"]["map"]["value"] == 1
    assert {row["value"] for row in record["segmental"].values()} == {100}
    assert record["modes"] == [] and record["funnel"][-1]["passed"] == record["n"]


def test_perfect_answers_miss_the_one_frame_segments_that_a_rule_set_takes_for_degenerate(plain):
    clips = plain.truth.clips
    short = sum(clip["end_frame"] - clip["start_frame"] == 1 for clip in clips)
    record = plain.score(plain.perfect(), rules="one-frame-degenerate").record
    assert short > 0 and record["metrics"]["tiou50"]["value"] == pytest.approx(1 - short / len(clips), abs=1e-12)
    assert [(row["mode"], row["n"]) for row in record["modes"]] == [("degenerate", short)]


def test_perfect_answers_reach_the_ceiling_of_a_known_process(synthetic):
    record = synthetic.score(synthetic.perfect()).record
    assert values(record) == dict.fromkeys(HEADLINE, 1)
    assert record["metrics"]["oca"]["skill"] == record["metrics"]["tiou50"]["skill"] == 1
    assert record["metrics"]["aa1"]["skill"] > 1  # nobody can know what is not on screen: the audit says so
    flags = {row["flag"]: row["raised"] for row in record["audit"]}
    assert flags["copy_of_truth"] and flags["knows_more"]


def test_disjoint_segments_have_no_overlap(plain):
    answers = plain.perfect()
    for answer in answers.values():
        start, end = answer["start_frame"], answer["end_frame"]
        beside = (end, CLIP_FRAMES) if end < CLIP_FRAMES else (0, start)
        answer |= dict(zip(("start_frame", "end_frame"), beside, strict=True))
    record = plain.score(answers).record
    assert values(record) | {"score": None} == {"oca": 1, "tiou50": 0, "aa1": 1, "score": None, "aa1_hidden": 1}
    assert {row["value"] for row in record["temporal"]["thresholds"]} == {0}
    assert record["temporal"]["mean_tiou"]["value"] == 0
    assert {row["mode"] for row in record["modes"]} <= {"disjoint", "whole_clip", "degenerate"}


def test_the_order_of_lines_means_nothing(plain):
    answers = random_answers(plain.truth, seed=1)
    one, other = plain.score(answers, seed=1), plain.score(answers, seed=2)
    differing = {key for key in one.record if one.record[key] != other.record[key]}
    assert differing <= {"signature", "submission", "diagnostics"}
    assert one.clips.drop(columns="line").equals(other.clips.drop(columns="line"))


def test_duplicating_every_session_changes_no_point_estimate(plain, folder):
    answers = random_answers(plain.truth, seed=4)
    once = points(plain.score(answers).record)
    twins = {f"{name}+": answer for name, answer in answers.items()}
    twice = points(Bench(folder, "twice").score(answers | twins).record)
    oracle.compare(once, twice, "points")


WRONGS = [
    ("missing", lambda right: None, "no line"),
    ("abstained", lambda right: dict.fromkeys(right), "null in all fields"),
    ("confused_other", lambda right: right | {"operation": "Taping"}, "a label that does not exist"),
]


@pytest.mark.parametrize(("mode", "spoil", "why"), WRONGS, ids=[case[0] for case in WRONGS])
def test_every_clip_stays_in_the_denominator(mode, spoil, why, plain):
    """Seven clips are spoilt in an otherwise perfect file."""
    answers = plain.perfect()
    n, lost = len(answers), sorted(answers)[::17][:7]
    answers |= {name: spoil(answers[name]) for name in lost}
    record = plain.score({name: answer for name, answer in answers.items() if answer is not None}).record
    assert record["metrics"]["oca"]["value"] == float(Fraction(n - len(lost), n)), why
    assert record["metrics"]["oca"]["n"] == record["n"] == n
    [row] = record["modes"]
    assert (row["mode"], row["n"]) == (mode, len(lost))
    assert record["coverage"] == (n - (len(lost) if mode == "missing" else 0)) / n


def test_a_wrong_answer_is_worth_as_much_as_none(plain):
    answers = random_answers(plain.truth, seed=9, missing=0.2, rare=0)
    wrong = {"operation": "Taping", "start_frame": 9, "end_frame": 3, "next_operation": "Kitting"}
    filled = {clip["clip_id"]: answers.get(clip["clip_id"], wrong) for clip in plain.truth.clips}
    one, other = plain.score(answers).record["metrics"], plain.score(filled).record["metrics"]
    assert one == other


ROUGH = [("smooth", {}), ("odd", {"rare": 0.2}), ("sparse", {"missing": 0.7}), ("good", {"skilled": 0.97, "rare": 0})]


@pytest.mark.parametrize("rules", [*RULES, "inclusive-ends,drop-missing", "drop-missing,drop-degenerate"])
@pytest.mark.parametrize("style", [case[1] for case in ROUGH], ids=[case[0] for case in ROUGH])
def test_gains_sum_to_what_is_lost_and_the_funnel_to_n(rules, style, plain):
    answers = random_answers(plain.truth, seed=6, **style)
    record = plain.score(answers, rules=rules).record
    score, judged, funnel = record["metrics"]["score"]["value"], record["metrics"]["oca"]["n"], record["funnel"]
    assert sum(row["gain"] for row in record["modes"]) == pytest.approx(1 - score, abs=1e-12)
    assert sum(stage["lost"] for stage in funnel) + funnel[-1]["passed"] == judged == funnel[0]["passed"]
    assert sum(row["n"] for row in record["modes"]) + funnel[-1]["passed"] == judged
    facts = oracle.make_facts(plain.truth, answers, oracle.RULES[rules])
    gains = [row["gain"] for row in oracle.modes(facts, oracle.WEIGHTS).values()]
    assert sum(gains) == 1 - oracle.headline("score", oracle.WEIGHTS)["value"](facts)  # exactly, as fractions


def test_all_missing_is_0_without_a_division_by_it(plain):
    record = plain.all_missing().record
    assert values(record) == dict.fromkeys(HEADLINE, 0)
    metrics = [record["metrics"][name] for name in HEADLINE]
    assert all(metric["low"] == 0 < metric["high"] and metric["one_sided"] for metric in metrics)
    assert record["coverage"] == 0
    assert [row["mode"] for row in record["modes"]] == ["missing"] and record["modes"][0]["gain"] == pytest.approx(1)
    assert record["calibration"] == dict.fromkeys(("operation", "next", "overconfidence"))
    assert record["latency"] is None


def test_all_abstained_is_0(plain):
    nothing = dict.fromkeys(("operation", "start_frame", "end_frame", "next_operation"))
    record = plain.score({clip["clip_id"]: nothing for clip in plain.truth.clips}).record
    assert values(record) == dict.fromkeys(HEADLINE, 0)
    assert [row["mode"] for row in record["modes"]] == ["abstained"] and record["coverage"] == 1


def test_a_rule_set_that_drops_every_clip_says_so(plain):
    record = plain.all_missing(rules="drop-missing").record
    assert values(record) == dict.fromkeys(HEADLINE)
    assert {metric["note"] for metric in record["metrics"].values()} == {"the rule set leaves no clip"}


def test_a_rule_set_that_drops_every_segment_has_no_tiou(plain):
    answers = {name: row | {"end_frame": row["start_frame"]} for name, row in plain.perfect().items()}
    record = plain.score(answers, rules="drop-degenerate").record
    assert values(record) == {"oca": 1, "tiou50": None, "aa1": 1, "score": None, "aa1_hidden": 1}
    assert (
        record["metrics"]["tiou50"]["note"] == record["metrics"]["score"]["note"] == "there is no clip that it counts"
    )


def test_model_only_counts_fallback_answers_as_wrong(plain):
    answers = random_answers(plain.truth, seed=8, rare=0)
    wrong = {"operation": "Taping", "start_frame": 9, "end_frame": 3, "next_operation": "Kitting"}
    without = {name: row | (wrong if row["source"] == "fallback" else {}) for name, row in answers.items()}
    record = plain.score(answers).record
    judged = plain.score(without).record["metrics"]
    assert record["model_only"] == pytest.approx({name: row["value"] for name, row in judged.items()})
    assert record["model_only"]["oca"] < record["metrics"]["oca"]["value"]
    for source in ("repaired", "fallback"):
        assert record["submission"]["sources"][source] == sum(row["source"] == source for row in answers.values())


def test_a_reference_scores_what_the_record_calls_floor_prior_and_ceiling(synthetic, folder):
    def scored(name):
        path = folder / f"{name}.jsonl"
        harness.write_baseline(name, path, world="warehouse-v2", split="validation", home=folder)
        return harness.score(path, world="warehouse-v2", split="validation", home=folder).record["metrics"]

    constant, prior, oracle_answers = (scored(name) for name in ("constant", "transition-prior", "oracle"))
    for name in HEADLINE:
        assert constant[name]["value"] == pytest.approx(constant[name]["floor"], abs=1e-12)
    for name in ("aa1", "aa1_hidden", "score"):
        assert prior[name]["value"] == pytest.approx(prior[name]["prior"], abs=1e-12)
    assert oracle_answers["oca"]["value"] == oracle_answers["tiou50"]["value"] == 1
    assert oracle_answers["aa1"]["value"] == pytest.approx(oracle_answers["aa1"]["ceiling"], abs=0.05)


def test_the_record_says_how_many_sessions_hold_an_error(plain):
    answers = plain.perfect()
    wrong = [clip["clip_id"] for clip in plain.truth.clips if clip["session"] == plain.truth.clips[0]["session"]][:2]
    record = plain.score({name: answer for name, answer in answers.items() if name not in wrong}).record
    oca, score = record["metrics"]["oca"], record["metrics"]["score"]
    assert oca["note"] == "OCA: only 1 of 12 sessions holds a wrong answer, so the interval is wider"
    assert not oca["one_sided"] and oca["high"] > oca["value"] and score["note"] is None
    assert oca["strata"] is None  # an imported world


def test_map_has_a_value_and_no_interval(plain):
    found = plain.score(random_answers(plain.truth, seed=1)).record["detection"]["map"]
    assert (
        0 < found["value"] < 1
        and found["low"] is found["high"] is None
        and "biased in samples of this size" in found["note"]
    )


# Bytes

OTHER_WORLDS = [
    ("plain", {}, 2),
    ("one thread, Turkish, far east", {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}, 1),
    ("eight threads, C locale, ASCII, seeded hashes, far west",
     {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONHASHSEED": "1234", "TZ": "America/Adak"}, 8),
]  # fmt: skip
SCORE = """
import functools, sys, duckdb, harness
threads, file, home, output = sys.argv[1:]
duckdb.connect = functools.partial(duckdb.connect, config={"threads": int(threads)})
harness.score(file, world="warehouse-v2", split="validation", home=home).write(output)
"""


def test_no_byte_depends_on_threads_locale_time_zone_or_hash_seed(synthetic, folder, tmp_path):
    file = write_answers(tmp_path / "answers.jsonl", random_answers(synthetic.truth, seed=2))
    written = {}
    for number, (why, environment, threads) in enumerate(OTHER_WORLDS):
        shutil.rmtree(folder / "scores", ignore_errors=True)  # so that nothing is looked up
        output = tmp_path / str(number)
        command = [sys.executable, "-c", SCORE, str(threads), str(file), str(folder), str(output)]
        subprocess.run(command, env=os.environ | environment, check=True)
        written[why] = {path.name: path.read_bytes() for path in sorted(output.iterdir())}
    first = written.pop("plain")
    assert set(first) == {"score.json", "clips.parquet"}
    assert [why for why, files in written.items() if files != first] == []


def test_the_same_submission_twice_has_the_same_bytes(plain, folder, tmp_path):
    file = write_answers(tmp_path / "answers.jsonl", random_answers(plain.truth, seed=2))
    outputs = [tmp_path / name for name in ("first", "looked-up", "scored-again")]
    for output in outputs:
        harness.score(file, world="plain", home=folder).write(output)
        if output.name == "looked-up":
            shutil.rmtree(folder / "scores")
    for name in ("score.json", "clips.parquet"):
        assert len({(output / name).read_bytes() for output in outputs}) == 1, name


# The record as a document


@pytest.fixture(scope="module")
def schema():
    from jsonschema import Draft202012Validator

    document = json.loads(resources.files("harness").joinpath("schemas/score.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


RECORDS = [
    ("everything", lambda bench: bench.score(random_answers(bench.truth, seed=2))),
    ("named", lambda bench: bench.score(random_answers(bench.truth, seed=2), name="<b>mine</b>")),
    ("all missing", lambda bench: bench.all_missing()),
    ("nothing left", lambda bench: bench.all_missing(rules="drop-missing")),
    ("perfect", lambda bench: bench.score(bench.perfect(), rules="inclusive-ends")),
    ("two rule sets", lambda bench: bench.score(bench.perfect(), rules=["drop-degenerate", "drop-missing"])),
]


@pytest.mark.parametrize("make", [case[1] for case in RECORDS], ids=[case[0] for case in RECORDS])
@pytest.mark.parametrize("bench", ["plain", "synthetic"])
def test_records_keep_to_the_published_schema(bench, make, schema, request, tmp_path):
    score = make(request.getfixturevalue(bench))
    score.write(tmp_path)
    text = (tmp_path / "score.json").read_text(encoding="utf-8")
    assert [error.message for error in schema.iter_errors(json.loads(text))] == []
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text) == score.record


def test_the_signature_pins_what_the_numbers_depend_on(plain, folder, tmp_path):
    answers = random_answers(plain.truth, seed=2)
    training = tmp_path / "training.json"
    training.write_text('{"device": "T4", "steps": 5}')
    scores = {
        "as it is": plain.score(answers),
        "other answers": plain.score(random_answers(plain.truth, seed=3)),
        "other order": plain.score(answers, seed=7),
        "other rules": plain.score(answers, rules="inclusive-ends"),
        "other weights": plain.score(answers, weights=UNTIDY),
        "other reading": plain.score(answers, lenient=True),
        "a training record": plain.score(answers, training=training),
        "a name": plain.score(answers, name="mine"),
        "other truth": Bench(folder, "twice").score(answers),
    }
    signatures = [score.signature for score in scores.values()]
    assert len(set(signatures)) == len(signatures)
    assert plain.score(answers).signature == signatures[0]
    with open_truth("plain", "test", home=folder) as truth:
        assert f"truth:{truth.digest[:16]}" in signatures[0].split("|")
    assert f"n:{len(plain.truth.clips)}" in signatures[0].split("|")


def test_a_public_world_says_so_in_the_signature(plain, synthetic):
    said = {bench.world: "truth is public" in bench.score(bench.perfect()).signature for bench in (plain, synthetic)}
    assert said == {"plain": False, "warehouse-v2": True}
