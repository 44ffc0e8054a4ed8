"""Timelines and splits: stability of the bits, balance, laziness, and the figures the default world must have."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import astuple, replace
from itertools import islice, pairwise

import pytest

from reference.process.ceiling import script
from reference.process.cutter import label_clip
from reference.process.sessions import Session, quantile, timeline
from reference.process.split import build_split, labelled_clips
from reference.process.world import load_world
from reference.task import OPERATIONS, Clip

WAREHOUSE = load_world("warehouse-v2")
CANONICAL = load_world("canonical-v1")


@pytest.fixture(scope="module")
def train() -> list[Clip]:
    return list(build_split(WAREHOUSE, "train"))


@pytest.fixture(scope="module")
def held_out() -> list[Clip]:
    return list(build_split(WAREHOUSE, "test"))


@pytest.fixture(scope="module")
def hidden(held_out) -> list[Clip]:
    return [clip for clip in held_out if not clip.next_visible]


def rows_digest(clips) -> str:
    """Return a digest of the rows up to `oracle_next`; the truth digest pins what schema version 2 added."""
    return hashlib.sha256("\n".join(repr(astuple(clip)[:17]) for clip in clips).encode()).hexdigest()


GOLDEN = [
    ("warehouse-v2", "test", "d85bc926eedabba6d33c9850442b2f1b24fdb7293d283fd6b1e3b4fc8e3f39d3"),
    ("warehouse-v2", "train", "e6192e6b2892776a2179a00fc309681bca38da49cf087e808bc225d61c59da55"),
    ("canonical-v1", "test", "73668050f653eeddb61fbd4216565860d7b2a5d69cad0cd552b8602b130e5a19"),
]


@pytest.mark.parametrize(("world", "split", "expected"), GOLDEN)
def test_bits_are_stable(world, split, expected):
    """The first 200 rows, ceilings included: equal on every machine and Python, or the world is another one."""
    assert rows_digest(islice(build_split(load_world(world), split), 200)) == expected


def test_labelled_clips_are_the_splits_own(held_out):
    """What a fit reads is equal, and a fit is all that they are for."""
    for clip, labelled in zip(held_out, labelled_clips(WAREHOUSE, "test"), strict=True):
        assert (labelled.clip_id, labelled.start_ms, labelled.look) == (clip.clip_id, clip.start_ms, clip.look)
        assert labelled.dominant_operation == clip.dominant_operation
        assert labelled.temporal_segment == clip.temporal_segment
        assert labelled.next_operations == clip.next_operations and labelled.ceiling is None


def test_process_count_and_scale_change_no_row(held_out):
    assert list(build_split(WAREHOUSE, "test", workers=2)) == held_out
    scaled = list(islice(build_split(WAREHOUSE, "test", scale=3), 2900))
    assert scaled[:2880] == held_out
    assert scaled[2880].session == "test-0144"


def test_another_key_is_another_world(held_out):
    sealed = next(iter(build_split(replace(WAREHOUSE, key=b"secret"), "test")))
    assert sealed.clip_id != held_out[0].clip_id
    assert sealed.start_ms != held_out[0].start_ms


QUANTILES = [
    ("lowest", (100, 200, 400), 0.0, 100),
    ("between", (100, 200, 400), 0.25, 150),
    ("at a point", (100, 200, 400), 0.5, 200),
    ("upper part", (100, 200, 400), 0.75, 300),
    ("below the highest", (100, 200, 400), 1 - 2**-53, 399),
]


@pytest.mark.parametrize(("why", "table", "share", "expected"), QUANTILES)
def test_quantile(why, table, share, expected):
    assert quantile(table, share) == expected, why


def first_runs(session: Session, count: int) -> list:
    return list(islice(session, count))


@pytest.mark.parametrize("index", [0, 5, 12, 40])
def test_runs_touch_and_differ(index):
    runs = first_runs(timeline(WAREHOUSE, "test", index), 300)
    for before, after in pairwise(runs):
        assert before.end_ms == after.start_ms
        assert before.operation != after.operation
        assert before.end_ms > before.start_ms


def test_timeline_is_drawn_lazily():
    session = timeline(WAREHOUSE, "test", 0)
    first_runs(session, 10)
    assert len(session.runs) == 13


def test_interruption_leaves_the_box_as_it_was():
    runs = first_runs(timeline(WAREHOUSE, "train", 1), 600)
    idle = [place for place, run in enumerate(runs) if run.operation == "Idle"]
    assert 10 < len(idle) < 60
    for place in idle:
        assert runs[place].step == runs[place - 1].step
        assert runs[place].order == runs[place - 1].order
        assert runs[place + 1].operation not in ("Idle", runs[place - 1].operation)


def test_failed_check_leads_to_rework():
    runs = [run for index in range(20) for run in first_runs(timeline(WAREHOUSE, "train", index), 200)]
    after = Counter(b.step for a, b in pairwise(runs) if a.operation == "Final Check")
    assert after["tape_again"] and after["label_again"] and after["pack_again"]


def test_attributes_decide_in_the_grammar_and_not_in_randomised_sessions():
    """An order is wrapped where just one of fragile and gift holds, its first and third attribute."""

    def wrapped(randomised: bool) -> dict[bool, float]:
        counts: dict[bool, list[int]] = {True: [], False: []}
        for index in range(288):
            session = timeline(WAREHOUSE, "train", index)
            if session.randomised == randomised:
                runs = first_runs(session, 60)
                for before, after in pairwise(runs):
                    if before.step == "collect" and after.operation != "Idle":
                        order = session.orders[before.order]
                        counts[bool(order & 1) != bool(order & 4)].append(after.operation == "Wrap")
        return {asked: sum(found) / len(found) for asked, found in counts.items()}

    plain, randomised = wrapped(False), wrapped(True)
    assert plain[True] > 0.85 and plain[False] < 0.08
    assert abs(randomised[True] - randomised[False]) < 0.15


def test_balance_of_the_test_split():
    sessions = [timeline(WAREHOUSE, "test", index) for index in range(144)]
    assert set(Counter(session.domain for session in sessions).values()) == {16}
    assert set(Counter((session.domain, session.worker.name) for session in sessions).values()) == {4}
    randomised = [session for session in sessions if session.randomised]
    assert set(Counter(session.domain for session in randomised).values()) == {1}
    assert len({session.domain for session in randomised}) == 9
    assert sorted(Counter(session.worker.name for session in randomised).values()) == [2, 2, 2, 3]


def test_balance_of_the_train_split():
    sessions = [timeline(WAREHOUSE, "train", index) for index in range(288)]
    assert sorted(Counter(session.domain for session in sessions).values()) == [57, 57, 58, 58, 58]
    assert all(3 <= n <= 4 for n in Counter(s.domain for s in sessions if s.randomised).values())
    assert all(3 <= n <= 6 for n in Counter(s.worker.name for s in sessions if s.randomised).values())


def share(clips, condition) -> float:
    return sum(map(condition, clips)) / len(clips)


def prior_answers(train) -> dict[str, str]:
    """T: the most frequent next operation by dominant operation, ties in canonical order."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for clip in train:
        counts[clip.dominant_operation][clip.next_operation] += 1
    return {operation: max(OPERATIONS, key=lambda name: following[name]) for operation, following in counts.items()}


