"""The paired transfer gap against plain loops: means over pairs, all sign patterns, sessions left out one by one."""

from __future__ import annotations

import itertools
import json
import math
import random
from dataclasses import replace
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from scipy.stats import t

import harness
from harness.cards import CLEAN, Card, read_card, write_card
from harness.errors import SubmissionError, UsageError
from harness.resources import schema
from harness.rules import Weights
from harness.scoring.known_failures import transfer_gap
from harness.scoring.transfer.paired import Pairs, with_pairs
from reference.files import sha256
from tests.support import hand

DOMAINS = {"clean": 6, "noise": 7, "glare": 6, "occlusion": 5, "fog": 3}
"""Domain -> sessions of four clips."""
WRONG = {"dominant_operation": "Idle", "temporal_segment": hand.segment(0, 5), "next_operation": "Pack"}


def world_rows() -> list[hand.Row]:
    owners = [domain for domain, sessions in DOMAINS.items() for _ in range(sessions)]
    return [hand.clip(session, index, domain=domain) for session, domain in enumerate(owners) for index in range(4)]


def answer(row: hand.Row, seed: str, share: float) -> hand.Row:
    """An answer each of whose fields is right with probability `share`."""
    draw = random.Random(f"{seed} {row['clip_id']}").random
    return hand.right(row, **{name: value for name, value in WRONG.items() if draw() >= share})


def points(line: hand.Row) -> Fraction:
    """What a clip's answer counts in the score: 0.3, 0.3 and 0.4 for its fields."""
    right = [line["dominant_operation"] == "Tape", line["temporal_segment"] == hand.segment(30, 70)]
    return Fraction(3, 10) * sum(right) + Fraction(4, 10) * (line["next_operation"] == "Label")


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    """An entry with clean answers: some clips of glare are missing in either file, fog's sessions are too few."""
    folder = tmp_path_factory.mktemp("paired")
    rows = world_rows()
    digest = hand.world("paired", rows, folder, folder)
    own = [answer(row, "own", 0.5) for row in rows if (row["domain"], row["clip_index"]) != ("glare", 0)]
    place = hand.entry(folder / "mine", "mine", own, "paired", digest)
    clean = [answer(row, "clean", 0.8) for row in rows if row["clip_id"] not in ("c13-01", "c14-02")]
    by_clip = [{line["clip_id"]: line for line in lines} for lines in (own, clean)]
    return with_clean(place, clean), rows, *by_clip


def with_clean(place, lines):
    file = hand.write(place / CLEAN, lines)
    write_card(place, replace(read_card(place), clean_sha256=sha256(file)))
    return place


def scored(place):
    return harness.score(place, home=place.parent).record


def scored_without(place, folder):
    """Record of the same predictions as an entry without clean answers."""
    lines = map(json.loads, (place / "predictions.jsonl").read_text().splitlines())
    alone = hand.entry(folder / "alone", "alone", lines, "paired", read_card(place).truth_digest)
    return harness.score(alone, home=place.parent).record


def expected_of(domain, rows, own, clean):
    """Pairs a session, and the difference of each: what the definition says."""
    sessions: dict[str, list[Fraction]] = {}
    for row in rows:
        name = row["clip_id"]
        if row["domain"] == domain and name in own and name in clean:
            sessions.setdefault(row["session"], []).append(points(own[name]) - points(clean[name]))
    return list(sessions.values())


def sign_flip(sums: list[Fraction]) -> float:
    patterns = itertools.product((1, -1), repeat=len(sums))
    signed = [abs(sum(sign * one for sign, one in zip(signs, sums, strict=True))) for signs in patterns]
    return sum(total >= abs(sum(sums)) for total in signed) / len(signed)


@pytest.mark.parametrize("domain", ["noise", "glare"])
def test_gap_and_p_are_those_of_the_definition(entry, domain):
    place, rows, own, clean = entry
    found = next(row for row in scored(place)["transfer"]["gaps"] if row["domain"] == domain)
    sessions = expected_of(domain, rows, own, clean)
    flat = [one for session in sessions for one in session]
    assert found["n"] == len(flat) == {"noise": 28, "glare": 16}[domain]
    assert (found["sessions"], found["paired"]) == (len(sessions), True)
    assert found["gap"] == pytest.approx(float(sum(flat) / len(flat)))
    assert found["gap"] == pytest.approx(found["score"] - found["clean"])
    if domain == "glare":
        assert found["p"] is found["low"] is None, "16 pairs are too few"
        return
    sums = [sum(session) for session in sessions]
    assert found["p"] == pytest.approx(sign_flip(sums))
    without = [float((sum(sums) - one) / (len(flat) - 4)) for one in sums]
    g = len(sums)
    half = t.ppf(0.975, g - 1) * math.sqrt((g - 1) / g * sum((one - found["gap"]) ** 2 for one in without))
    assert (found["low"], found["high"]) == pytest.approx((found["gap"] - half, found["gap"] + half))


