"""Limits of a server: what is too much, too late, of another kind, or fails is told apart, and answered so."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from harness.prediction.asker import NotAnswered
from harness.prediction.predictor import Wants
from tests.proof.serving import Tally, check_refusal, mutants
from tests.support.serving import SIDE, ByColour, answer_about, by_colour, picture, pictures, served, until, video

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def server():
    with served(ByColour(), body_bytes=1 << 20, batch_clips=4, body_s=0.5, head_s=0.5) as found:
        yield found


@pytest.fixture(scope="module")
def client(server):
    with server.client() as found:
        yield found


def refused(reply: httpx.Response) -> tuple[int, str | None]:
    error = reply.json()["error"]
    assert error["code"] == reply.status_code and error["message"]
    return reply.status_code, error["param"]


def test_a_body_that_is_announced_as_too_large_is_not_read(server):
    with socket.create_connection(server.listening.getsockname(), timeout=10) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_ends_where_it_becomes_too_large(client):
    def parts():
        for _ in range(40):
            yield b"x" * (1 << 16)

    assert refused(client.post("/predict", content=parts(), headers={"Content-Type": "application/json"}))[0] == 413


@pytest.mark.parametrize("path", ["/predict", "/batch_predict", "/v1/chat/completions"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "video/mp4", ""])
def test_another_type_of_body_is_refused(client, path, kind):
    assert refused(client.post(path, content=b"x", headers={"Content-Type": kind})) == (415, "content-type")


IMAGE = pictures(1)["pictures"][0]["image"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "video"),
        ([], None),
        ({"video": "x", "pictures": pictures(1)["pictures"]}, "video"),
        ({"video": 7}, "video"),
        ({"video": "%%%"}, "video"),
        ({"video": "eHg="}, "video"),
        ({"pictures": pictures(1)["pictures"][:1]}, "pictures"),
        ({"pictures": [{"image": IMAGE, "time_s": at / 10} for at in range(33)]}, "pictures"),
        ({"pictures": [{"image": IMAGE, "time_s": 1.0}] * 2}, "pictures"),
        ({"pictures": [{"image": IMAGE, "time_s": at} for at in (0, 5.2)]}, "pictures.1.time_s"),
        ({"pictures": [{"image": IMAGE, "time_s": at} for at in (0, "1")]}, "pictures.1.time_s"),
        ({"pictures": [{"image": IMAGE, "time_s": 0}, {"image": "!", "time_s": 1}]}, "pictures.1.image"),
        ({"pictures": [{"image": IMAGE, "time_s": 0}, {"image": "eHg=", "time_s": 1}]}, "pictures"),
        (pictures(1) | {"more": 1}, "more"),
        (pictures(1) | {"clip_id": 1}, "clip_id"),
    ],
)
def test_what_is_wrong_is_named(client, asked, field):
    assert refused(client.post("/predict", json=asked)) == (422, field)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1"])
def test_no_time_is_no_number(client, number):
    body = json.dumps(pictures(1)).replace("4.96", number)
    assert refused(client.post("/predict", content=body, headers={"Content-Type": "application/json"}))[0] == 422


def test_a_batch_has_its_own_limits(client):
    assert refused(client.post("/batch_predict", json=[])) == (422, "body")
    assert refused(client.post("/batch_predict", json=[pictures(1)] * 5)) == (422, "body")
    assert refused(client.post("/batch_predict", json=pictures(1))) == (422, "body")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"times_s": "0"}, "times_s"),
        ({}, "times_s"),
        ({"times_s": "0,x"}, "times_s"),
        ({"times_s": "3,1"}, "times_s"),
        ({"times_s": "0,1", "clip_id": ["a", "b"]}, "clip_id"),
        ({"times_s": "0,1", "other": "x"}, "other"),
        ({"times_s": "0,1", "video": "x"}, "video"),
    ],
)
def test_what_is_wrong_in_a_form_is_named(client, data, field):
    files = [("pictures", ("a.png", picture(1))), ("pictures", ("b.png", picture(1)))]
    assert refused(client.post("/predict", files=files, data=data)) == (422, field)


def test_other_routes_and_methods(client):
    assert refused(client.get("/nowhere"))[0] == 404
    assert refused(client.get("/predict"))[0] == 405
    assert refused(client.put("/livez"))[0] == 405


def test_a_body_that_drips_ends(server):
    with socket.create_connection(server.listening.getsockname(), timeout=10) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("begun", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /l"])
def test_a_head_that_drips_ends(server, begun):
    with socket.create_connection(server.listening.getsockname(), timeout=10) as connection:
        connection.sendall(begun)
        found = b""
        while part := connection.recv(65536):  # ends when the server closes
            found += part
    assert found.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")


def test_more_than_is_accepted_is_told_when_to_come_again():
    hold = threading.Event()
    with served(ByColour(hold), requests=3) as server, server.client() as client, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.post, "/predict", json=pictures(number)) for number in range(3)]
        until(lambda: server.service.in_flight == 3)
        reply = client.post("/predict", json=pictures(4))
        assert refused(reply)[0] == 429 and int(reply.headers["retry-after"]) >= 1
        assert client.get("/readyz").status_code == 503 and client.get("/readyz").json()["status"] == "full"
        assert client.get("/livez").status_code == 200
        hold.set()
        assert [one.result().status_code for one in waiting] == [200] * 3
        assert client.get("/readyz").status_code == 200
        assert client.post("/predict", json=pictures(4)).status_code == 200


def test_many_bytes_at_once_are_not_taken_in():
    hold = threading.Event()
    with served(ByColour(hold), bytes_at_once=1500) as server, server.client() as client, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.post, "/predict", json=pictures(number)) for number in range(3)]
        until(lambda: server.service.in_flight == 3)
        assert refused(client.post("/predict", json=pictures(4) | {"clip_id": "x" * 99, "video": "x" * 999}))[0] == 429
        hold.set()
        assert [one.result().status_code for one in waiting] == [200] * 3
    assert server.service.bytes_in_flight == 0


def test_an_answer_that_takes_too_long_is_none():
    hold = threading.Event()
    with served(ByColour(hold), deadline_s=0.3) as server, server.client() as client:
        found = client.post("/batch_predict", json=[pictures(2), pictures(3)]).json()
        assert [line["error"]["code"] for line in found] == [504, 504]
        until(lambda: client.get("/readyz").json()["status"] == "the model does not answer")
        hold.set()
        until(lambda: client.get("/readyz").status_code == 200)
        hold.clear()
        assert refused(client.post("/predict", json=pictures(1)))[0] == 504
        hold.set()
        until(lambda: client.get("/readyz").status_code == 200)
        line = client.post("/predict", json=pictures(7)).json()
        assert line["temporal_segment"] == answer_about(7)["temporal_segment"]


class Moody(ByColour):
    """A model that fails on some clips, by their colour."""

    batch_size = 8

    def ask(self, questions, operations):
        replies = super().ask(questions, operations)
        for place, question in enumerate(questions):
            if question.clip_id == "clip-13":
                raise SystemExit("thirteen")
            if question.clip_id == "clip-14":
                replies[place] = "nothing that is an answer"
            if question.clip_id == "clip-15":
                replies[place] = {"dominant_operation": 7}
            if question.clip_id == "clip-16":
                return replies[:-1]
            if question.clip_id == "clip-17":
                replies[place] = 'I think: {"dominant_operation": "Tape", '
        return replies


def test_a_failure_is_no_answer_and_fails_one_clip_alone():
    """The model's failure is 500; a text without an answer is what `harness predict` makes of it: a fallback."""
    model = Moody(pause_s=0.05)
    with served(model) as server, server.client() as client:
        info = client.get("/info").json()
        found = client.post("/batch_predict", json=[pictures(number) for number in range(10, 20)]).json()
        completion = client.post("/predict", json=pictures(13))
        metrics = client.get("/metrics").text
    assert refused(completion)[0] == 500
    codes = [line.get("error", {}).get("code", 200) for line in found]
    assert codes == [200, 200, 200, 500, 200, 500, 500, 200, 200, 200]
    assert found[4]["source"] == "fallback" and found[4]["raw_output"] == "nothing that is an answer"
    assert found[4]["dominant_operation"] in info["operations"]  # the constant answer of the world
    assert "Unknown" not in info["operations"], "no clip has it, and no model may answer it"
    assert found[7]["source"] == "fallback" and found[7]["dominant_operation"] == "Tape"
    assert max(map(len, model.calls)) > 1
    assert 'harness_answers_total{source="fallback"} 2.0' in metrics and "harness_model_failures_total 4.0" in metrics


