"""Tests of weights as text and as the smallest integers, and of the named rule sets, alone and combined."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import UsageError
from harness.rules import RULES, Rules, Weights, find_rules, parse_weights

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
    "one-frame-degenerate": {"shortest"},
}
"""What each rule set changes about the standard one."""

FLAGS = ("end_inclusive", "drop_missing", "drop_degenerate", "shortest")


@pytest.mark.parametrize("name", CHANGED)
def test_rule_sets(name):
    rules = find_rules(name)
    assert changed(rules) == CHANGED[name]
    assert rules.names == (name,)


def changed(rules):
    standard = find_rules("standard")
    return {key for key in FLAGS if getattr(rules, key) != getattr(standard, key)}


def test_every_rule_set_is_tested():
    assert set(RULES) == set(CHANGED)


@pytest.mark.parametrize("name", ["", "Standard", "strict"])
def test_unknown_rule_set(name):
    with pytest.raises(UsageError, match=r"unknown rule set .* there are standard, inclusive-ends"):
        find_rules(name)


COMBINED = [
    ("drop-missing,drop-degenerate", "drop-missing,drop-degenerate", "a text"),
    ("drop-degenerate,drop-missing", "drop-missing,drop-degenerate", "the order makes no difference"),
    (" drop-degenerate , drop-missing ", "drop-missing,drop-degenerate", "spaces"),
    (["drop-degenerate", "drop-missing"], "drop-missing,drop-degenerate", "a list"),
    (("drop-missing", "inclusive-ends"), "inclusive-ends,drop-missing", "a tuple, as of a repeated option"),
    ({"drop-missing", "inclusive-ends"}, "inclusive-ends,drop-missing", "a set"),
    (["drop-missing,inclusive-ends", "drop-degenerate"], "inclusive-ends,drop-missing,drop-degenerate", "both ways"),
    ("drop-missing,drop-missing", "drop-missing", "the same one twice"),
    (["standard", "standard"], "standard", "the standard one twice"),
    ([find_rules("drop-missing"), "drop-degenerate"], "drop-missing,drop-degenerate", "a set that was found"),
    (find_rules("drop-missing,drop-degenerate"), "drop-missing,drop-degenerate", "a combination that was found"),
    (list(reversed(RULES))[:-1], "inclusive-ends,drop-missing,drop-degenerate,one-frame-degenerate", "all of them"),
]


@pytest.mark.parametrize(("chosen", "name", "why"), COMBINED, ids=[case[2] for case in COMBINED])
def test_rule_sets_combine(chosen, name, why):
    rules = find_rules(chosen)
    assert rules.name == name and rules == find_rules(name)
    assert changed(rules) == set().union(*(CHANGED[part] for part in name.split(","))), why


NO_RULES = [
    ("standard,drop-missing", "standard changes nothing, .* drop-missing", "standard and one that changes it"),
    (["drop-degenerate", "standard", "drop-missing"], "drop-missing and drop-degenerate", "wherever it stands"),
    ("drop-missing,", "unknown rule set ''", "a comma too many"),
    ("drop-missing drop-degenerate", "unknown rule set 'drop-missing drop-degenerate'", "no comma"),
    (["drop-missing", "strict"], "unknown rule set 'strict'", "one of two is unknown"),
    ([], "no rule set is named", "an empty list"),
    (None, "not None", "None"),
    (3, "not 3", "a number"),
    ([["drop-missing"], 3], "not 3", "a number in a list"),
    (Rules("standard", "", drop_missing=True), "none of these", "a set that its name does not say"),
]


@pytest.mark.parametrize(("chosen", "message", "why"), NO_RULES, ids=[case[2] for case in NO_RULES])
def test_refused_rules(chosen, message, why):
    with pytest.raises(UsageError, match=message):
        find_rules(chosen)
