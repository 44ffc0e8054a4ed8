"""Tests of the harness against the oracle, on random worlds and answers: every clip, every metric, every rule set.

First the oracle itself against cases worked out by hand, since an oracle can be wrong too; last scikit-learn, which has
never heard of either.
"""

from __future__ import annotations

import json
import math
import warnings
from fractions import Fraction as F
from functools import cache

import pytest

import harness
from harness.rules import Weights
from tests.support import oracle
from tests.support.random_worlds import (
    SHAPES,
    line,
    make_world,
    oracle_truth,
    random_answers,
    random_truth,
    with_later_operations,
    write_answers,
)

TOLERANCE = oracle.TOLERANCE


# The oracle by hand

TIOUS = [
    ("disjoint", (0, 10), (20, 30), "standard", F(0)),
    ("touching, ends exclusive", (0, 10), (10, 20), "standard", F(0)),
    ("touching, ends inclusive: frame 10 is in both", (0, 10), (10, 20), "inclusive-ends", F(1, 21)),
    ("equal", (5, 50), (5, 50), "standard", F(1)),
    ("half inside", (0, 10), (0, 5), "standard", F(1, 2)),
    ("inclusive half is more than half", (0, 10), (0, 5), "inclusive-ends", F(6, 11)),
    ("one shared third", (0, 20), (10, 30), "standard", F(1, 3)),
    ("whole clip on a dense one", (0, 62), (0, 125), "standard", F(62, 125)),
]


@pytest.mark.parametrize(("why", "one", "other", "rules", "expected"), TIOUS, ids=[case[0] for case in TIOUS])
def test_tiou_by_hand(why, one, other, rules, expected):
    assert F(*oracle.overlap_and_union(one, other, oracle.RULES[rules])) == expected, why


def hand_clip(**changes):
    """Return a clip of A in [30, 70), between C and B, whose script says D."""
    clip = {
        "clip_id": "x",
        "session": "s",
        "clip_index": 0,
        "fold": 0,
        "dominant_operation": "A",
        "start_frame": 30,
        "end_frame": 70,
        "next_operation": "B",
        "previous_operation": "C",
        "off_script": True,
        "ceiling_ppm": None,
        "state_prior": None,
        "next_ppm": None,
        "frames_hit": None,
    }
    return clip | changes


def hand_truth(*clips):
    constants = {0: {"operation": "A", "segment": (0, 60), "next_operation": "C"}}
    return oracle.Truth(("A", "B", "C", "D"), clips, constants, {0: dict.fromkeys("ABCD", "B")}, {"A": "D"})


def answered(operation="A", start=30, end=70, following="B", **others):
    return {"operation": operation, "start_frame": start, "end_frame": end, "next_operation": following, **others}


MODES = [
    ("missing", None, "no line"),
    ("unparseable", {"outcome": "unparseable"}, "the answer text was not readable"),
    ("invalid", {"outcome": "invalid"} | answered(), "rejected, whatever it says"),
    ("abstained", answered(None), "operation null"),
    ("abstained", answered("D", None, None), "segment null comes before the wrong operation"),
    ("abstained", answered(following=None), "next null"),
    ("confused_previous", answered("C", 0, 125), "C came before; the segment is not looked at"),
    ("confused_next", answered("B"), "B comes after"),
    ("confused_other", answered("D"), "neither"),
    ("confused_other", answered("Taping"), "a label that does not exist"),
    ("degenerate", answered(start=70, end=30), "ends swapped"),
    ("degenerate", answered(start=30, end=30), "no frame"),
    ("whole_clip", answered(start=0, end=120), "120 frames, before too long"),
    ("too_long", answered(start=0, end=119), "119 frames"),
    ("disjoint", answered(start=70, end=110), "touches, shares no frame"),
    ("too_long", answered(start=66, end=120), "54 > 4/3 of 40"),
    ("too_short", answered(start=30, end=49), "19 < 3/4 of 40"),
    ("end_late", answered(start=45, end=98), "53 is below 4/3 of 40 = 53.3; the end is off by 28, the start by 15"),
    ("start_early", answered(start=5, end=45), "both 25 off: a tie is the start's"),
    ("start_late", answered(start=55, end=95), "both 25 off, too late"),
    ("end_early", answered(start=15, end=45), "30 = 3/4 of 40 is not too short; start 15, end 25 off"),
    ("next_script", answered(following="D"), "off script, and D is the script's"),
    ("next_repeats", answered(following="A"), "the operation again"),
    ("next_other", answered(following="C"), "just wrong"),
    ("next_other", answered(following="Kitting"), "a label that does not exist"),
    ("correct", answered(start=30, end=50), "tIoU of 20/40 is exactly enough"),
]


