"""Nothing but the pictures tells the answer: a small version of tests/gates/leaks.py, and its own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from tests.gates import leaks
from tests.gates.leaks import SHUFFLE, TARGETS, Split

SHUFFLES, ITERATIONS = 999, 25


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    return leaks.load("warehouse-v2", "train", sessions=96), leaks.load("warehouse-v2", "test", sessions=72)


def test_no_leak(splits):
    found = leaks.search(*splits, SHUFFLES, ITERATIONS)
    assert len(found) == len(TARGETS) * len(SHUFFLE) == 10
    assert not leaks.leaks(found).any()


def test_what_is_given_away_is_found(splits):
    """The planted feature tells the answer of every tenth clip."""
    assert leaks.leaks(leaks.control(*splits, SHUFFLES, ITERATIONS)).all()


def test_the_place_of_a_window_is_no_leak():
    train, test = leaks.windows("warehouse-v2", "train", 96), leaks.windows("warehouse-v2", "test", 72)
    assert len(test.clips) > 400 and len(set(test.features[:, 0].tolist())) > 100
    assert not leaks.leaks(leaks.search(train, test, SHUFFLES, ITERATIONS)).any()


def test_features_name_no_session(splits):
    """Test is listed by id: its place follows from the id alone, and nothing else differs between clips."""
    _, test = splits
    ids = [int(clip.clip_id, 16) for clip in test.clips]
    place = test.features[:, 9]
    assert (np.argsort(place) == np.argsort(ids)).all()
    assert (test.features[:, 10:] == test.features[0, 10:]).all()


def test_a_planted_feature_gives_away_a_tenth(splits):
    for split in splits:
        told = leaks.planted(split, "operation")
        assert (told >= 0).sum() == len(split.clips) // 10
        assert (told[told >= 0] == split.target("operation")[told >= 0]).all()


def test_shuffles_keep_what_they_must():
    session = np.repeat(np.arange(4), 3)
    random = np.random.default_rng(1)
    inside = leaks.within_sessions(session, random, 50)
    assert (np.sort(inside, axis=1) == np.arange(12)).all() and (session[inside] == session).all()
    whole = leaks.by_sessions(session, random, 50)
    assert (np.sort(whole, axis=1) == np.arange(12)).all() and (whole % 3 == np.arange(12) % 3).all()
    assert len({tuple(row) for row in whole.tolist()}) > 10


def test_sessions_of_unequal_size_cannot_change_places():
    with pytest.raises(ValueError, match="one size"):
        leaks.by_sessions(np.array([0, 0, 1]), np.random.default_rng(1), 1)
