"""Two runs into one folder, one after the other or at once: no run replaces what another one finished."""

from __future__ import annotations

import json
import shutil
from functools import partial

import pytest

import harness
from harness.cards import read_card
from harness.errors import HarnessError, UsageError
from harness.prediction import journal as journals
from harness.prediction.journal import IDENTITY, PART
from reference import files
from tests.support import hand

ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}
CARD = {"run": {"a": 1}}


class Late:
    """Model that lets another run finish in the folder while it is loaded or asked."""

    wants, batch_size, training = None, 5, None

    def __init__(self, meanwhile, when):
        self.meanwhile, self.when, self.asked = meanwhile, when, 0

    @property
    def card(self):
        if self.when == "loaded":
            self.meanwhile()
        return CARD

    def ask(self, questions, operations):
        if self.when == "asked" and not self.asked:
            self.meanwhile()
        self.asked += 1
        return [ANSWER for _ in questions]


def test_an_entry_that_another_run_finished_while_the_model_was_loaded(world, tmp_path):
    folder = tmp_path / "entry"

    def meanwhile():
        if not folder.exists():
            harness.predict("baseline:constant", folder, world=world)

    model = Late(meanwhile, "loaded")
    with pytest.raises(UsageError, match="holds an entry already; --fresh replaces it"):
        harness.predict(model, folder, world=world)
    assert model.asked == 0 and read_card(folder).kind == "baseline"
    assert sorted(path.name for path in folder.iterdir()) == ["card.toml", "predictions.jsonl"]


@pytest.mark.parametrize("fresh", [False, True])
def test_an_entry_that_appeared_while_the_model_answered(fresh, world, tmp_path):
    """As `harness submit`, or a copy, would put it there; the answers are kept, and the run resumes elsewhere."""
    folder = tmp_path / "entry"
    harness.predict("baseline:constant", tmp_path / "other", world=world)
    if fresh:
        harness.predict("baseline:random", folder, world=world)

    def meanwhile():
        for name in ("card.toml", "predictions.jsonl"):
            (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())

    with pytest.raises(UsageError, match="an entry was written there while the model answered"):
        harness.predict(Late(meanwhile, "asked"), folder, world=world, fresh=fresh)
    assert read_card(folder).kind == "baseline" and len((folder / PART).read_text().splitlines()) == 24
    for name in ("card.toml", "predictions.jsonl"):
        (folder / name).unlink()
    model = Late(None, "never")
    assert harness.predict(model, folder, world=world).answered == 24 and model.asked == 0


def test_a_journal_that_was_removed_while_the_model_answered(world, tmp_path):
    """The answers are still known, so the entry is written, unless another run began in its place."""
    for name in ("removed", "gone"):
        folder = tmp_path / name
        remove = (folder / PART).unlink if name == "removed" else partial(shutil.rmtree, folder)
        assert harness.predict(Late(remove, "asked"), folder, world=world).answered == 24
        assert read_card(folder).run["answers"]["model"] == 24

    def replace():
        (folder / PART).unlink()
        (folder / PART).write_text("")

    folder = tmp_path / "replaced"
    with pytest.raises(UsageError, match=r"predictions.jsonl.part was removed .* another run began there"):
        harness.predict(Late(replace, "asked"), folder, world=world)
    assert not (folder / "card.toml").exists()


def test_the_lock_of_a_run_that_ended_is_none(tmp_path, monkeypatch):
    """A process that waited at the file of a run which then ended takes the new file, as all later ones do."""
    real, calls = files.fcntl.flock, []

    def flock(file, how):
        real(file, how)
        if isinstance(file, int):  # a temporary folder's lock
            return
        calls.append(file.fileno())
        if len(calls) == 1:
            (tmp_path / PART).unlink()

    monkeypatch.setattr(files.fcntl, "flock", flock)
    with journals.journal(tmp_path, {"card": "x"}) as one:
        assert len(calls) == 2
        one.add([{"clip_id": "a"}])
        with pytest.raises(UsageError, match="another process is answering"), journals.journal(tmp_path, {}):
            raise AssertionError
    assert (tmp_path / PART).read_text() == '{"clip_id": "a"}\n'


