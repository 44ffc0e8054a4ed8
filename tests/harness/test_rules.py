"""Tests of weights as text and as the smallest integers, and of the named rule sets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import UsageError
from harness.rules import RULES, Weights, find_rules, parse_weights

READ = [
    ("oca=0.3,tiou50=0.3,aa1=0.4", (0.3, 0.3, 0.4), (3, 3, 4), "aa40"),
    (" aa1=0.4, oca=.3 ,tiou50=0.30", (0.3, 0.3, 0.4), (3, 3, 4), "aa40"),
    ("oca=0.7,tiou50=0.1,aa1=0.2", (0.7, 0.1, 0.2), (7, 1, 2), "custom"),
    ("oca=0,tiou50=0,aa1=1", (0, 0, 1), (0, 0, 1), "custom"),
    ("oca=0.25,tiou50=0.25,aa1=0.5", (0.25, 0.25, 0.5), (1, 1, 2), "custom"),
    ("oca=0.333333,tiou50=0.333333,aa1=0.333334", (0.333333, 0.333333, 0.333334), (333333, 333333, 333334), "custom"),
    ("oca=1e-6,tiou50=0,aa1=0.999999", (1e-6, 0, 0.999999), (1, 0, 999999), "custom"),
]


@pytest.mark.parametrize(("text", "values", "integers", "scheme"), READ, ids=[case[0] for case in READ])
def test_weights(text, values, integers, scheme):
    weights = parse_weights(text)
    assert (weights.values(), weights.integers(), weights.scheme) == (values, integers, scheme)


REFUSED = [
    ("", "expected oca=", "nothing"),
    ("0.3,0.3,0.4", "expected oca=", "no names"),
    ("oca=0.5,tiou50=0.5", "name each", "one is missing"),
    ("oca=0.5,tiou50=0.1,aa1=0.4,oca=0.5", "name each", "one is there twice"),
    ("oca=0.5,tiou50=0.1,aa2=0.4", "name each", "another name"),
    ("oca=0.5,tiou50=0.1,aa1=0.5", "sum to 1", "1.1"),
    ("oca=1.5,tiou50=-0.5,aa1=0", "not negative", "negative"),
    ("oca=0.3333333,tiou50=0.3333333,aa1=0.3333334", "six decimals", "seven decimals"),
    ("oca=nan,tiou50=0.5,aa1=0.5", "expected oca=", "not a number"),
    ("oca=inf,tiou50=0,aa1=0", "expected oca=", "infinite"),
    ("oca=1e999999999,tiou50=0,aa1=0", "expected oca=", "too large for any float, and for patience"),
    ("oca==0.3,tiou50=0.3,aa1=0.4", "expected oca=", "two signs"),
]


@pytest.mark.parametrize(("text", "message", "why"), REFUSED, ids=[case[2] for case in REFUSED])
def test_refused_weights(text, message, why):
    with pytest.raises(UsageError, match=message):
        parse_weights(text)


PYTHON = [
    ((0.5, 0.5, 0.5), "sum to 1", "1.5"),
    ((-1, 1, 1), "not negative", "negative"),
    ((float("nan"), 0.5, 0.5), "three numbers", "not a number"),
    ((float("inf"), 0, 0), "three numbers", "infinite"),
    ((1, 0, 0.0000001), "six decimals", "seven decimals"),
    (("1", 0, 0), "three numbers", "a text"),
    ((True, 0, 0), "three numbers", "a truth value"),
    ((None, 0.5, 0.5), "three numbers", "None"),
]


@pytest.mark.parametrize(("values", "message", "why"), PYTHON, ids=[case[2] for case in PYTHON])
def test_weights_are_refused_from_python_as_from_the_command_line(values, message, why):
    with pytest.raises(UsageError, match=rf"Weights\(oca=.*\): .*{message}"):
        Weights(*values)


def test_weights_of_numpy_are_numbers():
    weights = Weights(np.float32(0.3), np.float64(0.3), 0.4)
    assert weights == Weights() and weights.integers() == (3, 3, 4)
    assert json.dumps(Weights(np.int64(1), 0, 0).values()) == "[1.0, 0, 0]"


def test_weights_as_the_signature_shows_them():
    assert str(Weights()) == "oca*0.3+tiou50*0.3+aa1*0.4"


def test_default_is_the_given_scheme():
    assert (Weights().scheme, Weights().integers()) == ("aa40", (3, 3, 4))


CHANGED = {
    "standard": set(),
    "inclusive-ends": {"end_inclusive"},
    "drop-missing": {"drop_missing"},
    "drop-degenerate": {"drop_degenerate"},
}
"""What each rule set changes about the standard one."""


@pytest.mark.parametrize("name", CHANGED)
def test_rule_sets(name):
    rules = find_rules(name)
    flags = ("end_inclusive", "drop_missing", "drop_degenerate")
    assert {flag for flag in flags if getattr(rules, flag)} == CHANGED[name]


def test_every_rule_set_is_tested():
    assert set(RULES) == set(CHANGED)


@pytest.mark.parametrize("name", ["", "Standard", "strict"])
def test_unknown_rule_set(name):
    with pytest.raises(UsageError, match=r"unknown rule set .* there are standard, inclusive-ends"):
        find_rules(name)
