"""Predictions over HTTP: the answer belongs to the clip, and is a prediction line."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest

from harness.serving.guard import Access
from harness.serving.schemas import PredictionResponse
from tests.support import ROOT
from tests.support.serving import (
    LABELS,
    ByColour,
    answer_about,
    form,
    picture,
    pictures,
    served,
    video,
)

pytestmark = pytest.mark.heavy
FIELDS = ("dominant_operation", "temporal_segment", "next_operation")


@pytest.fixture(scope="module")
def model():
    return ByColour()


@pytest.fixture(scope="module")
def server(model):
    with served(model, body_bytes=4 << 20, batch_clips=8) as found:
        yield found


@pytest.fixture(scope="module")
def client(server):
    with server.client() as found:
        yield found


def answer_in(line: dict) -> dict:
    return {name: line[name] for name in FIELDS}


@pytest.mark.parametrize("way", ["json", "form", "form with one text of times"])
def test_an_answer_is_a_prediction_line(client, way):
    number = 4711
    if way == "json":
        reply = client.post("/predict", json=pictures(number))
    else:
        sent = form(number)
        if way != "form":
            sent["data"]["times_s"] = "0,4.96"
        reply = client.post("/predict", **sent)
    assert reply.status_code == 200, reply.text
    line = reply.json()
    assert answer_in(line) == answer_about(number) and line["clip_id"] == f"clip-{number}"
    assert line["source"] == "model" and line["latency_ms"] > 0
    assert line["request_id"] == reply.headers["x-request-id"]
    assert line["card_sha256"] == client.get("/info").json()["card_sha256"]
    PredictionResponse.model_validate(line)
    jsonschema.validate(line, json.loads((ROOT / "harness" / "schemas" / "prediction.json").read_text()))


@pytest.mark.parametrize("as_form", [True, False])
def test_a_video_is_a_clip(client, tmp_path, as_form):
    content = video(tmp_path / "clip.mp4", 128)
    if as_form:
        reply = client.post("/predict", files={"video": ("../../x.mp4", content)})
    else:
        reply = client.post("/predict", json={"video": base64.b64encode(content).decode()})
    assert reply.status_code == 200, reply.text
    assert reply.json()["dominant_operation"] in LABELS
    assert reply.json()["clip_id"] == reply.json()["request_id"]


def test_a_video_of_another_length_is_refused(client, tmp_path):
    reply = client.post("/predict", files={"video": video(tmp_path / "clip.mp4", 1, seconds=8)})
    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "video")
    assert "lasts 8.0 s" in reply.json()["error"]["message"]


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_pictures_of_three_kinds_and_any_size(client, form):
    image = base64.b64encode(picture(200, form, 96)).decode()
    reply = client.post("/predict", json={"pictures": [{"image": image, "time_s": at / 10} for at in range(32)]})
    assert reply.status_code == 200, reply.text


def test_a_batch_keeps_its_order_and_an_error_is_one_clips(client):
    clips = [pictures(number) for number in (1, 500, 3, 77)]
    clips[2] = {"clip_id": "wrong", "video": "!"}
    found = client.post("/batch_predict", json=clips).json()
    assert [line["clip_id"] for line in found[:2] + found[3:]] == ["clip-1", "clip-500", "clip-77"]
    assert [answer_in(found[place]) for place in (0, 1, 3)] == [answer_about(number) for number in (1, 500, 77)]
    assert found[2]["error"]["code"] == 422 and found[2]["error"]["param"] == "2.video"


def test_a_batch_of_lines(client):
    lines = "".join(json.dumps(pictures(number)) + "\n" for number in range(3)) + "{\n"
    headers = {"Content-Type": "application/x-ndjson", "Accept": "application/x-ndjson"}
    reply = client.post("/batch_predict", content=lines, headers=headers)
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    found = [json.loads(line) for line in reply.text.splitlines()]
    assert [answer_in(line) for line in found[:3]] == [answer_about(number) for number in range(3)]
    assert found[3]["error"]["code"] == 422


def test_many_at_once_are_not_mixed_up_and_share_calls(client, server, model):
    model.calls.clear()
    model.pause_s = 0.02

    def ask(number: int) -> bool:
        line = client.post("/predict", json=pictures(number)).json()
        return answer_in(line) == answer_about(number) and line["clip_id"] == f"clip-{number}"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))
    model.pause_s = 0
    assert sum(map(len, model.calls)) == 40 and max(map(len, model.calls)) > 1
    assert "harness_batch_clips_bucket" in client.get("/metrics").text


def data_url(number: int) -> dict:
    content = base64.b64encode(picture(number)).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{content}"}}


def message(*parts: dict) -> dict:
    return {"model": "any", "messages": [{"role": "user", "content": list(parts)}]}


def test_a_chat_completion_answers_about_the_pictures(client):
    asked = message(data_url(77), data_url(77), {"type": "text", "text": "What is it?"})
    found = client.post("/v1/chat/completions", json=asked).json()
    assert found["object"] == "chat.completion" and found["choices"][0]["finish_reason"] == "stop"
    assert json.loads(found["choices"][0]["message"]["content"]) == answer_about(77)
    assert client.get("/v1/models").json()["data"][0]["id"] == found["model"]


def text(words: str) -> dict:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("parts", "indices", "prompt"),
    [
        ([text("<0.68 seconds>"), data_url(1), text("<4.96 seconds>"), data_url(2), text("Q")], [17, 124], "Q"),
        ([data_url(1), data_url(2), text("0 (at 0.04 s), 17 (at 0.68 s).")], [1, 17], "0 (at 0.04 s), 17 (at 0.68 s)."),
        ([text("Q"), data_url(1), data_url(2)], [0, 124], "Q"),
    ],
)
def test_times_of_pictures_are_read(client, model, parts, indices, prompt):
    """Before each picture, in the published prompt, or spread evenly."""
    assert client.post("/v1/chat/completions", json=message(*parts)).status_code == 200
    assert model.last[0].indices.tolist() == indices and model.last[0].prompt == prompt


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (message(text("Hello")), "messages.0.content"),
        (message(data_url(1)), "messages.0.content"),
        (message(*[data_url(1)] * 33), "messages.0.content"),
        (message(data_url(1), text("<1 seconds>"), data_url(2)), "messages.0.content"),
        (message(text("<2 seconds>"), data_url(1), text("<1 seconds>"), data_url(2)), "messages.0.content"),
        (message(data_url(1), {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}), None),
        (message(data_url(1), {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}), None),
        (message(data_url(1), data_url(2)) | {"stream": True}, "stream"),
        (message(data_url(1), data_url(2)) | {"n": 2}, "n"),
        (message(data_url(1), data_url(2)) | {"n": True}, "n"),
        (message(data_url(1), data_url(2)) | {"stream": 0}, "stream"),
        ({"model": "x", "messages": [{"role": "assistant", "content": "x"}]}, None),
        ({}, "model"),
    ],
)
def test_a_chat_completion_that_cannot_be_answered_is_refused(client, asked, param):
    reply = client.post("/v1/chat/completions", json=asked)
    assert reply.status_code == 422, reply.text
    assert param is None or reply.json()["error"]["param"] == param


def test_the_description_of_the_routes_is_whole(client):
    """Every reference leads somewhere, and the answers that are given are those that are described."""
    described = client.get("/openapi.json").json()
    text = json.dumps(described)
    named = {one.split('"')[0] for one in text.split('"#/components/schemas/')[1:]}
    assert named <= described["components"]["schemas"].keys()
    assert {"/predict", "/batch_predict", "/v1/chat/completions", "/v1/models", "/livez"} <= described["paths"].keys()
    schema = {"$ref": "#/components/schemas/PredictionResponse", "components": described["components"]}
    jsonschema.validate(client.post("/predict", json=pictures(5)).json(), schema)
    schema["$ref"] = "#/components/schemas/ErrorResponse"
    jsonschema.validate(client.post("/predict", json={}).json(), schema)
    schema["$ref"] = "#/components/schemas/Completion"
    asked = message(data_url(7), data_url(7))
    jsonschema.validate(client.post("/v1/chat/completions", json=asked).json(), schema)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/info", "/v1/models"])
def test_what_is_shown_is_what_is_described(client, path):
    described = client.get("/openapi.json").json()
    content = described["paths"][path]["get"]["responses"]["200"]["content"]
    schema = content["application/json"]["schema"] | {"components": described["components"]}
    jsonschema.validate(client.get(path).json(), schema)
    assert "$ref" in schema


def test_figures_are_described_as_text(client):
    described = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]["200"]
    assert list(described["content"]) == ["text/plain"]


def test_examples_of_the_description_are_answered_as_they_are(client):
    described, sent = client.get("/openapi.json").json(), 0
    for path, item in described["paths"].items():
        for media, content in item.get("post", {}).get("requestBody", {}).get("content", {}).items():
            if "example" in content:
                jsonschema.validate(content["example"], content["schema"])
                reply = client.post(path, content=json.dumps(content["example"]), headers={"Content-Type": media})
                assert reply.status_code == 200 and '"error"' not in reply.text, reply.text
                sent += 1
    assert sent == 4


@pytest.mark.parametrize(
    ("clip", "fits"),
    [
        ({"video": "AAAA"}, True),
        ({"video": "AAAA", "pictures": None}, True),
        ({"video": "AAAA", "pictures": pictures(1)["pictures"]}, False),
        ({}, False),
        ({"video": None}, False),
    ],
)
def test_the_description_wants_either_a_video_or_pictures(client, clip, fits):
    content = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    assert jsonschema.Draft202012Validator(schema).is_valid(clip) == fits


def test_a_server_with_a_token_says_so_in_its_description():
    access = Access.of("a-token-of-24-characters", (), loopback=True)
    with served(ByColour(), access) as server, server.client() as client:
        described = client.get("/openapi.json").json()
        (scheme,) = described["components"]["securitySchemes"]
        for path, item in described["paths"].items():
            for method, operation in item.items():
                asks = client.request(method, path).status_code == 401
                assert (operation.get("security") == [{scheme: []}]) == asks, path