class Busy:
    """An Asker that has too much to do for some clips, and nothing to say about others."""

    wants, card, training, connections = ByColour.wants, {}, None, 4

    async def prepare(self, setting):
        return {}

    async def answer(self, question):
        if question.clip_id == "clip-1":
            raise NotAnswered("rate limit", "slow down", 7)
        if question.clip_id == "clip-2":
            raise NotAnswered("refused by the provider")
        return by_colour([question])[0]

    async def close(self):
        pass


def test_a_model_that_answers_elsewhere_is_served():
    with served(Busy()) as server, server.client() as client:
        found = client.post("/batch_predict", json=[pictures(number) for number in range(4)]).json()
        assert found[3]["temporal_segment"] == answer_about(3)["temporal_segment"]
        reply = client.post("/predict", json=pictures(1))
        assert refused(reply)[0] == 503 and reply.headers["retry-after"] == "7"
        assert refused(client.post("/predict", json=pictures(2)))[0] == 500


def test_who_leaves_is_not_asked_about():
    hold = threading.Event()
    model = ByColour(hold)
    with served(model) as server, server.client() as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/predict", json=pictures(1))
        until(lambda: model.calls)
        with pytest.raises(httpx.ReadTimeout), server.client() as leaving:
            leaving.post("/predict", json=pictures(2), timeout=0.3)
        until(lambda: server.service.in_flight == 1)
        hold.set()
        assert first.result().status_code == 200
        assert client.post("/predict", json=pictures(3)).status_code == 200
        assert "harness_clients_gone_total 1.0" in client.get("/metrics").text
    assert model.calls == [["clip-1"], ["clip-3"]]


