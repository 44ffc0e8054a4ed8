"""What is asked before a run, against a server that does what servers have done."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from harness.askers.chat import load
from harness.askers.estimate import Mean
from harness.errors import HarnessError, IncompleteError, UsageError
from harness.prediction.asker import NotAnswered, Setting
from harness.prediction.predictor import Question
from tests.support import serving
from tests.support.fault_server import served

LABELS = ("Pack", "Tape", "Wrap")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("harness.askers.canary.pause", lambda attempt, retry_after, generator: 0.0)


def question(number=1):
    pixels = np.full((8, 32, 32, 3), number * 20, np.uint8)
    return Question(f"c{number}", pixels, np.arange(8) * 17, np.arange(8) * 0.68, "the prompt")


def setting_of(samples, price=None, clips=100, deadline_s=5.0, said=None):
    return Setting(
        operations=LABELS,
        samples=tuple(map(question, range(1, samples + 1))),
        agreed=None,
        clips=clips,
        connections=4,
        deadline_s=deadline_s,
        price=price,
        mask=str,
        say=[].append if said is None else said.append,
    )


def agree(url, *, name="fault-vlm", price=None, clips=100, deadline_s=5.0, **options):
    """Return what is agreed, and the sentences that were said."""
    said = list[str]()
    asker = load(name, {"url": url, **options})
    setting = setting_of(4, price, clips, deadline_s, said)

    async def ask():
        try:
            return await asker.prepare(setting)
        finally:
            await asker.close()

    return asyncio.run(ask()), said


def test_an_honest_endpoint_agrees_to_the_strictest_form():
    with served() as server:
        agreed, _ = agree(server.url)
        assert {name: agreed[name] for name in agreed if name != "estimate"} == {
            "json": "schema",
            "listed": True,
            "served_model": "fault-vlm",
            "usage": True,
            "pictures": "read in order",
            "own_answers": "yes",
        }
        assert len(server.requests()) == 11  # 4 samples, 3 about colours, 4 words at once


@pytest.mark.heavy
def test_an_endpoint_that_takes_no_question_without_pictures_does_not_drop_them():
    """Our own server: a model of few answers gives the same one for red and for blue."""
    with serving.served("baseline:constant") as server:
        agreed, _ = agree(f"{server.url}/v1", name=server.service.name)
    assert (agreed["pictures"], agreed["listed"]) == ("needed", True)


@pytest.mark.parametrize(
    ("first", "json"),
    [
        (["400 for a schema"], "object"),
        (["400 for a format", "400 for a format"], "none"),
        (["whitespace"], "object"),
        (["prose"], "object"),
        (["prose", "prose"], "none"),
        (["429", "500", "reset"], "schema"),
    ],
    ids=["no schema", "no form", "white space for ever", "schema ignored", "both ignored", "trouble alone"],
)
def test_the_form_of_the_answer_falls_rung_by_rung(first, json):
    with served(first=first) as server:
        assert agree(server.url)[0]["json"] == json


def test_white_space_after_the_canary_takes_the_next_form_for_that_clip():
    """vLLM with a schema has written white space to the limit for one request in three."""
    with served(first=[""] * 11 + ["whitespace"]) as server:
        asker = load("fault-vlm", {"url": server.url})
        setting = setting_of(4)

        async def ask():
            await asker.prepare(setting)
            try:
                return await asker.answer(question(9))
            finally:
                await asker.close()

        reply = asyncio.run(ask())
        assert reply.finish_reason == "stop" and len(server.requests()) == 13


def test_a_form_that_was_chosen_is_not_changed():
    with served() as server:
        assert agree(server.url, json="none")[0]["json"] == "none"
    with (
        served(first=["400 for a schema"]) as server,
        pytest.raises(UsageError, match="takes no question about a clip"),
    ):
        agree(server.url, json="schema")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("blind", "the same answer for red and for blue pictures"),
        ("401", "Incorrect API key"),
        ("404", "does not exist"),
        ("redirect", "is not followed"),
        ("no quota", "exceeded your current quota"),
        ("cut off", "--max-tokens"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_refused_in_words(fault, words):
    with served(faults={fault: 1.0}, most=None) as server, pytest.raises((HarnessError, NotAnswered)) as refusal:
        agree(server.url)
    assert words in str(refusal.value)


def test_an_endpoint_that_answers_another_request_is_refused():
    with served(faults={"swapped": 1.0}, most=None) as server, pytest.raises(UsageError, match="--connections 1"):
        agree(server.url)


def test_an_endpoint_that_counts_pictures_but_not_their_order_is_asked_and_said():
    with served(faults={"unordered": 1.0}, most=None) as server:
        agreed, said = agree(server.url)
    assert agreed["pictures"] == "counted" and any("when swapped" in sentence for sentence in said)


def test_too_many_pictures_are_refused_in_the_servers_words():
    with served(most_pictures=4) as server, pytest.raises(UsageError, match=r"At most 4 image\(s\)"):
        agree(server.url)


def test_an_endpoint_that_is_busy_is_incomplete_and_one_that_is_not_there_refused():
    with served(faults={"429 for a day": 1.0}, most=None) as server, pytest.raises(IncompleteError, match="later"):
        agree(server.url)
    with served(faults={"hang": 1.0}, most=None) as server, pytest.raises(IncompleteError, match="no reply in time"):
        agree(server.url, deadline_s=0.2)
    with served() as server:
        gone = server.url
    with pytest.raises(NotAnswered, match="connection"):
        agree(gone)


def test_a_mistyped_name_meets_the_near_ones_and_what_is_not_listed_may_be_served():
    mistyped = pytest.raises(UsageError, match="no model 'fault-vl'; it has fault-vlm")
    with served(models=["fault-vlm", "other"], faults={"404": 1.0}, most=None) as server, mistyped:
        agree(server.url, name="fault-vl")
    with served(models=["other"]) as server:
        assert agree(server.url)[0]["listed"] is False
    with served(models=None) as server:
        assert "listed" not in agree(server.url)[0]


def test_tokens_hours_and_price_come_from_the_samples_with_an_interval():
    with served(latency_ms=20) as server:
        agreed, said = agree(server.url, price=(2.0, 10.0), clips=1000)
    estimate = agreed["estimate"]
    price = (estimate["input_tokens"] * 2 + estimate["output_tokens"] * 10) / 1e6
    assert estimate["dollars"] == pytest.approx(price, abs=1e-3) and estimate["answers"] == 4
    assert estimate["latency_s"] >= 20
    assert said[0].startswith("1,000 clips with 4 connections: about ") and said[2].startswith("  price $")
    assert " to " in said[2]


def test_an_endpoint_that_answers_as_another_model_is_asked_and_said():
    with served(faults={"another model": 1.0}, most=None) as server:
        agreed, said = agree(server.url)
    assert agreed["served_model"] == "another-vlm"
    assert "the endpoint answers as another-vlm, which the card says; asked was fault-vlm" in said
    with served(model="fault-vlm-2026", models=None) as server:
        assert not any("answers as" in sentence for sentence in agree(server.url)[1])


def test_a_model_that_only_thinks_in_the_short_questions_is_asked():
    """With few tokens for them, a reasoning model was taken for one that reads no pictures."""
    with served(first=[""] * 4 + ["cut off"] * 7) as server:
        agreed, _ = agree(server.url)
    assert agreed["pictures"] == agreed["own_answers"] == "unknown"


def test_the_canary_asks_no_more_at_once_than_the_run():
    with served(latency_ms=30, places=1, refuse=True) as server:
        asker = load("fault-vlm", {"url": server.url})

        async def prepare():
            await asker.prepare(replace(setting_of(4), connections=1))
            await asker.close()

        asyncio.run(prepare())
        assert {line["status"] for line in server.requests()} == {200}


def test_an_endpoint_without_usage_says_that_the_price_is_unknown():
    with served(faults={"no usage": 1.0}, most=None) as server:
        agreed, said = agree(server.url, price=(2.0, 10.0))
    assert agreed["usage"] is False and "dollars" not in agreed["estimate"]
    assert any("price is unknown" in sentence for sentence in said)


def test_the_interval_of_a_mean_is_students():
    """Mean 2, standard deviation 1, three values: t(0.975, 2) = 4.3027, over the root of 3."""
    mean = Mean.of([1, 2, 3])
    assert (mean.value, mean.half) == (2, pytest.approx(4.302653 / 3**0.5))
    assert Mean.of([5]).half is None
