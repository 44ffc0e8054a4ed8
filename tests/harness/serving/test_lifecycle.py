"""The command: it says where it serves, drains after SIGTERM, and ends at once after a second one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.serving.refusal import KINDS
from tests.support import ROOT
from tests.support.serving import answer_about, pictures, until

pytestmark = pytest.mark.heavy
MODEL = """
import time
from tests.support.serving import ByColour
slow = ByColour(pause_s=0.3)
class Stuck(ByColour):
    def ask(self, questions, operations):
        if questions[0].clip_id != "warm-up":
            time.sleep(60)
        return super().ask(questions, operations)
stuck = Stuck()
def loads(question):
    time.sleep(60)
def failing(question):
    raise RuntimeError("no weights")
"""


class Command(subprocess.Popen):
    """A server as the command runs it. `url` is where it says that it serves."""

    url: str

    def said(self) -> str:
        self.wait(20)
        return Path(self.stderr_path).read_text()


@contextlib.contextmanager
def command(folder: Path, *words: str, wait: bool = True) -> Iterator[Command]:
    (folder / "mine.py").write_text(MODEL)
    errors = folder / "stderr"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with errors.open("wb") as file:
        process = Command(
            [sys.executable, "-m", "harness", "serve", "--port", "0", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    process.stderr_path = errors
    try:
        process.url = process.stdout.readline().rpartition(" ")[2].strip()
        if wait:
            until(lambda: process.poll() is not None or is_ready(process.url))
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def is_ready(url: str, path: str = "/readyz") -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}{path}", trust_env=False).status_code == 200
    return False


def is_alive(url: str) -> bool:
    return is_ready(url, "/livez")


def test_sigterm_answers_what_was_accepted(tmp_path, monkeypatch):
    """And nothing is left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with command(tmp_path, "--model", "python:mine:slow") as server, ThreadPoolExecutor(6) as pool:
        assert list(folder.iterdir())
        client = httpx.Client(base_url=server.url, timeout=30, trust_env=False)
        waiting = [pool.submit(client.post, "/predict", json=pictures(number)) for number in range(6)]
        until(lambda: "harness_requests_in_flight 6.0" in client.get("/metrics").text)
        server.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").json()["status"] == "draining"
        late = client.post("/predict", json=pictures(9))
        assert late.status_code == 503 and late.json()["error"]["type"] == KINDS[503]
        for number, one in enumerate(waiting):
            assert one.result().json()["temporal_segment"] == answer_about(number)["temporal_segment"]
        client.close()
        assert server.wait(20) == 0
        said = server.said()
    assert not list(folder.iterdir())
    assert "draining: 6 accepted requests" in said
    logged = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert sum(line["path"] == "/predict" and line["status"] == 200 for line in logged) == 6
    assert all({"id", "ms", "status"} <= line.keys() for line in logged)


def test_a_second_signal_ends_at_once(tmp_path):
    with command(tmp_path, "--model", "python:mine:stuck") as server, ThreadPoolExecutor(1) as pool:
        pool.submit(httpx.post, f"{server.url}/predict", json=pictures(1), timeout=30, trust_env=False)
        until(lambda: "in_flight 1.0" in httpx.get(f"{server.url}/metrics", trust_env=False).text)
        server.send_signal(signal.SIGTERM)
        until(lambda: not is_ready(server.url))
        assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 128 + signal.SIGTERM


def test_what_takes_longer_than_the_drain_is_said(tmp_path):
    with command(tmp_path, "--model", "python:mine:stuck", "--drain", "0.2") as server, ThreadPoolExecutor(1) as pool:
        pool.submit(httpx.post, f"{server.url}/predict", json=pictures(1), timeout=30, trust_env=False)
        until(lambda: "in_flight 1.0" in httpx.get(f"{server.url}/metrics", trust_env=False).text)
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 1
        assert "1 requests without an answer" in server.said()


def test_sigterm_ends_a_server_that_still_loads(tmp_path):
    with command(tmp_path, "--model", "python:mine:loads", wait=False) as server:
        until(lambda: is_alive(server.url))
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


def test_a_model_that_cannot_be_loaded_ends_the_server(tmp_path):
    with command(tmp_path, "--model", "python:mine:failing") as server:
        assert server.wait(20) == 2
        assert "no weights" in server.said()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--token-env"),
        (["--token-env", "NOWHERE_SET"], "NOWHERE_SET"),
        (["--host", "256.1.1.1", "--insecure"], "cannot listen"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_what_cannot_be_served_is_said(words, said):
    done = CliRunner().invoke(cli, ["serve", "--model", "baseline:constant", "--port", "0", *words])
    assert done.exit_code != 0
    assert said in f"{done.output}{done.exception}"
