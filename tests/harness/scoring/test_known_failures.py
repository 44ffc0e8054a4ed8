"""Tests of the six known failure modes on records by hand: when each applies, why not, and what it says."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

import harness
from harness.errors import UsageError
from harness.resources import schema
from harness.rules import Weights
from harness.scoring import known_failures
from harness.scoring.training_record import read_training_record
from harness.scoring.transfer import gaps
from tests.support import hand


def estimate(value):
    return {"value": value, "low": None, "high": None}


def row(dimension, level, n, score, aa1=0.5):
    return {"dimension": dimension, "level": level, "n": n, "metrics": {"score": estimate(score), "aa1": estimate(aa1)}}


def errors(n, start, end):
    return {
        "temporal": {
            "boundary_errors": {
                "n": n,
                "start_mean_abs": estimate(start),
                "end_mean_abs": estimate(end),
                "start_within_10": estimate(0.75),
                "end_within_10": estimate(0.5),
            }
        }
    }


BOUNDARIES = [
    (errors(0, None, None), False, None, "no answer holds a segment"),
    (
        errors(4, 3.26, 10.0),
        True,
        False,
        "starts are off by 3.3 frames on average, ends by 10.0; 75% of starts and 50% of ends lie within 10 frames",
    ),
    (errors(4, 10.1, 0.0), True, True, "starts are off by 10.1"),
]


@pytest.mark.parametrize(
    ("record", "applies", "above", "text"), BOUNDARIES, ids=["none", "on the line", "above the line"]
)
def test_boundary_confusion(record, applies, above, text):
    found = known_failures.boundary_confusion(record)
    assert (found["applies"], found.get("above_line")) == (applies, above) and text in found["text"]


def scripts(*levels):
    return {
        "slices": [row("script", level, 10, 0.5, aa1) for level, aa1 in levels],
        "modes": [{"mode": "next_script", "n": 7}, {"mode": "missing", "n": 3}],
    }


def test_sequence_memorised():
    found = known_failures.sequence_memorised(scripts(("off-script", 0.25), ("on-script", 0.75)))
    assert (found["applies"], found["gap"], found["script_answers"]) == (True, 0.5, 7)
    assert "AA@1 is 0.750 on script and 0.250 off script" in found["text"] and "7 off-script clips" in found["text"]
    for record in (scripts(), scripts(("on-script", 0.75))):
        found = known_failures.sequence_memorised(record)
        assert not found["applies"] and "does not have both" in found["text"]


MEMORY = [
    (None, False, None, "no training record"),
    ({"device": "T4"}, True, None, "on T4"),
    ({"device": "T4", "predicted_peak_gib": 10, "measured_peak_gib": 12.5}, True, 1.25,
     "on T4, predicted peak 10.00 GiB, measured 12.50 GiB"),
    ({"device": "T4", "predicted_peak_gib": 0, "measured_peak_gib": 1}, True, None, "predicted peak 0.00 GiB"),
    ({"device": "T4", "measured_peak_gib": None, "oom_events": 0}, True, None, "on T4, 0 out-of-memory events"),
]  # fmt: skip


@pytest.mark.parametrize(("training", "applies", "ratio", "text"), MEMORY)
def test_out_of_memory(training, applies, ratio, text):
    found = known_failures.out_of_memory(training)
    assert (found["applies"], found.get("measured_over_predicted")) == (applies, ratio) and text in found["text"]


def domain(sessions, n, right):
    """Return the sums [12, 5] of a domain: `n` clips in each of `sessions`, of which `right` are right in all."""
    sums = np.zeros((12, 5))
    sums[sessions, :2] = n
    sums[sessions, 2:] = np.array(right)[:, None]
    return sums


def gaps_of(domains, unseen=frozenset(), timelines=range(12)):
    found = gaps.transfer(domains, np.array(timelines), unseen, Weights())
    return known_failures.transfer_gap({"transfer": found})


def test_transfer_gap():
    """Clean .8; light (seen) .7; noise (unseen, three times the clips) .5, blur (unseen) .6: together the unseen ones
    are weighted by clips, (3 x -.3 + 1 x -.2) / 4 = -.275. Three sessions a domain are too few to say more."""
    found = gaps_of(
        {
            "clean": domain([0, 1, 2], 10, [8, 8, 8]),
            "light": domain([3, 4, 5], 10, [7, 7, 7]),
            "noise": domain([6, 7, 8], 30, [15, 15, 15]),
            "blur": domain([9, 10, 11], 10, [6, 6, 6]),
        },
        frozenset({"noise", "blur"}),
    )
    assert found["clean"] == pytest.approx(0.8)
    assert [found[name]["gap"] for name in ("seen", "unseen")] == pytest.approx([-0.1, -0.275])
    assert found["text"] == (
        "against clean, the score changes by -0.100 on seen domains and -0.275 on unseen domains; too few sessions to "
        "say which domains differ"
    )
    assert [(gap["domain"], gap["seen_in_training"], gap["p"]) for gap in found["gaps"]] == [
        ("light", True, None),
        ("noise", False, None),
        ("blur", False, None),
    ]


def test_a_domain_loses_only_where_its_adjusted_p_says_so():
    """The same gap of -.3: where sessions agree it is significant, where they do not it is none."""
    even, odd = list(range(6)), list(range(6, 12))
    clean = domain(even, 10, [8, 7, 8, 9, 8, 8])
    steady = gaps_of({"clean": clean, "noise": domain(odd, 10, [5, 5, 4, 6, 5, 5])})
    assert steady["text"].endswith("noise loses 0.300 (adjusted p 5.4e-04, m = 1)")
    wild = gaps_of({"clean": clean, "noise": domain(odd, 10, [0, 10, 0, 10, 0, 10])})
    assert wild["gaps"][0]["gap"] == pytest.approx(steady["gaps"][0]["gap"])
    assert wild["gaps"][0]["low"] < -0.3 < 0 < wild["gaps"][0]["high"]
    assert "no domain is shown to differ (smallest adjusted p 0.2" in wild["text"]


def test_a_transfer_gap_is_paired_where_both_domains_hold_the_same_clips():
    """Each session of noise loses one of ten clips against its twin, however much sessions differ: paired, that is
    certain; unpaired, it is lost among the sessions."""
    domains = {
        "clean": domain(range(6), 10, [9, 2, 6, 4, 8, 3]),
        "noise": domain(range(6, 12), 10, [8, 1, 5, 3, 7, 2]),
    }
    (apart,) = gaps_of(domains)["gaps"]
    (paired,) = gaps_of(domains, timelines=[0, 1, 2, 3, 4, 5] * 2)["gaps"]
    assert (apart["paired"], paired["paired"]) == (False, True)
    assert apart["p"] > 0.5 and paired["p"] < 1e-6
    (repeated,) = gaps_of(domains, timelines=[0, 0, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])["gaps"]
    assert repeated == apart, "one domain holds the same clips twice"


NO_GAP = [
    ("no domains", {}),
    ("only clean", {"clean": domain([0], 5, [2])}),
    ("no clean", {"light": domain([0], 5, [2]), "noise": domain([1], 5, [2])}),
]


@pytest.mark.parametrize(("why", "domains"), NO_GAP, ids=[case[0] for case in NO_GAP])
def test_no_transfer_gap(why, domains):
    found = gaps_of(domains)
    assert not found["applies"] and "does not have both clean and shifted domains" in found["text"]


def test_json_breakdown():
    record = {
        "modes": [{"mode": "unparseable", "n": 2}, {"mode": "invalid", "n": 1}, {"mode": "missing", "n": 9}],
        "submission": {"sources": {"model": 10, "repaired": 4, "fallback": 1}},
        "funnel": [{"passed": 24}, {"passed": 15}],
        "model_only": {"score": 0.5},
    }
    found = known_failures.json_breakdown(record)
    assert (found["applies"], found["broken"], found["share"]) == (True, 3, 0.2)
    assert found["text"].startswith("3 of 15 answers are unreadable or invalid, 4 repaired, 1 marked as fallback; ")
    record["funnel"][1]["passed"] = 0
    assert known_failures.json_breakdown(record)["share"] is None  # nothing present, nothing broken


def test_latency():
    assert not known_failures.latency({"latency": None})["applies"]
    row = {"n": 40, "p50_ms": 1200.4, "p95_ms": 11000.0, "share_above_10s": 0.075}
    found = known_failures.latency({"latency": row})
    assert found["text"] == "p50 is 1200 ms, p95 11000 ms; 7.5% of 40 answers took longer than 10 s"


def test_all_six_are_always_there(tmp_path):
    """A world of one operation, without process, domains, latencies or training: three apply."""
    rows = hand.grid(2, 3)
    hand.world("six", rows, tmp_path, tmp_path)
    file = hand.write(tmp_path / "a.jsonl", [hand.right(row) for row in rows])
    found = harness.score(file, world="six", home=tmp_path).record["sections"]
    assert {name: section["applies"] for name, section in found.items()} == {
        "boundary_confusion": True,
        "sequence_memorised": False,
        "out_of_memory": False,
        "transfer_gap": False,
        "json_breakdown": True,
        "latency": False,
    }
    assert all(section["text"] for section in found.values())


TRAINING = [
    ({"device": "Tesla T4 16 GB"}, True, "the least"),
    (
        {
            "device": "T4",
            "predicted_peak_gib": 13.2,
            "measured_peak_gib": 12,
            "steps": 300,
            "wall_s": 5.5,
            "oom_events": 0,
        },
        True,
        "all",
    ),
    ({"device": "T4", "steps": None, "oom_events": None}, True, "null where not measured"),
    ({"device": "T4", "steps": 300.0}, True, "a whole number, however written"),
    ({"device": "T4", "lora_rank": 16, "notes": ["x"]}, True, "what else is worth keeping"),
    ({}, False, "no device"),
    ({"device": 4}, False, "device is no text"),
    ([], False, "no object"),
    ({"device": "T4", "steps": -1}, False, "negative"),
    ({"device": "T4", "steps": 1.5}, False, "half a step"),
    ({"device": "T4", "oom_events": 0.5}, False, "half an event"),
    ({"device": "T4", "measured_peak_gib": "12"}, False, "a number as text"),
    ({"device": "T4", "wall_s": True}, False, "a flag is no number"),
]


@pytest.mark.parametrize(("record", "good", "why"), TRAINING, ids=[case[2] for case in TRAINING])
def test_training_reader_and_schema_agree(record, good, why, tmp_path):
    path = tmp_path / "training.json"
    path.write_text(json.dumps(record))
    assert jsonschema.Draft202012Validator(schema("training")).is_valid(record) is good
    if good:
        assert read_training_record(tmp_path / "predictions.jsonl", None) == record, "the one beside the submission"
    else:
        with pytest.raises(UsageError, match=r"training\.json"):
            read_training_record(tmp_path / "predictions.jsonl", None)


UNREADABLE = [
    ("{", "not JSON"),
    ('{"device": "T4", "loss": NaN}', "not a number"),
    ('{"device": "T4", "loss": 1e999}', "too large a number"),
    ('{"device": "T4", "x": "\\ud800"}', "half a character"),
    ('{"device": "T4", "x": ' + "[" * 100_000, "nested 100,000 deep"),
]


@pytest.mark.parametrize(("text", "why"), UNREADABLE, ids=[case[1] for case in UNREADABLE])
def test_unreadable_training_record(text, why, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.json: not a readable training record"):
        read_training_record("p.jsonl", path)


def test_where_the_training_record_is_looked_for(tmp_path):
    assert read_training_record(tmp_path / "p.jsonl", None) is None  # none beside it
    assert read_training_record("-", None) is None  # standard input has no folder
    with pytest.raises(UsageError, match="nowhere"):
        read_training_record(tmp_path / "p.jsonl", tmp_path / "nowhere.json")  # asked for, and not there
