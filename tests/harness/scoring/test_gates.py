"""Tests of gates: what is read, what is refused, what holds."""

from __future__ import annotations

import pytest

from harness.errors import GateFailed, UsageError
from harness.scoring import gates

READ = [
    ("aa1=0.6", [("aa1", "value", 0.6)], "a bare name is the value"),
    ("aa1.low=0.55", [("aa1", "low", 0.55)], "a part of it"),
    (" oca = 1 , coverage=1 ", [("oca", "value", 1.0), ("coverage", "value", 1.0)], "several, with spaces"),
    ("score.skill=-0.5", [("score", "skill", -0.5)], "skill can be negative"),
    ("aa1_hidden.high=1e-3", [("aa1_hidden", "high", 0.001)], "any number"),
]


@pytest.mark.parametrize(("text", "expected", "why"), READ, ids=[case[0] for case in READ])
def test_read(text, expected, why):
    assert gates.parse(text) == expected, why


REFUSED = [
    ("", "nothing"),
    ("aa1", "no number"),
    ("aa1=", "no number"),
    ("aa1=high", "a word"),
    ("aa1=nan", "no comparison holds"),
    ("aa1=inf", "can never hold"),
    ("aa2=0.5", "no such metric"),
    ("AA1=0.5", "case matters, as in the record"),
    ("aa1.mean=0.5", "no such part"),
    ("coverage.low=0.5", "coverage has no interval"),
    ("aa1=0.5,", "an empty condition"),
    ("", "an unset variable of a build must not pass for a gate"),
    ("aa1=60", "percent: nothing reaches it"),
    ("aa1>0.5", "only = is known"),
    ("score<0.9", "a gate is a least value"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED, ids=[case[1] for case in REFUSED])
def test_refused(text, why):
    with pytest.raises(UsageError, match="--fail-under"):
        gates.parse(text)


FORMS = [
    ("score>=0.9", "did you mean score=0.9?", "a comparison"),
    ("score >= 0.9", "did you mean score=0.9?", "with spaces"),
    ("score=>0.9", "did you mean score=0.9?", "turned round"),
    ("score>0.9", "did you mean score=0.9?", "greater"),
    ("score==0.9", "did you mean score=0.9?", "as in Python"),
    ("score:0.9", "did you mean score=0.9?", "as in YAML"),
    ("score 0.9", "did you mean score=0.9?", "two words"),
    ("aa1.low>=.5", "did you mean aa1.low=.5?", "a part of it"),
    ("AA1=0.5", "did you mean aa1=0.5?", "the title"),
    ("tIoU@0.5>=0.6", "did you mean tiou50=0.6?", "a title that holds a number"),
    ("coverage>=1", "did you mean coverage=1?", "no metric"),
    ("score<=0.9", "e.g. score=0.9, which holds where the score is at least 0.9", "a gate is a least value"),
    ("accuracy>=0.9", "e.g. score=0.9, which holds where the score is at least 0.9", "no such metric"),
    ("aa1.mean>=0.9", "e.g. score=0.9, which holds where the score is at least 0.9", "no such part"),
    ("score", "e.g. score=0.9", "no number"),
]


@pytest.mark.parametrize(("text", "form", "why"), FORMS, ids=[case[2] for case in FORMS])
def test_a_refusal_shows_the_right_form(text, form, why):
    with pytest.raises(UsageError) as refused:
        gates.parse(text)
    assert form in str(refused.value), why


def record(**aa1):
    return {"coverage": 0.5, "metrics": {"aa1": {"value": 0.6, "low": 0.55, "high": 0.65, "skill": None} | aa1}}


CHECKS = [
    ("aa1=0.6", [], "reaching it is enough"),
    ("aa1=0.61", ["aa1 is 0.6000, at least 0.61 is required"], "below"),
    ("aa1.low=0.55,coverage=0.5", [], "all hold"),
    ("aa1=0.7,coverage=1", ["aa1 is 0.6000", "coverage is 0.5000"], "every gate that fails is named"),
    ("aa1.skill=-1", ["aa1.skill is not available"], "what does not exist does not hold"),
]


@pytest.mark.parametrize(("text", "messages", "why"), CHECKS, ids=[case[2] for case in CHECKS])
def test_checked(text, messages, why):
    if not messages:
        gates.check(record(), gates.parse(text))
        return
    with pytest.raises(GateFailed) as failed:
        gates.check(record(), gates.parse(text))
    lines = str(failed.value).splitlines()
    assert len(lines) == len(messages) and failed.value.exit_code == 1
    assert all(message in line for message, line in zip(messages, lines, strict=True))