@pytest.mark.parametrize(("expected", "answer", "why"), MODES, ids=[f"{case[0]}: {case[2]}" for case in MODES])
def test_modes_by_hand(expected, answer, why):
    truth = hand_truth(hand_clip())
    [fact] = oracle.make_facts(truth, {} if answer is None else {"x": answer}, oracle.RULES["standard"])
    assert fact["mode"] == expected, why


DEGENERATE = [
    # segment, under standard, under one-frame-degenerate
    ((30, 30), True, True, "no frame"),
    ((70, 30), True, True, "ends swapped"),
    ((30, 31), False, True, "one frame"),
    ((30, 32), False, False, "two frames"),
    ((0, 1), False, True, "the first frame"),
]


@pytest.mark.parametrize(("segment", "usual", "one", "why"), DEGENERATE, ids=[case[3] for case in DEGENERATE])
def test_degenerate_by_hand(segment, usual, one, why):
    for rules, expected in (("standard", usual), ("one-frame-degenerate", one)):
        assert oracle.is_degenerate(segment, oracle.RULES[rules]) == expected, why
        [fact] = oracle.make_facts(
            hand_truth(hand_clip()), {"x": answered(start=segment[0], end=segment[1])}, oracle.RULES[rules]
        )
        assert (fact["mode"] == "degenerate") == expected


def test_script_is_blamed_off_script_only():
    truth = hand_truth(hand_clip(next_operation="D", off_script=False), hand_clip(clip_id="y", off_script=None))
    answers = {"x": answered(following="C"), "y": answered(following="D")}
    assert [f["mode"] for f in oracle.make_facts(truth, answers, oracle.RULES["standard"])] == [
        "next_other",
        "next_other",
    ]


def test_statistics_by_hand():
    assert [oracle.nearest_rank([10, 20, 30, 40], F(k, 100)) for k in (25, 26, 50, 95)] == [10, 20, 20, 40]
    assert oracle.levenshtein("kitten", "sitting") == 3
    assert oracle.holm(0.01, [0.01, 0.03, 0.04]) == pytest.approx(0.03)
    assert oracle.holm(0.04, [0.01, 0.03, 0.04]) == pytest.approx(0.06)  # never less than a smaller p's
    assert oracle.precision_recall_f1(3, 1, 2) == (F(3, 4), F(3, 5), F(2, 3))
    assert oracle.effective_size([10] * 10) == F(100) / F(28, 10)  # 1 + 0.2 x 9
    assert oracle.effective_size([1, 3]) == F(4) / F(13, 10)  # the average clip lies among 10 / 4
    exact = oracle.clopper_pearson(F(1), F(100))
    assert exact.low == pytest.approx(0.025 ** (1 / 100)) and exact.high == 1
    exact = oracle.clopper_pearson(F(8, 10), F(10))  # the textbook's 8 of 10
    assert (exact.low, exact.high) == (pytest.approx(0.4439, abs=5e-5), pytest.approx(0.9748, abs=5e-5))
    assert oracle.degrees_of_freedom([7] * 9) == 8
    # shares 1/2, 1/4, 1/4; q = 1/2, 1/12, 1/12; pairs 2 (1/24 + 1/24 + 1/144) = 13/72; 1/v = 3/8 + 13/72 = 40/72
    assert oracle.degrees_of_freedom([2, 1, 1]) == F(9, 5)


def test_average_precision_by_hand():
    """Detections of A, best first: right, wrong, right; of 4 true A. Precisions 1, 1/2, 2/3: (1 + 2/3) / 4."""
    clips = [hand_clip(clip_id=name, session=name) for name in "pqrs"]
    clips += [hand_clip(clip_id="t", session="t", dominant_operation="B", next_operation="A")]
    sure = {"p": F(9, 10), "t": F(1, 2), "r": F(1, 10)}
    answers = {name: answered(confidence=confidence) for name, confidence in sure.items()}
    facts = oracle.make_facts(hand_truth(*clips), answers, oracle.RULES["standard"])
    assert oracle.average_precisions(facts, "A", [F(1, 2), F(1)]) == [F(5, 12), F(5, 12)]
    assert oracle.mean_average_precision(facts, [F(1, 2)]) == F(5, 24)  # B is never answered: 0