def test_context_is_worth_more_than_the_sequence(train, held_out, hidden):
    answers = prior_answers(train)
    prior_hidden = share(hidden, lambda clip: answers[clip.dominant_operation] == clip.next_operation)
    ceiling_hidden = sum(clip.ceiling for clip in hidden) / len(hidden)
    assert 0.35 <= prior_hidden <= 0.45
    assert prior_hidden + 0.40 <= ceiling_hidden < 0.95
    assert 0.40 <= share(held_out, lambda clip: answers[clip.dominant_operation] == clip.next_operation) <= 0.50


def test_constants_win_little(train, held_out):
    majority = Counter(clip.dominant_operation for clip in train).most_common(1)[0][0]
    assert share(held_out, lambda clip: clip.dominant_operation == majority) < 0.35
    segments = Counter(clip.temporal_segment for clip in held_out)
    best = max(
        sum(
            count
            for (low, high), count in segments.items()
            if 2 * (min(end, high) - max(start, low)) >= max(end, high) - min(start, low)
        )
        for start in range(125)
        for end in range(start + 40, 126)
    )
    assert best / len(held_out) <= 0.75


def test_shares(train, held_out, hidden):
    assert len(held_out) == 2880
    assert len(train) == 5760
    assert len(hidden) / len(held_out) >= 0.40
    for split in (train, held_out):
        assert 0.40 <= share(split, lambda clip: clip.dense) <= 0.50
        dominant = Counter(clip.dominant_operation for clip in split)
        assert all(dominant[operation] / len(split) >= 0.02 for operation in OPERATIONS if operation != "Unknown")
    assert 0.3 < share(held_out, lambda clip: clip.off_script) < 0.6


def test_ids_are_unique_and_clips_lie_in_time_order(train, held_out):
    both = train + held_out
    assert len({clip.clip_id for clip in both}) == len(both)
    for before, after in pairwise(both):
        if before.session == after.session:
            assert after.clip_index == before.clip_index + 1
            assert after.start_ms >= before.start_ms + 5000


def test_no_clip_shows_a_hidden_answer(held_out):
    checked = 0
    for before, after in pairwise(held_out[:400]):
        if before.next_visible or before.session != after.session:
            continue
        runs = first_runs(timeline(WAREHOUSE, "test", int(before.session[-4:])), 400)
        answer = runs[label_clip(runs, before.start_ms).run_index + 1]
        assert answer.operation == before.next_operation
        assert after.start_ms >= answer.end_ms > before.start_ms + 5000
        checked += 1
    assert checked > 100


def test_off_script_is_measured_against_the_base_grammar(held_out):
    following = script(WAREHOUSE)
    assert all(clip.off_script == (clip.next_operation != following[clip.dominant_operation]) for clip in held_out)
    assert following["Pack"] == "Tape" and following["Tape"] == "Label"


def test_canonical_loop_measures_nothing():
    clips = list(build_split(CANONICAL, "test"))
    loop = {"Box Setup": "Inner Packing", "Inner Packing": "Tape", "Tape": "Put Items", "Put Items": "Box Setup"}
    assert script(CANONICAL) == loop
    assert all(clip.next_operation == clip.oracle_next == loop[clip.dominant_operation] for clip in clips)
    assert {clip.ceiling for clip in clips} == {1.0}
    assert not any(clip.off_script or clip.randomised for clip in clips)
    assert 0.40 <= share(clips, lambda clip: clip.dense) <= 0.50
