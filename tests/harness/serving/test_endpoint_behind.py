"""A server whose model is behind an endpoint, and one that is asked as one: what fails there is no answer here."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.askers.chat import load
from harness.prediction.predictor import Question
from harness.serving.elsewhere import Elsewhere
from reference.task import OPERATIONS
from tests.support import fault_server
from tests.support.fault_answers import FAULTS
from tests.support.serving import ByColour, pictures, served

KEY = "sk-of-the-server-alone-0123456789"
ANSWERED = {"drip", "close", "garbage", "prose", "empty", "null", "fence", "reasoning", "no usage", "swapped", "blind"}
ANSWERED |= {"last pictures", "unordered", "echo in an answer"}
"""Faults with which a text comes; what is wrong with it only a canary sees, or it is the model's own nonsense."""
CLIP = {"whitespace", "cut off", "filtered", "declined", "400", "400 for a format", "400 for a schema", "413", "422"}
CLIP |= {"echo with 400"}


@pytest.fixture(scope="module")
def behind():
    with fault_server.served(hang_s=0.2, drip_ms=0.1, key=KEY, first=("503", "429 in milliseconds")) as server:
        yield server


@pytest.fixture(scope="module")
def front(behind):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setattr("harness.askers.canary.pause", lambda attempt, retry_after, generator: 0.0)
        with served("openai:fault-vlm", options={"url": behind.url}) as server:
            yield server


def test_each_fault_of_an_endpoint_has_its_status_and_the_next_answer_is_right(behind, front):
    assert front.service.failure is None, "two faults while it loads are no end"
    honest = behind.script
    with front.client() as client:
        right = client.post("/predict", json=pictures(5)).json()
        assert right["source"] == "model" and right["served_model"] == "fault-vlm"
        for name in FAULTS:
            behind.script = replace(honest, faults={name: 1.0}, most=None)
            reply = client.post("/predict", json=pictures(5))
            behind.script = honest
            expected = 200 if name in ANSWERED else 500 if name in CLIP else 503
            assert (name, reply.status_code) == (name, expected)
            assert (expected == 503) == ("retry-after" in reply.headers) and KEY not in reply.text
            after = client.post("/predict", json=pictures(5)).json()
            assert after["raw_output"] == right["raw_output"], name
        assert client.get("/readyz").status_code == 200
    assert KEY not in json.dumps(front.log) and KEY not in str(front.said)


def test_who_asks_the_server_as_an_endpoint_learns_the_models_own_time():
    frames = np.full((2, 32, 32, 3), 7, np.uint8)
    question = Question("a", frames, np.array([0, 124]), np.array([0.0, 4.96]), "the prompt")
    with served(ByColour(pause_s=0.01)) as server:
        asker = load("any", {"url": f"{server.url}/v1", "image": "png", "size": "32", "frames": "2"})
        asking = Elsewhere(asker, 30.0, str, str)
        asking.prepare(question, OPERATIONS)
        [reply] = asking.ask([question], OPERATIONS)
    assert 0 < reply.model_ms <= reply.latency_ms