def test_interval_by_hand():
    """Five sessions of one clip, three right: replicates 2/4 three times and 3/4 twice; SE^2 = 4/5 x 0.075 = 0.06."""
    facts = [{"session": name, "right": name in "abc"} for name in "abcde"]
    interval = oracle.logit_interval(lambda facts: oracle.share(facts, "right"), facts)
    half = 2.7764451051977987 * math.sqrt(0.06) / 0.24
    assert interval.low == pytest.approx(1 / (1 + math.exp(half) * 2 / 3), abs=1e-12)
    assert interval.high == pytest.approx(1 / (1 + math.exp(-half) * 2 / 3), abs=1e-12)


# The harness against the oracle


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    for number, (name, shape) in enumerate(SHAPES.items()):
        make_world(name.replace(" ", "-"), random_truth(shape, number), folder, folder)
    return folder


@pytest.fixture(scope="module")
def truth_of(home):
    return cache(lambda world, split: oracle_truth(world, split, home))


SYNTHETIC = ("warehouse-v2", "validation")
ALL_RULES = "inclusive-ends,drop-missing,drop-degenerate,one-frame-degenerate"
CASES = [
    ("standard", ("plain", "test"), {}, "everything at once"),
    ("inclusive-ends", ("plain", "test"), {}, "other tIoU, other segment modes"),
    ("drop-missing", ("plain", "test"), {"missing": 0.5}, "half of the clips leave the denominator"),
    ("drop-degenerate", ("plain", "test"), {"rare": 0.15}, "tIoU has a denominator of its own"),
    ("standard", ("uneven", "test"), {}, "unequal sessions, some without a hidden clip or a domain"),
    ("drop-missing", ("uneven", "test"), {"missing": 0.6}, "sessions vanish"),
    ("drop-degenerate", ("uneven", "test"), {"rare": 0.2}, "sessions without a counted segment"),
    ("standard", ("half-known", "test"), {}, "a third of the sessions in no domain"),
    ("standard", ("alone", "test"), {}, "one session: no interval, fitted on itself"),
    ("standard", ("few", "test"), {}, "four sessions: no interval"),
    ("standard", ("many-labels", "test"), {}, "140 labels, 264 workers"),
    ("standard", ("singles", "test"), {}, "every clip a session of its own"),
    ("standard", ("plain", "test"), {"skilled": 1, "rare": 0, "missing": 0.1}, "nearly perfect"),
    ("standard", ("plain", "test"), {"skilled": 1, "rare": 0, "missing": 0.02}, "few sessions hold an error"),
    ("standard", ("uneven", "test"), {"skilled": 1, "rare": 0, "missing": 0.04}, "few of unequal sessions do"),
    ("standard", ("plain", "test"), {"skilled": 0}, "always wrong"),
    ("standard", ("plain", "test"), {"missing": 1}, "an empty answer"),
    ("standard", ("plain", "test"), {"rare": 0.3}, "odd through and through"),
    ("standard", SYNTHETIC, {}, "a world with process, ceiling and script"),
    ("standard", SYNTHETIC, {"skilled": 1}, "above the ceiling"),
    ("standard", SYNTHETIC, {"skilled": 1, "rare": 0, "missing": 0.005}, "few sessions hold an error, in domains"),
    ("inclusive-ends", SYNTHETIC, {}, "the same, inclusive"),
    ("drop-missing", SYNTHETIC, {"missing": 0.3}, "ceiling of what is left"),
    ("drop-degenerate", SYNTHETIC, {"rare": 0.1}, "floors of what is left"),
    ("one-frame-degenerate", ("plain", "test"), {"rare": 0.1}, "a one-frame answer is no segment"),
    ("drop-missing,drop-degenerate", ("plain", "test"), {"missing": 0.4, "rare": 0.15}, "two denominators at once"),
    ("drop-missing,drop-degenerate", ("uneven", "test"), {"missing": 0.5, "rare": 0.2}, "two on unequal sessions"),
    ("inclusive-ends,drop-missing", ("plain", "test"), {"missing": 0.4}, "inclusive, of what is there"),
    ("inclusive-ends,one-frame-degenerate", ("plain", "test"), {"rare": 0.1}, "one frame by its ends, two by count"),
    ("drop-degenerate,one-frame-degenerate", ("plain", "test"), {"rare": 0.1}, "one-frame answers are dropped"),
    (ALL_RULES, ("uneven", "test"), {"missing": 0.3, "rare": 0.15}, "everything that rules can change"),
    (ALL_RULES, SYNTHETIC, {"missing": 0.3, "rare": 0.15}, "ceiling and floors of what all rules leave"),
    ("standard", ("canonical-v1", "validation"), {}, "prior = ceiling = 1: nothing to anticipate"),
]


