"""Tasks that Inspect AI and lmms-eval ask an endpoint about, and the logs that they really write.

pip installs each tool into an environment of its own, where it can: a row of nothing tried says where it cannot. With
PROOF_ENVIRONMENTS=DIR the environments stay in DIR, and later runs install nothing.

The server is `tests.support.fault_server`, whose answer is made of the pictures that it was sent, in their order. So an
answer in a log is right for one clip alone, and only if the tool showed that clip's pictures and nothing else.

    Inspect AI / lmms-eval, asked          each clip has the answer to its pictures; each request held the prompt
    Inspect AI / lmms-eval, failures       a clip that was refused, cut off or answered with nothing is no answer, and
                                           the command that scores says so
    Inspect AI, epochs                     two epochs are refused, and each alone is a run

Run from the repository root: `python -m tests.proof.other_tools [--scale 1] [--seed 1]`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from reference.task import OPERATIONS
from tests.proof.table import Row, main, report, row, tries
from tests.proof.tally import Tally
from tests.support import ROOT, hand
from tests.support.asking import MODEL
from tests.support.fault_answers import answer_of, data_url, digest_of
from tests.support.fault_server import Script, log_lines, started
from tests.support.small_truth import read, small_truth

PART = "other_tools"
CLIPS, SIZE = 40, 64
WORLD = "many.toml"
LIMIT_S = 400
FAULTS = {"filtered": 0.2, "cut off": 0.2, "empty": 0.2}
"""Replies that hold no answer, for every attempt at a clip."""


class Tool(NamedTuple):
    """A tool: what pip installs, the command over a task, where it logs, and the picture that a file becomes."""

    name: str
    installs: tuple[tuple[str, ...], ...]  # words of pip, one call each
    needs_ours: bool  # torch and its kin, from the environment of these tests
    command: tuple[str, ...]  # with {task}, {url}, {logs}
    log: str
    shown: Callable[[bytes], str]


def as_png(content: bytes) -> str:
    """Return a JPEG as lmms-eval sends it: decoded, and written as PNG."""
    file = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


LIGHT = (
    "datasets evaluate jsonlines numexpr pytablewriter sacrebleu loguru tenacity openai tiktoken python-dotenv "
    "tqdm-multiprocess zss ftfy einops nltk dill filelock<4"
)
TOOLS = {
    "inspect": Tool(
        "Inspect AI",
        (("inspect_ai", "openai"),),
        False,
        ("inspect", "eval", "{task}/warehouse.py", "--model", f"openai-api/fault/{MODEL}", "--no-log-images",
         "--log-dir", "{logs}", "--display", "plain"),
        "*.eval",
        data_url,
    ),
    "lmms-eval": Tool(
        "lmms-eval",
        (("--no-deps", "lmms-eval"), tuple(LIGHT.split())),
        True,
        ("lmms-eval", "eval", "--model", "openai", "--model_args", f"model={MODEL},base_url={{url}},api_key=none",
         "--tasks", "warehouse", "--include_path", "{task}", "--log_samples", "--output_path", "{logs}"),
        "*/*_samples_warehouse.jsonl",
        as_png,
    ),
}  # fmt: skip


def run(seed: int, scale: float) -> list[Row]:
    """Return the rows of both tools."""
    with tempfile.TemporaryDirectory() as folder:
        work, clips = Path(folder), tries(CLIPS, scale)
        (work / WORLD).write_text(hand.tiny_world(2, -(-clips // 2)).replace('"tiny"', '"many"'), encoding="utf-8")
        ours(work, "world", "render", WORLD, "--size", str(SIZE), "--limit", str(clips), "-o", "pictures")
        return [each for key in TOOLS for each in rows_of(key, work, seed)]


def rows_of(key: str, work: Path, seed: int) -> list[Row]:
    """Install a tool and return its rows."""
    tool, task = TOOLS[key], work / key
    if why := install(tool, environment(work, key)):
        report(PART, f"{tool.name} is not tried: {why}")
        return [row(f"{tool.name}: not tried, pip cannot install it here")]
    ours(work, "world", "export", WORLD, "--as", key, "--frames", "pictures", "-o", str(task))
    rows = [asked(tool, work, task, {}, seed, "asked"), asked(tool, work, task, FAULTS, seed, "failures")]
    return rows + ([epochs(tool, work, task)] if key == "inspect" else [])


def environment(work: Path, key: str) -> Path:
    """Return the folder of a tool's environment."""
    return Path(os.environ.get("PROOF_ENVIRONMENTS") or work).absolute() / f"{key}-env"


