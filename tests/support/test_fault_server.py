"""The fault server does what its scripts say, and its honest answers belong to the pictures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.support import ROOT
from tests.support.fault_answers import FAULTS, answer_of, data_url, digest_of, text_of
from tests.support.fault_server import Script, log_lines, served, started

KEY = "sk-not-a-real-key"
STATUS = {name: int(name[:3]) for name in FAULTS if name[:3].isdigit()} | {
    "400 for a format": 200,
    "400 for a schema": 200,
    "no quota": 429,
    "long error": 500,
    "error that is no object": 500,
    "redirect": 307,
    "echo": 500,
    "echo with 401": 401,
    "echo with 400": 400,
    "echo in headers": 503,
}
BROKEN = {"reset": httpx.TransportError, "half": httpx.RemoteProtocolError, "hang": httpx.ReadTimeout}


def body(*pictures: bytes, **fields: object) -> dict:
    parts = [{"type": "image_url", "image_url": {"url": data_url(picture)}} for picture in pictures]
    content = [*parts, {"type": "text", "text": "What is it?"}]
    return {"model": "fault-vlm", "messages": [{"role": "user", "content": content}]} | fields


def post(client: httpx.Client, *pictures: bytes, **fields: object) -> httpx.Response:
    return client.post("/chat/completions", json=body(*pictures, **fields))


def open_client(url: str, **options) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, headers={"authorization": f"Bearer {KEY}"}, **options)


def content(response: httpx.Response) -> str:
    return response.json()["choices"][0]["message"]["content"]


def test_honest_answers_belong_to_the_pictures():
    with served() as server, open_client(server.url) as client:
        assert client.get("/models").json()["data"][0]["id"] == "fault-vlm"
        one, two, swapped = post(client, b"a", b"b"), post(client, b"c" * 5000), post(client, b"b", b"a")
        digests = [digest_of([data_url(b"a"), data_url(b"b")]), digest_of([data_url(b"c" * 5000)])]
        assert [content(one), content(two)] == [text_of(digest) for digest in digests]
        assert content(swapped) != content(one) != content(two)
        tokens = [response.json()["usage"]["prompt_tokens"] for response in (one, two, swapped, post(client))]
        assert tokens[0] == tokens[2] < tokens[1] and tokens[3] < 10
        lines = server.requests()
        assert [line["pictures"] for line in lines[:2]] == digests and [line["count"] for line in lines] == [2, 1, 2, 0]
        assert all(line["key"] and line["fault"] == "" and line["at"] >= line["connected"] for line in lines)
        assert client.get("/nothing").status_code == 404 and client.post("/chat/completions", json=[]).is_client_error


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_comes_as_the_script_says(fault):
    with (
        served(first=("", fault), drip_ms=0.1) as server,
        open_client(server.url, timeout=0.5 if fault == "hang" else 10) as client,
    ):
        assert content(post(client, b"before"))
        if fault in BROKEN:
            with pytest.raises(BROKEN[fault]):
                post(client, b"picture")
        else:
            response = post(client, b"picture")
            assert response.status_code == STATUS.get(fault, 200)
            assert (KEY in response.text + str(response.headers)) == fault.startswith("echo")
            assert fault != "swapped" or content(response) == text_of(digest_of([data_url(b"before")]))
            assert fault != "long error" or len(response.content) > 2_900_000
        # over a new connection: a server that closes the old one without a word may do so while a request is under way
        with open_client(server.url) as anew:
            assert content(post(anew, b"picture")) == text_of(digest_of([data_url(b"picture")])), "then it is honest"
        assert [line["fault"] for line in server.requests()] == ["", fault, ""]


def test_what_a_question_gets_depends_on_nothing_but_seed_question_and_attempt():
    def seen(order: list[int]) -> dict[tuple[int, int], int]:
        with served(seed=7, faults={"500": 0.3, "429": 0.3}, most=2) as server, open_client(server.url) as client:
            return {(number, turn): post(client, b"%d" % number).status_code for turn in range(3) for number in order}

    found = seen(list(range(20)))
    assert found == seen(list(range(20))[::-1])
    assert set(found.values()) == {200, 429, 500} and {found[number, 2] for number in range(20)} == {200}


def test_storms_places_keys_numbers_of_pictures_and_batches():
    with served(storm=(4, 2)) as server, open_client(server.url) as client:
        assert [post(client, b"p").status_code for _ in range(8)] == [200, 200, 429, 429] * 2

    async def at_once(url: str) -> list[int]:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            asked = [client.post("/chat/completions", json=body(b"%d" % number)) for number in range(6)]
            return sorted(response.status_code for response in await asyncio.gather(*asked))

    async def pictures_at_once(url: str) -> set[str]:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            asked = [client.post("/chat/completions", json=body(b"%d" % number)) for number in range(3)]
            return {content(response) for response in await asyncio.gather(*asked)}

    with served(faults={"last pictures": 1.0}) as server:
        assert len(asyncio.run(pictures_at_once(server.url))) == 1
    with served(places=2, refuse=True, latency_ms=200) as server:
        assert asyncio.run(at_once(server.url)) == [200] * 2 + [429] * 4
    with served(key=KEY, most_pictures=1, models=None) as server, open_client(server.url) as client:
        assert post(client, b"p").status_code == 200 and post(client, b"p", b"q").status_code == 400
        assert client.get("/models").status_code == 404
        client.headers["authorization"] = "Bearer sk-another"
        assert post(client, b"p").status_code == 401
    with pytest.raises(ValueError, match="no fault '430'"):
        Script(faults={"430": 1.0})


def test_a_process_logs_each_request_and_ends_with_its_parent(tmp_path):
    log = tmp_path / "log.jsonl"
    with started(Script(log=str(log), first=("429 until a date",)), tmp_path) as url, open_client(url) as client:
        asked = post(client, b"p")
        assert asked.status_code == 429 and asked.headers["retry-after"].endswith("GMT")
        assert content(post(client, b"p")) == json.dumps(answer_of(digest_of([data_url(b"p")])))
    assert [(line["fault"], line["status"]) for line in log_lines(log)] == [("429 until a date", 429), ("", 200)]
    parent = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, '-m', 'tests.support.fault_server', {str(tmp_path / 's.json')!r}]); "
        "print(p.pid, flush=True); time.sleep(60)"
    )
    (tmp_path / "s.json").write_text("{}")
    with subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        child, url = int(process.stdout.readline()), process.stdout.readline().strip()
        assert httpx.get(f"{url}/models", trust_env=False).status_code == 200
        process.kill()
    for _ in range(200):
        try:
            httpx.get(f"{url}/models", trust_env=False)
        except httpx.TransportError:
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the server outlives its parent")