@pytest.mark.parametrize(("rules", "world", "style", "why"), CASES, ids=[f"{c[1][0]}: {c[3]}" for c in CASES])
def test_agreement(rules, world, style, why, home, truth_of, tmp_path):
    truth = truth_of(*world)
    answers = random_answers(truth, seed=len(why), **style)
    if "one-frame" in rules:
        answers = with_one_frame_segments(answers)
    lines = answers or {truth.clips[0]["clip_id"]: answered(None, None, None, None)}  # a file without a line is refused
    score = harness.score(
        write_answers(tmp_path / "answers.jsonl", lines), world=world[0], split=world[1], rules=rules, home=home
    )
    facts = oracle.make_facts(truth, lines, oracle.RULES[rules])
    compare_clips(score.clips.to_dict("records"), facts, truth)
    compare_record(score.record, oracle.record(facts, truth))


def with_one_frame_segments(answers):
    """Return answers of which every fourth segment is cut to its first frame, since random ones are rarely so short."""
    long = {name: row for name, row in answers.items() if row["start_frame"] not in (None, 125)}
    return answers | {name: long[name] | {"end_frame": long[name]["start_frame"] + 1} for name in list(long)[::4]}


HAND_ANSWERS = [
    # true segment, answered segment (None: no line); all labels are right
    ((30, 70), (30, 70), "exact: a hit"),
    ((30, 70), (30, 50), "20 / 40: a hit"),
    ((30, 70), (29, 50), "20 / 41: a miss; inclusive 21 / 42: a hit"),
    ((30, 70), None, "missing"),
    ((30, 70), None, "missing"),
    ((30, 70), (40, 40), "degenerate"),
    ((30, 70), (70, 30), "degenerate"),
    ((40, 41), (40, 41), "exact: a hit, but of one frame"),
    ((30, 70), (0, 125), "40 / 125: a miss"),
    ((30, 70), (30, 70), "exact: a hit"),
]
HAND_VALUES = [
    # rules, OCA and AA@1, tIoU@0.5, degenerate clips
    ("standard", F(8, 10), F(4, 10), 2),
    ("inclusive-ends", F(8, 10), F(5, 10), 2),
    ("drop-missing", F(1), F(4, 8), 2),
    ("drop-degenerate", F(8, 10), F(4, 8), 2),
    ("one-frame-degenerate", F(8, 10), F(3, 10), 3),
    ("drop-missing,drop-degenerate", F(1), F(4, 6), 2),
    ("inclusive-ends,drop-missing", F(1), F(5, 8), 2),
    ("inclusive-ends,drop-degenerate", F(8, 10), F(5, 8), 2),
    ("inclusive-ends,one-frame-degenerate", F(8, 10), F(4, 10), 3),
    ("drop-missing,one-frame-degenerate", F(1), F(3, 8), 3),
    ("drop-degenerate,one-frame-degenerate", F(8, 10), F(3, 7), 3),
    ("drop-missing,drop-degenerate,one-frame-degenerate", F(1), F(3, 5), 3),
    (ALL_RULES, F(1), F(4, 5), 3),
]


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """Return a world of ten clips of Tape before Label, two a session, and a file of answers."""
    folder = tmp_path_factory.mktemp("hand")
    names = [f"c{place}" for place in range(len(HAND_ANSWERS))]
    labels = {"dominant_operation": "Tape", "next_operation": "Label"}
    truth = [
        {"clip_id": name, "session": f"s{place // 2}", "clip_index": place % 2, "start_frame": start, "end_frame": end}
        | labels
        for place, (name, ((start, end), *_)) in enumerate(zip(names, HAND_ANSWERS, strict=True))
    ]
    make_world("hand", truth, folder, folder)
    given = {name: row[1] for name, row in zip(names, HAND_ANSWERS, strict=True) if row[1] is not None}
    answers = {name: answered("Tape", *segment, "Label") for name, segment in given.items()}
    return folder, write_answers(folder / "answers.jsonl", answers)


