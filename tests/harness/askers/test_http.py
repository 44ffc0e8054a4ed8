"""What each reply of a server means: again, this clip alone, or the run; and how long the server asks to wait."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest

from harness.askers.endpoint import Endpoint
from harness.askers.http import Server, _retry_after
from harness.askers.reply import to_reply
from harness.prediction.asker import KINDS, NotAnswered
from tests.support.fault_server import served

BODY = b'{"model": "fault-vlm", "messages": [{"role": "user", "content": "say word"}]}'


def ask(url):
    async def one():
        server = Server(Endpoint.of(url, None))
        try:
            return to_reply((await server.post("/chat/completions", BODY)).value, 1.0)
        finally:
            await server.close()

    return asyncio.run(one())


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429", "rate limit"),
        ("429 that names billing", "rate limit"),
        ("no quota", "no access"),
        ("408", "server error"),
        ("409", "server error"),
        ("425", "server error"),
        ("500", "server error"),
        ("502", "server error"),
        ("503", "server error"),
        ("529", "server error"),
        ("long error", "server error"),
        ("error that is no object", "server error"),
        ("reset", "connection"),
        ("half", "connection"),
        ("html", "unreadable reply"),
        ("bytes", "unreadable reply"),
        ("cut JSON", "unreadable reply"),
        ("no choices", "unreadable reply"),
        ("error with 200", "unreadable reply"),
        ("whitespace", "cut off"),
        ("cut off", "cut off"),
        ("filtered", "refused by the provider"),
        ("declined", "refused by the provider"),
        ("400", "bad request"),
        ("413", "bad request"),
        ("422", "bad request"),
        ("401", "no access"),
        ("403", "no access"),
        ("404", "no access"),
        ("redirect", "no access"),
    ],
)
def test_a_failure_has_the_kind_that_decides_what_follows(fault, kind):
    with served(first=[fault]) as server, pytest.raises(NotAnswered) as failure:
        ask(server.url)
    assert failure.value.kind == kind and kind in KINDS
    assert len(str(failure.value)) < 400 and str(failure.value).startswith(kind)


@pytest.mark.parametrize("fault", ["garbage", "prose", "empty", "null", "fence", "reasoning", "no usage", "close"])
def test_an_answer_is_an_answer_whatever_it_says(fault):
    with served(first=[fault]) as server:
        reply = ask(server.url)
    assert isinstance(reply.text, str) and reply.served_model == "fault-vlm"
    assert (reply.usage is None) == (fault == "no usage")


def test_reasoning_is_kept_apart_and_counted():
    value = {
        "model": "m",
        "choices": [{"message": {"content": "{}", "reasoning_content": "long thoughts"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "completion_tokens_details": {"reasoning_tokens": 5},
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }
    reply = to_reply(value, 1.0)
    assert reply.text == "{}"
    assert reply.usage == {"input_tokens": 10, "output_tokens": 7, "reasoning_tokens": 5, "cached_tokens": 4}


@pytest.mark.parametrize("usage", [{"prompt_tokens": "3"}, {"prompt_tokens": -1, "completion_tokens": 1}, [], 7, {}])
def test_a_usage_that_is_none_is_none(usage):
    reply = to_reply({"choices": [{"message": {"content": "x"}}], "usage": usage}, 1.0)
    assert reply.usage is None and reply.finish_reason is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-requests": "9s", "x-ratelimit-reset-tokens": "2s"}, 9),
        (
            {
                "x-ratelimit-reset-requests": "9s",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-tokens": "0",
            },
            2,
        ),
        ({"x-ratelimit-reset": "12"}, 12),
        ({"x-ratelimit-reset-requests": "14h24m0s", "x-ratelimit-remaining-requests": "9900"}, None),
    ],
)
def test_a_server_says_in_many_ways_how_long_to_wait(headers, seconds):
    assert _retry_after(headers) == (seconds if seconds is None else pytest.approx(seconds))


def test_an_error_of_the_server_waits_for_no_limit():
    headers = {"x-ratelimit-reset-requests": "14h24m0s"}
    assert _retry_after(headers, limits=False) is None
    assert _retry_after({**headers, "retry-after": "3"}, limits=False) == 3


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_an_error_inside_a_reply_is_an_error(reason):
    """A router answers 200 and states the error of the model behind it in the choice."""
    message = {"message": {"content": "{"}, "finish_reason": reason}
    for choice in (message, {**message, "finish_reason": "stop", "error": {"code": 502, "message": "upstream"}}):
        with pytest.raises(NotAnswered, match="server error"):
            to_reply({"choices": [choice]}, 1.0)


def test_a_date_and_a_moment_are_seconds_from_now():
    now = time.time()
    assert _retry_after({"retry-after": formatdate(now + 30, usegmt=True)}) == pytest.approx(30, abs=2)
    assert _retry_after({"retry-after": formatdate(now - 30, usegmt=True)}) == 0
    assert _retry_after({"x-ratelimit-reset": str(now + 30)}) == pytest.approx(30, abs=2)
    assert _retry_after({"x-ratelimit-reset": str(int((now + 30) * 1000))}) == pytest.approx(30, abs=2)


def test_the_environments_proxy_and_netrc_are_not_used_unless_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with served() as server:
        assert ask(server.url).text == "word"
        endpoint = Endpoint.of(server.url.replace("127.0.0.1", "10.255.255.1"), None)

    async def through_proxy():
        client = Server(endpoint, environment=True)
        try:
            await client.get("/models")
        finally:
            await client.close()

    with pytest.raises(NotAnswered, match="connection"):
        asyncio.run(through_proxy())
