"""The Messages API: what is sent, and what a message means."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.askers.anthropic import load, to_reply
from harness.askers.endpoint import ANTHROPIC, Endpoint
from harness.askers.messages import picture
from harness.errors import UsageError
from harness.prediction.asker import NotAnswered
from harness.prediction.predictor import Question

KEY = "sk-ant-0123456789abcdef"


def question(frames):
    pixels = np.zeros((frames, 32, 32, 3), np.uint8)
    indices = np.linspace(0, 124, frames).round().astype(np.int64)
    return Question("c", pixels, indices, indices / 25, "the published prompt")


def message(text="{}", stop="end_turn", **changes):
    return {"content": [{"type": "text", "text": text}], "stop_reason": stop, "model": "m-1", **changes}


def test_a_message_is_a_reply_of_its_texts():
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    usage = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 1}
    reply = to_reply(message(content=blocks, usage=usage), 7.0)
    assert (reply.text, reply.served_model, reply.finish_reason, reply.latency_ms) == ("ab", "m-1", "end_turn", 7.0)
    assert reply.usage == {"input_tokens": 16, "output_tokens": 2, "cached_tokens": 5}
    assert to_reply(message(usage={"input_tokens": -1, "output_tokens": 2}), None).usage is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (message("I cannot", "refusal"), "refused by the provider"),
        (message("{", "max_tokens"), "cut off"),
        ({"type": "error"}, "unreadable reply"),
        (["text"], "unreadable reply"),
        ({"content": ["text"]}, "unreadable reply"),
    ],
)
def test_what_is_no_answer_is_not_answered(value, kind):
    with pytest.raises(NotAnswered) as failure:
        to_reply(value, None)
    assert failure.value.kind == kind


def test_a_request_has_pictures_as_blocks_and_the_form_of_the_answer():
    asker = load("claude", {"url": "http://localhost:1", "max_tokens": "64"})
    body = json.loads(asker.body(question(2), "schema"))
    assert body["model"] == "claude" and body["max_tokens"] == 64 and body["temperature"] == 0
    parts = body["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image", "text", "image", "text"]
    url = picture(question(2).frames[0], "jpeg")["image_url"]["url"]
    assert parts[1]["source"] == {"type": "base64", "media_type": "image/jpeg", "data": url.partition(",")[2]}
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert "output_config" not in json.loads(asker.body(question(2), "none"))


def test_a_seed_and_a_video_are_refused():
    for options in ({"seed": "1"}, {"show": "video"}, {"json": "object"}):
        with pytest.raises(UsageError):
            load("claude", options)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("http://127.0.0.1:8000/v1/messages", "http://127.0.0.1:8000/v1"),
        ("https://gate.example.org/claude/v1/", "https://gate.example.org/claude/v1"),
    ],
)
def test_the_key_goes_as_a_header_of_its_own(monkeypatch, url, expected):
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    endpoint = Endpoint.of(url, None, ANTHROPIC)
    assert endpoint.url == expected
    assert endpoint.headers["x-api-key"] == KEY and "Authorization" not in endpoint.headers
    assert endpoint.headers["anthropic-version"] == "2023-06-01" and KEY not in repr(endpoint)