@pytest.mark.parametrize(("rules", "labels", "tiou", "degenerate"), HAND_VALUES, ids=[case[0] for case in HAND_VALUES])
def test_rule_sets_by_hand(rules, labels, tiou, degenerate, by_hand):
    home, file = by_hand
    record = harness.score(file, world="hand", home=home, rules=rules.split(",")[::-1]).record
    assert record["rules"] == rules and f"|rules:{rules}|" in record["signature"]
    values = {name: record["metrics"][name]["value"] for name in ("oca", "aa1", "tiou50", "score")}
    expected = {"oca": labels, "aa1": labels, "tiou50": tiou, "score": F(7, 10) * labels + F(3, 10) * tiou}
    assert values == pytest.approx({name: float(value) for name, value in expected.items()}, abs=TOLERANCE)
    assert sum(row["n"] for row in record["modes"] if row["mode"] == "degenerate") == degenerate


FURTHER = [
    # world, rules, style, why
    (("plain", "test"), "standard", {}, "clips with one, two and three"),
    (("uneven", "test"), "drop-missing", {"missing": 0.4}, "sessions without a third, floors of each fold"),
    (("few", "test"), "standard", {}, "too few sessions for an interval"),
    (SYNTHETIC, "standard", {"skilled": 0.9}, "a world with ceilings"),
]


@pytest.mark.parametrize(("world", "rules", "style", "why"), FURTHER, ids=[f"{c[0][0]}: {c[3]}" for c in FURTHER])
def test_agreement_about_the_operations_after_the_next(world, rules, style, why, home, truth_of, tmp_path):
    truth = truth_of(*world)
    answers = with_later_operations(truth, random_answers(truth, seed=len(why), **style), seed=1)
    file = write_answers(tmp_path / "answers.jsonl", answers)
    record = harness.score(file, world=world[0], split=world[1], rules=rules, home=home).record
    facts = oracle.make_facts(truth, answers, oracle.RULES[rules])
    oracle.compare({"aa2": oracle.further(facts, 1), "aa3": oracle.further(facts, 2)}, record["further"], why)
    assert all(0 < row["answered"] < row["n"] for row in record["further"].values())


def test_agreement_of_other_weights(home, truth_of, tmp_path):
    truth = truth_of("plain", "test")
    answers = random_answers(truth, seed=77)
    score = harness.score(
        write_answers(tmp_path / "answers.jsonl", answers), world="plain", weights=Weights(0.7, 0.1, 0.2), home=home
    )
    facts = oracle.make_facts(truth, answers, oracle.RULES["standard"])
    compare_record(score.record, oracle.record(facts, truth, (F(7, 10), F(1, 10), F(2, 10))))


def test_agreement_of_rejected_lines(home, truth_of, tmp_path):
    """With `lenient` a bad line is a wrong answer of mode `invalid`, whatever else it says; so is a doubled clip.

    A good line whose answer text cannot be read is wrong too, but it took its time.
    """
    truth = truth_of("plain", "test")
    answers = random_answers(truth, seed=5, missing=0.2)
    ids = sorted(answers)
    file = write_answers(tmp_path / "answers.jsonl", {name: answers[name] for name in ids[9:]})
    bad = [line(name, answered(*right_answer(truth, name)) | {"end_frame": 126}) for name in ids[:3]]
    doubled = [line(name, answered(*right_answer(truth, name))) * 2 for name in ids[3:6]]
    said = {"raw_output": "I see a worker.", "latency_ms": 12_000, "confidence": 0.9, "source": "repaired"}
    unreadable = [json.dumps({"clip_id": name} | said) + "\n" for name in ids[6:9]]
    file.write_text(file.read_text() + "".join([*bad, "{not json\n", *doubled, *unreadable]))
    score = harness.score(file, world="plain", lenient=True, home=home)
    answers |= {name: {"outcome": "invalid"} for name in ids[:6]}
    answers |= {name: {"outcome": "unparseable", "latency_ms": F(12_000), "source": "repaired"} for name in ids[6:9]}
    facts = oracle.make_facts(truth, answers, oracle.RULES["standard"])
    compare_clips(score.clips.to_dict("records"), facts, truth)
    compare_record(score.record, oracle.record(facts, truth))


def right_answer(truth, name):
    [clip] = [clip for clip in truth.clips if clip["clip_id"] == name]
    return tuple(clip[key] for key in ("dominant_operation", "start_frame", "end_frame", "next_operation"))


FITTED = ["uneven", "alone", "few"]


@pytest.mark.parametrize("world", FITTED)
def test_floors_and_prior_leave_the_session_out(world, truth_of):
    truth = truth_of(world, "test")
    for fold, session in enumerate(oracle.sessions_of(truth.clips)):
        others = [clip for clip in truth.clips if clip["session"] != session] or truth.clips
        constants, usual = oracle.fit(others, truth.operations)
        assert truth.constants[fold] == constants
        assert truth.transition[fold] == usual
        assert {clip["fold"] for clip in truth.clips if clip["session"] == session} == {fold}