def test_a_decoder_that_is_killed_is_replaced(server, client):
    for number in range(4):
        for pid in server.service.decoder_pids():
            os.kill(pid, signal.SIGKILL)
        line = client.post("/predict", json=pictures(number)).json()
        assert line["temporal_segment"] == answer_about(number)["temporal_segment"]


def test_a_decoder_that_hangs_is_ended():
    with served(ByColour(), decode_s=0.5) as server, server.client() as client:
        for pid in server.service.decoder_pids():
            os.kill(pid, signal.SIGSTOP)
        reply = client.post("/predict", json=pictures(1))
        assert refused(reply)[0] == 422 and "0.5 s" in reply.json()["error"]["message"]
        until(lambda: client.post("/predict", json=pictures(1)).status_code == 200)


def test_damaged_requests_are_refused_and_the_next_one_is_answered(client, tmp_path):
    """The proof of hardness, small: `python -m tests.proof.serving` sends a thousand."""
    tally = Tally("damaged")
    for place, (path, sent) in enumerate(mutants(random.Random(3), video(tmp_path / "clip.mp4", 77), 80)):
        check_refusal(tally, client.post(path, **sent))
        if place % 10 == 0:
            tally.check(place, client.post("/predict", json=pictures(place)))
    assert not tally.counts


def test_a_model_without_pictures_is_served_and_checks_them_all_the_same():
    with served("baseline:random", options={"seed": "7"}) as server, server.client() as client:
        first, again = (client.post("/predict", json=pictures(1)).json() for _ in range(2))
        assert first["dominant_operation"] == again["dominant_operation"]
        assert refused(client.post("/predict", files={"video": b"no video"}))[0] == 422


def test_before_the_model_is_loaded_the_server_lives_and_is_not_ready():
    go = threading.Event()

    class Slow(ByColour):
        def ask(self, questions, operations):
            go.wait(20)
            return super().ask(questions, operations)

    with served(Slow(), wait=False) as server, server.client() as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/health").json()["state"] == "loading"
        for reply in (client.get("/readyz"), client.get("/info"), client.post("/predict", json=pictures(1))):
            assert reply.status_code == 503
        go.set()
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/predict", json=pictures(1)).status_code == 200


def test_a_model_that_wants_what_no_clip_has_is_refused():
    class Wide(ByColour):
        wants = Wants(200, SIDE)

    with served(Wide(), wait=False) as server:
        until(lambda: server.service.failure is not None)
        assert "200 frames" in str(server.service.failure)


def test_a_lone_request_waits_for_no_other(client):
    """The header says how long decoding, waiting and the model took."""
    reply = client.post("/predict", json=pictures(1))
    times = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
    assert list(times) == ["decode", "wait", "model"]
