"""The parts of tests/gates/sight.py: which frames are drawn, what is kept of them, and what is compared how."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from reference.task import DEFAULT_WORLD, Segment
from tests.gates import answers, order, sight_pictures
from tests.gates.answers import Demand
from tests.gates.sight_pictures import Drawing, Drawn, middle_frame

MIDDLES = [((0, 125), 62), ((0, 1), 0), ((10, 14), 11), ((10, 13), 11), ((124, 125), 124)]


@pytest.mark.parametrize(("segment", "expected"), MIDDLES)
def test_the_middle_of_a_segment(segment, expected):
    assert middle_frame(SimpleNamespace(temporal_segment=Segment(*segment))) == expected


def test_a_session_is_drawn_once_and_read_as_often_as_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(sight_pictures, "FOLDER", tmp_path)
    drawing = Drawing(DEFAULT_WORLD, "test", ("thumbnail-middle", "last-frame"), sessions=1)
    sight_pictures.draw(drawing)
    before = drawing.file(0).stat()
    sight_pictures.draw(drawing)
    assert drawing.file(0).stat() == before
    middle, last = (sight_pictures.read(drawing, view) for view in drawing.views)
    assert middle.indices == [(middle_frame(clip),) for clip in middle.clips] and set(last.indices) == {(124,)}
    assert {kept.shape for kept in middle.kept} == {(1, 16, 16, 3)}
    assert {kept.shape for kept in last.kept} == {(1, 42, 42, 3)}


def test_another_order_moves_pictures_and_keeps_indices():
    kept = [np.arange(16).reshape(16, 1) + 100 * clip for clip in range(5)]
    drawn = Drawn([], [tuple(range(16))] * 5, kept)
    once, twice = order.in_another_order(drawn), order.in_another_order(drawn)
    assert once.indices == drawn.indices
    for before, after, again in zip(kept, once.kept, twice.kept, strict=True):
        assert sorted(after.flat) == sorted(before.flat) and (after != before).any() and (after == again).all()


def test_a_paired_difference_by_hand():
    """Six sessions of two clips, of which 1 more is right in each: 1/2, and all signs alike in 2 of 64 flips."""
    session, one = np.repeat(np.arange(6), 2), np.tile([1, 1], 6)
    found = answers.compare(one, np.tile([0, 1], 6), session)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5) and found.p == pytest.approx(2 / 64)
    assert answers.compare(10 * one, 0 * one, session, 10).value == 1


@pytest.mark.parametrize(
    ("found", "sign", "holds"),
    [
        (1, "<=", True),
        (1, "<", False),
        (0, "<", True),
        (2, "<=", False),
        (1, ">=", True),
        (1, ">", False),
        (2, ">", True),
    ],
)
def test_what_a_demand_holds(found, sign, holds):
    assert Demand("", found, sign, 1).holds == holds
    assert not Demand("", float("nan"), sign, 1).holds


def test_one_who_is_told_operations_needs_their_order():
    """Twenty sessions of test-large, learned from forty of train."""
    train, asked = (Drawing(DEFAULT_WORLD, split, sessions=n) for split, n in (("train", 40), ("test-large", 20)))
    found = order.worth_to_one_told(train, asked._replace(hidden=True))
    assert found.cost.low > 0 and found.in_order == pytest.approx(found.shuffled + found.cost.value, abs=1e-6)


@pytest.mark.parametrize(("ms", "span"), [(0, 0), (249, 0), (250, 1), (999, 2), (1000, 3), (60_000, 3), (None, 4)])
def test_the_time_since_an_operation_began(ms, span):
    assert order.span_of(ms) == order.SPANS[span]