def test_what_has_no_pairs_keeps_its_gap_to_other_clips(entry, tmp_path):
    """Occlusion, whose clean answers are of other questions. Holm is over all that are tested."""
    place, *_ = entry
    record = scored(place)
    plain = scored_without(place, tmp_path)
    before, after = ({row["domain"]: row for row in each["transfer"]["gaps"]} for each in (plain, record))
    assert {row["paired"] for row in before.values()} == {False}
    assert {name for name, row in after.items() if not row["paired"]} == {"occlusion"}
    unadjusted = {**after["occlusion"], "p_adjusted": None}
    assert unadjusted == {**before["occlusion"], "p_adjusted": None}
    first, second = sorted((row for row in after.values() if row["p"] is not None), key=lambda row: row["p"])
    assert record["transfer"]["m"] == 2 and {first["domain"], second["domain"]} == {"noise", "occlusion"}
    assert first["p_adjusted"] == pytest.approx(min(1, 2 * first["p"]))
    assert second["p_adjusted"] == pytest.approx(max(first["p_adjusted"], second["p"]))


def test_only_the_gap_depends_on_clean_answers(entry, tmp_path):
    place, *_ = entry
    record = scored(place)
    plain = scored_without(place, tmp_path)
    assert "paired" not in plain["transfer"] and "clean:" not in plain["signature"]
    assert record["signature"] == f"{plain['signature']}|clean:{read_card(place).clean_sha256[:16]}"
    apart = {"signature", "transfer", "sections"}
    assert {name: part for name, part in record.items() if name not in apart} == {
        name: part for name, part in plain.items() if name not in apart
    }
    assert record["transfer"]["paired"] is True and record["transfer"]["pairs"] == 28 + 16 + 12
    text = record["sections"]["transfer_gap"]["text"]
    assert text.startswith("against the same clips drawn clean (56 pairs), the score changes by -")
    assert text.endswith("; without pairs, against other clips: occlusion")
    jsonschema.validate(json.loads(json.dumps(record)), schema("score"))


def pairs(*sessions: tuple[int, int, int]) -> Pairs:
    """Pairs by session: how many, and how many of them are right in all fields as drawn, and drawn clean."""
    n, own, clean = (np.array(column) for column in zip(*sessions, strict=True))
    return Pairs(n, np.stack([own] * 3, axis=1), np.stack([clean] * 3, axis=1))


def test_unseen_domains_together_are_pooled_over_their_pairs():
    """20 pairs of -0.2 and 40 of -0.5 are -0.4 together; each of ten sessions loses, so that p is 2 / 2^5."""
    rows = [
        {"domain": name, "seen_in_training": seen, "gap": 0.1, "p": None, "p_adjusted": None, "paired": False}
        for name, seen in (("light", True), ("lens", False), ("glare", False))
    ]
    found = with_pairs(
        {"clean": 0.8, "m": 0, "gaps": rows, "seen": None, "unseen": None},
        {"lens": pairs(*[(4, 3, 3)] * 1, *[(4, 2, 3)] * 4), "glare": pairs(*[(8, 2, 6)] * 5)},
        Weights(),
    )
    assert (found["seen"], found["unseen"]["gap"], found["unseen"]["n"]) == (None, pytest.approx(-0.4), 60)
    assert found["unseen"]["low"] < -0.4 < found["unseen"]["high"] < 0
    assert [row["gap"] for row in found["gaps"]] == pytest.approx([0.1, -0.2, -0.5])
    assert [row["p"] for row in found["gaps"]] == [None, 2 / 2**4, 2 / 2**5]
    assert (found["m"], found["pairs"]) == (2, 60)
    assert "drawn clean (60 pairs), the score changes by -0.400 (95% " in transfer_gap({"transfer": found})["text"]


def test_clean_answers_are_read_as_strictly_as_predictions(entry, tmp_path):
    place, rows, *_ = entry
    copy = hand.entry(
        tmp_path / "bad", "bad", [hand.right(row) for row in rows], "paired", read_card(place).truth_digest
    )
    with_clean(copy, [hand.right(rows[0], temporal_segment=hand.segment(70, 30)), {"clip_id": "nowhere"}])
    with pytest.raises(SubmissionError, match=r"clean\.jsonl:2"):
        harness.score(copy, home=place.parent)
    hand.write(copy / CLEAN, [hand.right(rows[0])])
    with pytest.raises(UsageError, match=r"clean\.jsonl: sha256 is "):
        harness.score(copy, home=place.parent)
    (copy / CLEAN).unlink()
    with pytest.raises(UsageError, match=r"clean\.jsonl"):
        harness.score(copy, home=place.parent)


def test_runs_of_a_method_have_no_clean_answers(tmp_path):
    facts = {"name": "k", "kind": "model", "description": "", "world": "w", "split": "test", "truth_digest": "0" * 64}
    tmp_path.joinpath("e").mkdir()
    write_card(tmp_path / "e", Card(**facts, predictions_sha256="", runs_sha256=["1" * 64], clean_sha256="2" * 64))
    with pytest.raises(UsageError, match="clean_sha256 and runs_sha256"):
        read_card(tmp_path / "e")
    raw = facts | {"runs_sha256": ["1" * 64], "clean_sha256": "2" * 64}
    assert not jsonschema.Draft202012Validator(schema("card")).is_valid(raw)
    raw.pop("runs_sha256")
    assert jsonschema.Draft202012Validator(schema("card")).is_valid(raw | {"predictions_sha256": "3" * 64})
