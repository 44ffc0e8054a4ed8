"""A small world that `harness predict` asks an endpoint about, as processes, and what a run shows from outside.

The fault server's answers are made of the pictures that it was sent. So that a test knows which those are for each
clip, an honest server is first asked with one connection: its requests come in the order of the clips.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.proof.tally import Tally
from tests.support import ROOT, hand
from tests.support.fault_answers import text_of
from tests.support.fault_server import Script, log_lines, started

KEY = "sk-proof-0123456789abcdefghijklmnopqrstuv"
MODEL, WORLD, ENTRY = "fault-vlm", "many.toml", "entry"
A_SESSION, SIZE, WORKERS = 20, 64, 2
CONNECTIONS, DEADLINE_S = 16, 8
LIMIT_S = 300
"""A command that takes longer hangs: it is ended, by a signal that counts as a crash."""
WHOLE, INCOMPLETE = 0, 3
DOCUMENTED = (WHOLE, 1, 2, INCOMPLETE)


class Place(NamedTuple):
    """A world in a folder, with its pictures."""

    folder: Path
    clips: tuple[str, ...]
    digests: Mapping[str, str]  # clip id -> of its pictures, as the server saw them
    text: str  # digest of the prompt


class Ended(NamedTuple):
    """A command that ended."""

    status: int
    said: str
    peak_mb: int
    processor_s: float


def start(words: Sequence[str], folder: Path, said: Path) -> subprocess.Popen[bytes]:
    """Start `harness` in a folder, with the key in its environment; what it prints goes to a file."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN", "_BASE_URL"))}
    environment = kept | {"HARNESS_HOME": "home", "PYTHONPATH": str(ROOT), "COLUMNS": "80", "OPENAI_API_KEY": KEY}
    with said.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words], cwd=folder, env=environment, stdout=out, stderr=out
        )


def is_running(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a command runs; one that has ended is left for `finish`, which asks how much memory it held."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def finish(process: subprocess.Popen[bytes], said: Path) -> Ended:
    """Wait for a command; return its status, all that its file holds, and its peak memory. One that hangs is ended."""
    limit = time.monotonic() + LIMIT_S
    while not (found := os.wait4(process.pid, os.WNOHANG))[0]:
        if time.monotonic() > limit:
            os.kill(process.pid, signal.SIGABRT)
            found = os.wait4(process.pid, 0)
            break
        time.sleep(0.01)
    _, status, usage = found
    process.returncode = os.waitstatus_to_exitcode(status)
    took = usage.ru_utime + usage.ru_stime
    return Ended(process.returncode, said.read_text(errors="replace"), usage.ru_maxrss >> 10, took)


def command(url: str, entry: str = ENTRY, *words: str, connections: int = CONNECTIONS) -> list[str]:
    """Return the words of a run."""
    fixed = ["predict", "--model", f"openai:{MODEL}", "--url", url, "-o", entry, "--world", WORLD]
    fixed += ["--no-score", "--max-failures", "1000000"]
    if "frames=0" not in words:
        fixed += ["--frames", "pictures", "--option", f"size={SIZE}"]
    return [*fixed, "--connections", str(connections), "--deadline", str(DEADLINE_S), *words]


def prepare(folder: Path, clips: int) -> Place:
    """Draw a world of about so many clips, and ask an honest server about one clip after the other.

    With one connection the requests come in the order of the clips, which tells whose pictures each one holds.
    """
    sessions = max(2, -(-clips // A_SESSION))
    text = hand.tiny_world(sessions, A_SESSION)
    (folder / WORLD).write_text(text.replace('name = "tiny"', 'name = "many"'), encoding="utf-8")
    drawn = ["world", "render", WORLD, "--size", str(SIZE), "-o", "pictures", "--workers", str(WORKERS)]
    log, rendered = folder.with_name("honest.jsonl"), folder / "render.out"
    expect(finish(start(drawn, folder, rendered), rendered))
    said = folder / "honest.out"
    with started(Script(log=str(log)), folder.parent) as url:
        expect(finish(start(command(url, "honest", connections=1), folder, said), said))
    lines = lines_of(folder / "honest" / "predictions.jsonl")
    asked = log_lines(log)
    prompt = Counter(line["text"] for line in asked if "text" in line).most_common(1)[0][0]
    digests = [line["pictures"] for line in asked if line.get("text") == prompt][-len(lines) :]
    said_of_them = [line.get("raw_output") for line in lines.values()]
    if len(set(digests)) != len(lines) or [text_of(digest) for digest in digests] != said_of_them:
        raise RuntimeError("with one connection, the requests do not come in the order of the clips")
    return Place(folder, tuple(lines), dict(zip(lines, digests, strict=True)), prompt)


def expect(ended: Ended) -> None:
    """Raise RuntimeError where a command did not end well."""
    if ended.status != WHOLE:
        raise RuntimeError(f"a command ends with {ended.status}: {ended.said[-3000:]}")


def lines_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the whole prediction lines in a file by clip id; none where there is no file."""
    with contextlib.suppress(FileNotFoundError):
        found = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        return {line["clip_id"]: line for line in found}
    return {}


def kept(entry: Path) -> dict[str, dict[str, Any]]:
    """Return the lines that an entry holds, finished or not."""
    return lines_of(entry / "predictions.jsonl.part") | lines_of(entry / "predictions.jsonl")


def ask(place: Place, url: str, name: str, *words: str, connections: int = CONNECTIONS) -> Ended:
    """Run the command for the entry `name` to its end; what it prints is added to NAME.out beside it."""
    said = place.folder / f"{name}.out"
    return finish(start(command(url, name, *words, connections=connections), place.folder, said), said)


@contextlib.contextmanager
def places(clips: int) -> Iterator[tuple[Place, Path]]:
    """Yield a world of about so many clips, and a folder for logs beside it; both are removed."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "run"
        folder.mkdir()
        yield prepare(folder, clips), Path(work)


def check_secrets(tally: Tally, folder: Path) -> None:
    """Count files that hold the key."""
    for path in folder.rglob("*"):
        if path.is_file() and KEY.encode() in path.read_bytes():
            tally.tears(str(path), "holds the key")


def check_end(tally: Tally, ended: Ended) -> None:
    """Count a traceback, or a status that is not documented."""
    if ended.status not in DOCUMENTED or "Traceback" in ended.said:
        tally.fails("harness predict", f"ends with {ended.status}: {ended.said[-3000:]}")
