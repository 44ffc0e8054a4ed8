"""Questions in a provider's batches: nothing is lost, nothing is submitted twice, and the entry is that of single
answers."""

from __future__ import annotations

import json
import random
import ssl
from collections import defaultdict
from contextlib import nullcontext

import pytest

import harness
from harness.askers.http import Server
from harness.errors import HarnessError, IncompleteError, UsageError
from harness.prediction.choices import Choices
from harness.prediction.predict import submit
from harness.prediction.provider_batches import patience
from harness.prediction.provider_batches.book import custom_id
from harness.worlds.rendering import render
from tests.support import hand
from tests.support.batch_provider import provided

CLIPS = 8
FORMS = ("openai", "anthropic")
MEASURED = {"latency_ms", "attempts", "wait_ms"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    for room in ("harness.prediction.provider_batches.patience", "harness.askers.canary"):
        monkeypatch.setattr(f"{room}.pause", lambda attempt, retry_after, generator: 0.0)
    monkeypatch.setattr("harness.prediction.provider_batches.submit.LOOK_S", 0.01)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a world of 8 clips and its pictures; truth and certificates are opened once, not at each start."""
    folder = tmp_path_factory.mktemp("batches")
    (folder / "tiny.toml").write_text(hand.tiny_world(2, 4), encoding="utf-8")
    render(str(folder / "tiny.toml"), folder / "pictures", workers=1, split="test", frames=2, size=64)
    context = ssl.create_default_context()
    with Choices(world=folder / "tiny.toml").open() as truth, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Choices, "open", lambda self: nullcontext(truth))
        patch.setattr("httpx.create_ssl_context", lambda **options: context)
        yield folder


class Asking:
    """One run at a provider."""

    def __init__(self, place, provider, form, folder, **options):
        times = {"settle": "0.03", "poll": "0.01"}
        shown = {"frames": "2", "size": "64"}
        self.model, self.folder, self.said, self.place = f"{form}:fault-vlm", folder, [], place
        self.provider, self.options = provider, {"url": provider.url, **times, **shown, **options}

    def choices(self, more):
        return {
            "world": self.place / "tiny.toml",
            "frames": self.place / "pictures",
            "options": self.options,
            "say": self.said.append,
            **more,
        }

    def submit(self, **more):
        return submit(self.model, self.folder, **self.choices(more))

    def predict(self, batch="wait", **more):
        return harness.predict(self.model, self.folder, batch=batch, **self.choices(more))

    def until_whole(self, starts=20, **more):
        """Submit and wait in turns, as a user does, until the entry is whole."""
        for _ in range(starts):
            try:
                self.submit(**more)
                return self.predict(**more)
            except IncompleteError:
                continue
        raise AssertionError(self.said)

    def lines(self, folder=None):
        found = map(json.loads, ((folder or self.folder) / "predictions.jsonl").read_text().splitlines())
        return [{name: value for name, value in line.items() if name not in MEASURED} for line in found]

    def attempts(self):
        path = self.folder / "attempts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def outcomes(self):
        """Return what became of each question, in the order of its batches."""
        found = defaultdict(list)
        for line in self.provider.created:
            for digest, outcome in line["rows"].items():
                found[digest].append(outcome)
        return found


def check_nothing_twice(asking, clips=CLIPS):
    """Every question has one answer, in its last batch: it was submitted again only where a batch lost it."""
    found = asking.outcomes()
    assert len(found) == clips
    assert all(outcomes[-1] == "" and "" not in outcomes[:-1] for outcomes in found.values()), found
    lost = sum(len(outcomes) - 1 for outcomes in found.values())
    kept = [(attempt["clip_id"], attempt["batch"]) for attempt in asking.attempts()]
    assert len(kept) == len(set(kept)) == lost


@pytest.mark.parametrize("form", FORMS)
def test_the_entry_is_that_of_single_answers(place, tmp_path, form):
    with provided(polls=1, mess=True) as provider:
        single = Asking(place, provider, form, tmp_path / "single")
        single.predict(batch=None)
        asking = Asking(place, provider, form, tmp_path / "mine", requests_a_batch="3")
        done = asking.submit(price=(2.0, 10.0))
        assert (len(done.batches), done.questions, done.before) == (3, CLIPS, 0)
        assert any("about $" in sentence for sentence in asking.said)
        with pytest.raises(IncompleteError, match="0 of 8 clips answered so far; 8 questions in 3 batches") as error:
            asking.predict("collect")
        assert error.value.exit_code == 3
        assert asking.submit().questions == 0 and asking.submit().before == CLIPS
        with pytest.raises(UsageError, match="8 questions in a provider's batches still to come"):
            asking.predict(batch=None)
        made = asking.predict("collect")
    check_nothing_twice(asking)
    assert made.answered == CLIPS and asking.lines() == single.lines()
    assert not any("latency_ms" in line for line in map(json.loads, made.path.read_text().splitlines()))
    run = harness.cards.read_card(asking.folder).run
    assert run["batches"] == {"number": 3, "ids": [line["batch"] for line in provider.created]}
    assert "latency_s" not in run and "connections" not in run
    assert sorted(path.name for path in asking.folder.iterdir()) == ["card.toml", "predictions.jsonl"]
    assert "left out" in " ".join(asking.said)


def test_shards_merge_that_were_asked_elsewhere_and_in_another_way(place, tmp_path):
    """One in batches, one at another URL, where no batch brought an answer, clip by clip."""
    with provided() as provider, provided(losses={"expired": 1.0}) as other:
        first = Asking(place, provider, "openai", tmp_path / "1")
        first.until_whole(shard="1/2")
        second = Asking(place, other, "openai", tmp_path / "2")
        second.submit(shard="2/2")
        with pytest.raises(IncompleteError, match="4 of 4 clips not answered"):
            second.predict(shard="2/2")
        second.predict(batch=None, shard="2/2")
        harness.merge(first.folder, second.folder, output=tmp_path / "mine")
    runs = [harness.cards.read_card(tmp_path / name).run for name in ("1", "2", "mine")]
    ids = [batch["batch"] for batch in (*provider.created, *other.created)]
    assert runs[2]["batches"] == {"number": 2, "ids": ids}
    assert runs[2]["latency_s"] == runs[1]["latency_s"] and "latency_s" not in runs[0]
    assert first.lines(tmp_path / "mine") == first.lines() + second.lines()


@pytest.mark.parametrize("form", FORMS)
def test_what_a_batch_loses_is_asked_about_again_alone(place, tmp_path, form):
    losses = dict.fromkeys(("expired", "cancelled", "errored", "refused", "cut off", "missing"), 0.15)
    with provided(seed=3, losses=losses, mess=True) as provider:
        asking = Asking(place, provider, form, tmp_path / "mine")
        asking.submit()
        with pytest.raises(IncompleteError, match=r"clips not answered .*--batch submit asks about the rest"):
            asking.predict()
        first = asking.attempts()
        assert {attempt["batch"] for attempt in first} == {provider.created[0]["batch"]} and len(first) >= 4
        with pytest.raises(IncompleteError):
            asking.predict("collect")  # says the same, and writes nothing
        assert asking.attempts() == first
        asking.submit()
        assert len(provider.created[1]["rows"]) == len(first)
        asking.predict()
    check_nothing_twice(asking)


def test_give_up_makes_an_entry_without_the_rest(place, tmp_path):
    with provided(half=1) as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        asking.submit()
        made = asking.predict(give_up=True)
    assert made.answered == CLIPS // 2 and made.unanswered == {"expired": CLIPS // 2}


@pytest.mark.parametrize(
    ("code", "kind"), [("invalid_json_line", "bad request"), ("token_limit_exceeded", "rate limit")]
)
def test_a_batch_that_fails_as_a_whole_leaves_its_clips_for_the_next(place, tmp_path, code, kind):
    with provided(fails=(code,)) as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        asking.submit()
        with pytest.raises(IncompleteError, match=f"{kind} 8"):
            asking.predict()
        assert "It cannot be done" in " ".join(asking.said)
        assert asking.until_whole().answered == CLIPS
    check_nothing_twice(asking)


TROUBLES = {
    "refused, then taken": (("429", "500"), ("429", "500")),
    "done, but the reply is lost": (("lost", "500 done"), ("lost", "", "500 done")),
    "the connection breaks": (("reset",), ("reset",)),
}


@pytest.mark.parametrize("hides", [False, True])
@pytest.mark.parametrize("name", TROUBLES)
def test_a_reply_that_is_lost_submits_nothing_twice(place, tmp_path, name, hides):
    uploads, creations = TROUBLES[name]
    form = "anthropic" if hides else "openai"
    with provided(uploads=uploads, creations=creations, hides=hides, late=1) as provider:
        asking = Asking(place, provider, form, tmp_path / "mine", requests_a_batch="4")
        assert asking.until_whole().answered == CLIPS
    check_nothing_twice(asking)
    assert len(provider.created) == 2


def test_another_program_s_batch_of_as_many_requests_is_given_back(place, tmp_path):
    """Nothing tells them apart before they have ended: the strange one is older than ours, and taken first."""
    with provided(creations=("lost",), strange=(CLIPS,)) as provider:
        asking = Asking(place, provider, "anthropic", tmp_path / "mine")
        assert asking.until_whole().answered == CLIPS
    check_nothing_twice(asking)
    assert "is not of this run" in " ".join(asking.said) and len(provider.created) == 1


class Killed(BaseException):
    """Stands for kill -9: nothing that the harness does about errors catches it."""


@pytest.mark.parametrize("form", FORMS)
def test_a_kill_at_any_request_loses_and_repeats_nothing(place, tmp_path, monkeypatch, form):
    draw, send, left = random.Random(7), Server._send, [10**9]

    async def send_until_killed(self, *arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        received = await send(self, *arguments, **named)
        if left[0] == 1 and draw.random() < 0.5:
            left[0] = 0
            raise Killed  # the server has done it, and nobody heard
        return received

    losses = {"expired": 0.2, "errored": 0.2}
    with provided(seed=5, polls=1, losses=losses, mess=True) as provider:
        asking = Asking(place, provider, form, tmp_path / "mine", requests_a_batch="3")
        asking.submit(limit=2)
        monkeypatch.setattr(Server, "_send", send_until_killed)
        kills, places = 0, iter((1, 2, 3, 4, 2, 3, 10**9))
        while not (asking.folder / "card.toml").exists():
            left[0] = next(places)
            try:
                asking.until_whole()
            except Killed:
                kills += 1
    check_nothing_twice(asking)
    assert kills >= 4 and len(asking.lines()) == CLIPS


def test_what_is_in_flight_is_taken_whatever_it_costs_and_no_more_is_submitted(place, tmp_path):
    with provided() as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        money = {"price": (1000.0, 1000.0)}
        with pytest.raises(IncompleteError, match="none of them was submitted"):
            asking.submit(max_cost=1.0, **money)
        assert provider.created == []
        asking.submit(limit=4, max_cost=10.0, **money)
        with pytest.raises(IncompleteError, match="4 clips of 8 in no batch yet"):
            asking.predict(max_cost=1.0, **money)
        with pytest.raises(IncompleteError, match="spent, stopped at --max-cost 1 "):
            asking.submit(max_cost=1.0, **money)
    assert len(provider.created) == 1


def test_what_does_not_go_together_is_said(place, tmp_path):
    with provided() as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        with pytest.raises(UsageError, match="nothing was submitted yet"):
            asking.predict()
        assert not asking.folder.exists()
        with pytest.raises(UsageError, match="--fresh begins a run anew"):
            asking.predict(fresh=True)
        with pytest.raises(UsageError, match="baseline:constant is not asked in a provider's batches"):
            submit("baseline:constant", tmp_path / "floor")
        asking.submit()
        other = Asking(place, provider, "openai", tmp_path / "mine", show="frames")
        with pytest.raises(UsageError, match="holds the answers of another run"):
            other.submit()
        asking.submit(fresh=True)
    assert any("forgotten, but not cancelled" in sentence for sentence in asking.said)


def test_a_provider_that_is_gone_ends_the_command_and_keeps_what_was_submitted(place, tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "TRIES", 1)
    with provided() as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        asking.submit()
    with pytest.raises(HarnessError, match=r"the provider's batches cannot be used now .connection.*written down"):
        asking.predict()


def test_a_batch_that_the_provider_does_not_know_ends_the_command_with_what_helps(place, tmp_path):
    with provided() as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        asking.submit()
        provider.made.clear()
        with pytest.raises(
            HarnessError, match=r"no access: HTTP 404.*with the key and the URL that submitted it.*--fresh"
        ):
            asking.predict()


def test_what_a_provider_refused_can_be_asked_one_by_one(place, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.prediction.provider_batches.submit.TRIES", 1)
    with provided(creations=("429",)) as provider:
        asking = Asking(place, provider, "openai", tmp_path / "mine")
        with pytest.raises(HarnessError, match="rate limit"):
            asking.submit()
        assert any("8 clips in batches, by" in sentence for sentence in asking.said)
        assert asking.predict(batch=None).answered == CLIPS
    assert provider.created == []


@pytest.mark.parametrize("clip_id", ["0a" * 8, "shift 1/kiste-ü.mp4", "x" * 200])
def test_ids_of_requests_have_the_form_that_providers_take(clip_id):
    mark = "ab" * 8
    found = custom_id(clip_id, mark)
    assert len(found) <= 64 and found.endswith(mark) and set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