def compare_clips(rows, facts, truth):
    """Compare every clip, in order, and every judgement on it."""
    assert [row["clip_id"] for row in rows] == [f["clip_id"] for f in facts]
    for row, f in zip(rows, facts, strict=True):
        expected = {
            "outcome": f["outcome"],
            "mode": f["mode"],
            "dominant_operation": f["dominant_operation"],
            "next_operation": f["next_operation"],
            "next_visible": f["next_visible"],
            "dense": f["dense"],
            "answered_operation": shown(f["operation"], truth),
            "answered_next": shown(f["next"], truth),
            "operation_right": f["operation_right"],
            "segment_hit": f["segment_hit"],
            "next_right": f["next_right"],
            "segment_counted": f["counted"],
            "intersection": f["overlap"],
            "union_frames": f["union"],
            "tiou": f["tiou"],
            "tiou_level": math.floor(f["tiou"] * 20),
            "start_error": f["start_error"],
            "end_error": f["end_error"],
            "prior_right": f["prior_right"],
            "state_prior_right": f["state_prior_right"],
            "expected": f["chance"],
            "own_prior_right": f["own_prior_right"],
            "latency_ms": f["latency_ms"],
        }
        oracle.compare(expected, row, f["clip_id"])


def shown(label, truth):
    return None if label is None else oracle.shown_label(label, truth)


def compare_record(record, expected):
    """Compare everything that the oracle knows, under its place in the record."""
    modes = {row["mode"]: row for row in record["modes"]}
    for mode, row in expected["modes"].items():
        clips = row.pop("clips")
        assert modes[mode]["examples"] == clips[:5]
    order = [row["gain"] for row in record["modes"]]
    assert order == sorted(order, reverse=True)
    cells = {(row["dimension"], row["level"]): row for row in record["slices"]}
    assert set(cells) == set(expected["slices"])
    for field in ("operation", "next"):
        row = expected["calibration"][field]
        compare_curve(record["calibration"][field], row)
    tables = dict.fromkeys(("modes", "slices", "audit"))
    oracle.compare(expected | tables, record | tables, "record")
    oracle.compare(expected["modes"], modes, "modes")
    assert set(modes) == set(expected["modes"])
    oracle.compare(expected["slices"], cells, "slices")
    audit = {row["flag"]: {"raised": row["raised"], "number": row["number"]} for row in record["audit"]}
    oracle.compare(expected["audit"], audit, "audit")


def compare_curve(curve, expected):
    """The record thins the curve out; what it shows must lie on the oracle's, and reach full coverage."""
    if expected is None:
        return
    points = [(float(coverage), float(error)) for coverage, error in expected.pop("curve")]
    for point in curve["risk_coverage"]:
        assert any(math.dist((point["coverage"], point["risk"]), true) < TOLERANCE for true in points)
    assert curve["risk_coverage"][-1]["coverage"] == 1


# scikit-learn


@pytest.mark.parametrize("world", [("plain", "test"), ("many-labels", "test"), SYNTHETIC], ids=lambda world: world[0])
def test_scikit_learn_agrees(world, home, truth_of, tmp_path):
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

    answers = random_answers(truth_of(*world), seed=31)
    score = harness.score(write_answers(tmp_path / "answers.jsonl", answers), world=world[0], split=world[1], home=home)
    clips = score.clips
    for section, true, given in (
        ("operation", "dominant_operation", "answered_operation"),
        ("next", "next_operation", "answered_next"),
    ):
        y, z = clips[true].tolist(), clips[given].fillna("(no answer)").tolist()
        row, present = score.record[section], sorted(set(y))
        assert row["accuracy"] == pytest.approx(accuracy_score(y, z), abs=TOLERANCE)
        for average in ("macro", "weighted"):
            expected = f1_score(y, z, labels=present, average=average, zero_division=0)
            got = row["macro_f1"]["value"] if average == "macro" else row["weighted_f1"]
            assert got == pytest.approx(expected, abs=TOLERANCE), average
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # answered labels that the truth does not hold
            assert row["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(y, z), abs=TOLERANCE)
        table = row["confusion"]
        matrix = confusion_matrix(y, z, labels=table["answer"])
        assert matrix[: len(table["truth"])].tolist() == table["counts"]