def test_an_entry_of_a_part_says_that_no_run_extends_it(world, tmp_path):
    harness.predict("baseline:constant", tmp_path / "entry", world=world, limit=5)
    assert read_card(tmp_path / "entry").run["limit"] == 5
    message = "holds an entry already; --fresh replaces it. It was made with --limit 5; no run extends it"
    with pytest.raises(UsageError, match=message):
        harness.predict("baseline:constant", tmp_path / "entry", world=world)


def test_a_run_that_was_cut_off_at_its_limit_is_extended(world, tmp_path):
    """The limit is no part of a run's identity while it is unfinished."""

    def fail(question):
        if len(asked) == 4:
            raise ValueError
        asked.append(question.clip_id)
        return ANSWER

    asked = []
    for limit in (5, None):
        with pytest.raises(HarnessError):
            harness.predict(fail, tmp_path / "entry", world=world, limit=limit, card=CARD)
        assert len(asked) == 4
    with pytest.raises(UsageError, match="holds the answers to 2 clips beyond --limit 2, and would end there"):
        harness.predict(fail, tmp_path / "entry", world=world, limit=2, card=CARD)
    asked.append("one more")
    assert harness.predict(fail, tmp_path / "entry", world=world, card=CARD).answered == 24


def test_two_cards_and_two_training_records_are_two_models(world, tmp_path):
    def named(training, fails):
        model = Late(None, "never")
        model.training, ask = training, model.ask
        model.ask = (lambda *given: ask(*given) if not model.asked else 1 / 0) if fails else ask
        return model

    with pytest.raises(HarnessError, match="ZeroDivisionError"):
        harness.predict(named({"device": "x", "steps": 1}, True), tmp_path / "entry", world=world)
    for training in ({"device": "x", "steps": 2}, None):
        with pytest.raises(UsageError, match=r"answers of another run \(training "):
            harness.predict(named(training, False), tmp_path / "entry", world=world)
    assert harness.predict(named({"device": "x", "steps": 1}, False), tmp_path / "entry", world=world).answered == 24


DAMAGE = [
    (b"[]\n", "no object"),
    (b'{"clip_id": ["a"]}\n', "an id that is a list"),
    (b'{"clip_id": "x"}\n', "without an answer"),
    (b'{"clip_id": "x", "source": "model", "latency_ms": NaN}\n', "no time"),
    (b'{"clip_id": "x", "source": "fallback", "latency_ms": 1}\n', "a fallback for no text"),
    (b'{"clip_id": "x", "source": "model", "latency_ms": 1, "raw_output": 3}\n', "a text that is none"),
    (b'{"clip_id": "x", "source": ["model"], "latency_ms": 1}\n', "a source that is a list"),
    (b"[" * 100_000 + b"\n", "nested"),
    (b"\xff\xfe\n", "no UTF-8"),
]


@pytest.mark.parametrize(("damage", "why"), DAMAGE, ids=[case[1] for case in DAMAGE])
def test_a_damaged_line_costs_itself_alone(damage, why, world, tmp_path):
    """Answers behind it count as well."""
    folder = tmp_path / "entry"
    fails = Late(None, "never")
    fails.ask = lambda questions, operations: [ANSWER for _ in questions] if questions[0].clip_id < "c" else 1 / 0
    with pytest.raises(HarnessError):
        harness.predict(fails, folder, world=world)
    good = (folder / PART).read_bytes().splitlines(keepends=True)
    (folder / PART).write_bytes(b"".join([good[0], damage, *good[1:]]))
    model = Late(None, "never")
    model.batch_size = 1
    made = harness.predict(model, folder, world=world)
    assert made.answered == 24 and model.asked == 24 - len(good)
    assert len([json.loads(line) for line in made.path.read_text().splitlines()]) == 24


@pytest.mark.parametrize("text", ["[]", "{}", "", "[" * 100_000, '{"card": 1}'])
def test_a_damaged_identity_refuses_the_journal(text, world, tmp_path):
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / PART).write_text('{"clip_id": "x"}\n')
    (folder / IDENTITY).write_text(text)
    with pytest.raises(UsageError, match=r"does not say whose answers it holds|holds the answers of another run"):
        harness.predict("baseline:constant", folder, world=world)
    assert (folder / PART).stat().st_size


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m"])
def test_an_entry_whose_card_could_not_be_read(name, world, tmp_path):
    model = Late(None, "never")
    with pytest.raises(UsageError, match="expected the name of a folder, printable"):
        harness.predict(model, tmp_path / name, world=world)
    assert model.asked == 0
