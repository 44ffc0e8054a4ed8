"""A server that this project did not write: `transformers serve` with a small random model of LLaVA's shape.

Two models are asked about 6 clips each by `harness predict --model openai:tiny/llava`. One can say a few whole answers
and nothing; which, its random weights decide, which see the pictures. The other is random altogether: it says bytes
until the limit of tokens, so that no clip is answered. Held against what the server itself logs:

    every clip has a line, or a failure in attempts.jsonl, and never both
    a line is what the model can say, and a fallback stands only where it said nothing
    the card holds the model's name as the server states it
    a run without answers makes no entry

It needs the packages of `pip install 'transformers[serving]'` and torch, no torchvision and no network; where they are
missing it says so and tries nothing: `python -m tests.proof.served_model`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from reference.task import OPERATIONS
from tests.proof.table import Row, main, report
from tests.proof.tally import Tally
from tests.support import ROOT, asking, hand, tiny_llava
from tests.support.fault_server import log_lines

PART = "served_model"
PACKAGES = ("fastapi", "uvicorn", "openai", "pydantic", "torch", "transformers", "httpx", "PIL")
CLIPS = 6
START_S = 120
ANSWERS = tuple(
    json.dumps(
        {
            "dominant_operation": operation,
            "temporal_segment": {"start_frame": 12 * place, "end_frame": 12 * place + 20},
            "next_operation": OPERATIONS[(place + 1) % 9],
        }
    )
    for place in range(9)
    for operation in (OPERATIONS[:9])
    if operation != OPERATIONS[(place + 1) % 9]
)
"""All that the first model can say."""


@contextlib.contextmanager
def served(home: Path, answers: Sequence[str], seed: int) -> Iterator[str]:
    """Serve a random model on loopback; yields the URL. Raises RuntimeError where the server does not come up."""
    environment = tiny_llava.build(home, answers, seed=seed) | {"PYTHONPATH": str(ROOT)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "--device", "cpu"]
    log = home.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], env=environment, stdout=out, stderr=out
        )
    try:
        limit = time.monotonic() + START_S
        while not _is_up(f"http://127.0.0.1:{port}/health"):
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"transformers serve does not come up: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _is_up(url: str) -> bool:
    with contextlib.suppress(OSError), urlopen(url, timeout=5) as reply:
        return bool(reply.status == 200)
    return False


def ask(url: str, folder: Path, *words: str) -> asking.Ended:
    """Ask about the first clips of a world of six sessions."""
    (folder / "tiny.toml").write_text(hand.tiny_world(), encoding="utf-8")
    command = ["predict", "--model", f"openai:{tiny_llava.NAME}", "--url", url, "-o", "entry", "--world", "tiny.toml"]
    said = folder / "said.txt"
    return asking.finish(asking.start([*command, "--limit", str(CLIPS), "--no-score", *words], folder, said), said)


def check_outcomes(tally: Tally, entry: Path, answers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Count clips with a line and a failure, or neither, and lines that the model cannot say; return the lines."""
    lines = asking.kept(entry)
    failed = {row["clip_id"] for row in log_lines(entry / "attempts.jsonl")}
    if len({*lines, *failed}) != CLIPS:
        tally.differs("the run", f"{len(lines)} lines and {len(failed)} clips that failed, of {CLIPS} clips")
    for clip_id, line in lines.items():
        said = line.get("raw_output", "")
        if said in answers:
            right = json.loads(said)
            if line["source"] == "fallback" or {name: line[name] for name in right} != right:
                tally.differs(clip_id, f"{line}")
        elif line["source"] != "fallback" or said.strip():
            tally.differs(clip_id, f"a line of what the model cannot say: {line}")
        if line.get("served_model", "").partition("@")[0] != tiny_llava.NAME:
            tally.differs(clip_id, f"served by {line.get('served_model')!r}")
        if not (line.get("usage") or {}).get("input_tokens"):
            tally.differs(clip_id, "no tokens, though the server counts them")
    return lines


def check_card(tally: Tally, entry: Path) -> None:
    """Count a card without the name that the server states."""
    agreed = tomllib.loads((entry / "card.toml").read_text())["run"].get("agreed", {})
    report(PART, f"agreed: {json.dumps(agreed)}")
    if f"{tiny_llava.NAME}@main" not in _texts(agreed):
        tally.differs("the run", f"the card does not hold the served model: {agreed}")


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    return [str(value)]


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each model, or one that says that nothing was tried."""
    missing = [name for name in PACKAGES if util.find_spec(name) is None]
    if missing:
        report(PART, f"not run: {', '.join(missing)} missing; pip install 'transformers[serving]' torch httpx pillow")
        return [Tally(PART, "transformers serve (not run: packages are missing)").row()]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("transformers", "torch", "fastapi", "uvicorn"))
    report(PART, versions)
    version = metadata.version("transformers")
    with tempfile.TemporaryDirectory() as work:
        return [
            _some_answers(Tally(PART, f"transformers serve {version}, a model that answers"), Path(work), seed),
            _no_answers(Tally(PART, f"transformers serve {version}, a model that never ends"), Path(work), seed),
        ]


def _some_answers(tally: Tally, work: Path, seed: int) -> Row:
    folder = work / "answers"
    folder.mkdir()
    with served(work / "hf-answers", ANSWERS, seed) as url:
        ended = ask(url, folder)
        asking.check_end(tally, ended)
        if ended.status != asking.WHOLE:
            tally.differs("the run", f"ends with {ended.status}: {ended.said[-3000:]}")
        else:
            lines = check_outcomes(tally, folder / "entry", ANSWERS)
            check_card(tally, folder / "entry")
            if len(lines) != CLIPS:
                tally.differs("the run", f"{len(lines)} of {CLIPS} clips have a line")
    asking.check_secrets(tally, folder)
    tally.tried = CLIPS
    return tally.row()


def _no_answers(tally: Tally, work: Path, seed: int) -> Row:
    folder = work / "nothing"
    folder.mkdir()
    with served(work / "hf-nothing", (), seed) as url:
        ended = ask(url, folder, "--max-tokens", "40", "--max-failures", "100")
        asking.check_end(tally, ended)
        if ended.status == asking.WHOLE:
            tally.differs("the run", f"ends with {ended.status}: {ended.said[-3000:]}")
        if lines := asking.kept(folder / "entry"):
            tally.differs(
                "the run", f"{len(lines)} lines of a model that says nothing whole: {next(iter(lines.values()))}"
            )
    asking.check_secrets(tally, folder)
    tally.tried = CLIPS
    return tally.row()


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