def install(tool: Tool, folder: Path) -> str:
    """Install a tool into a new environment, unless it is there; return why it cannot be, or nothing."""
    if folder.exists():
        return ""
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if tool.needs_ours:
        path = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        Path(path, "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    for words in tool.installs if made.returncode == 0 else ():
        try:
            made = subprocess.run(
                [str(folder / "bin" / "pip"), "install", "-q", *words], capture_output=True, text=True, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired:
            return f"pip takes more than {LIMIT_S} s"
        if made.returncode != 0:
            break
    return made.stderr[-500:] if made.returncode else ""


def asked(tool: Tool, work: Path, task: Path, faults: Mapping[str, float], seed: int, what: str) -> Row:
    """Let a tool ask about every clip, and compare what its log says with what the server said."""
    tally = Tally(PART, f"{tool.name}, {what}")
    script = Script(seed=seed, faults=faults, most=None, log=str(work / f"{task.name}-{what}.jsonl"))
    with started(script, work) as url:
        log = tool_run(tool, work, task, url, task.with_name(f"{task.name}-{what}"))
    if log is None:
        tally.fails(tool.name, "wrote no log; see above")
        return tally.row()
    rows = {each["clip_id"]: each for each in map(json.loads, (task / "clips.jsonl").read_text().splitlines())}
    said = {each["pictures"]: each for each in log_lines(Path(script.log or ""))}
    answers = answers_in(log, tuple(rows))
    for clip_id, each in rows.items():
        tally.tried += 1
        digest = digest_of([tool.shown((task / name).read_bytes()) for name in each["frames"]])
        request = said.get(digest)
        prompt = hashlib.sha256(each["prompt"].encode()).hexdigest()[:16]
        if request is None or request["text"] != prompt:
            tally.differs(clip_id, f"was not asked about as published: {request}")
        elif answers.get(clip_id) != (None if request["fault"] else answer_of(digest)):
            tally.differs(clip_id, f"{answers.get(clip_id)}, the server said {request['fault'] or answer_of(digest)}")
    check_score(tally, work, log, Counter(bool(each["fault"]) for each in said.values())[True])
    return tally.row()


def tool_run(tool: Tool, work: Path, task: Path, url: str, logs: Path, *more: str) -> Path | None:
    """Run a tool over a task and return its log."""
    # relative: Inspect takes no absolute path of a task
    words = [word.format(task=task.name, url=url, logs=logs) for word in tool.command]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HTTPS_PROXY")}
    own = {"FAULT_API_KEY": "none", "FAULT_BASE_URL": url, "HOME": str(work), "HF_HOME": str(work / "hf")}
    program = str(environment(work, task.name) / "bin" / words[0])
    try:
        ended = subprocess.run(
            [program, *words[1:], *more],
            capture_output=True,
            text=True,
            cwd=work,
            timeout=LIMIT_S,
            env=kept | own | {"HF_HUB_OFFLINE": "1"},
        )
    except subprocess.TimeoutExpired:
        report(PART, f"{tool.name} takes more than {LIMIT_S} s")
        return None
    found = sorted(logs.glob(tool.log))
    if len(found) != 1:
        report(PART, f"{tool.name} ends with {ended.returncode}: {(ended.stdout + ended.stderr)[-2000:]}")
    return found[0] if len(found) == 1 else None


def answers_in(log: Path, clips: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the answers that a log is read as, of the clips that have one."""
    with small_truth(clips) as truth, tempfile.TemporaryDirectory() as scratch:
        read(truth, log, Path(scratch), lenient=True)
        found = truth.predictions()
    return {
        clip_id: {
            "dominant_operation": OPERATIONS[each["operation"]],
            "temporal_segment": {"start_frame": each["start_frame"], "end_frame": each["end_frame"]},
            "next_operation": OPERATIONS[each["next_operation"]],
        }
        for clip_id, each in found.items()
        if each["operation"] is not None
    }


def check_score(tally: Tally, work: Path, log: Path, failed: int) -> None:
    """Count a log that `harness score` takes as it should not: only --lenient takes one with failures."""
    strict, lenient = (
        command(work, "score", str(log), "--world", WORLD, *words).returncode for words in ((), ("--lenient",))
    )
    if (strict == 0) == bool(failed) or lenient != 0:
        tally.differs("harness score", f"{failed} failures, exit codes {strict}, and {lenient} with --lenient")


def epochs(tool: Tool, work: Path, task: Path) -> Row:
    """Let Inspect ask twice: one file is refused, each epoch alone is a run."""
    tally = Tally(PART, f"{tool.name}, epochs")
    with started(Script(), work) as url:
        log = tool_run(tool, work, task, url, task.with_name("epochs"), "--epochs", "2")
    if log is None:
        tally.fails(tool.name, "wrote no log; see above")
        return tally.row()
    tally.tried += 1
    refused = command(work, "score", str(log), "--world", WORLD)
    if refused.returncode != 2 or "each epoch is a run of a method" not in refused.stdout + refused.stderr:
        tally.differs("harness score", f"{refused.returncode}: {(refused.stdout + refused.stderr)[-500:]}")
    inspect = environment(work, "inspect") / "bin" / "inspect"
    dumped = subprocess.run([str(inspect), "log", "dump", str(log)], capture_output=True)
    samples = json.loads(dumped.stdout)["samples"]
    (work / "method" / "runs").mkdir(parents=True)
    for epoch in (1, 2):
        lines = "".join(json.dumps(each) + "\n" for each in samples if each["epoch"] == epoch)
        (work / "method" / "runs" / f"{epoch}.jsonl").write_text(lines, encoding="utf-8")
    scored = command(work, "score", "method", "--world", WORLD)
    if scored.returncode != 0 or "mean of 2 runs" not in scored.stdout:
        tally.differs("harness score", f"{scored.returncode}: {(scored.stdout + scored.stderr)[-500:]}")
    return tally.row()


def command(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `harness` in the working folder."""
    own = {"HARNESS_HOME": str(work / "home"), "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=work, env=os.environ | own, capture_output=True, text=True
    )


def ours(work: Path, *words: str) -> None:
    """Run `harness`. Raises RuntimeError where it does not end well."""
    ended = command(work, *words)
    if ended.returncode != 0:
        raise RuntimeError(f"harness {' '.join(words)} ends with {ended.returncode}: {ended.stderr[-2000:]}")


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
