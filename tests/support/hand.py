"""Worlds, answers and submission folders made by hand, for tests whose expected numbers are worked out on paper.

`clip` is a truth row: Tape in [30, 70), Pack before it, Label after it and on screen. `right` answers a row as it is,
or with changes. A world of such rows is imported, so it has no process: no ceiling, no script.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from harness.cards import Card, write_card
from harness.cli import main
from reference.process.world import world_file
from reference.task import DEFAULT_WORLD
from reference.truth.imported import import_world
from reference.truth.store import open_truth

Row = dict[str, Any]

CLIP: Row = {
    "session": "s0", "clip_index": 0, "dominant_operation": "Tape", "start_frame": 30, "end_frame": 70,
    "next_operation": "Label", "previous_operation": "Pack",
}  # fmt: skip


def clip(session: int, index: int, **changes: Any) -> Row:
    return (
        CLIP | {"clip_id": f"c{session:02d}-{index:02d}", "session": f"s{session:02d}", "clip_index": index} | changes
    )


def grid(sessions: int, clips: int, **changes: Any) -> list[Row]:
    """Equal clips, `clips` in each session."""
    return [clip(session, index, **changes) for session in range(sessions) for index in range(clips)]


def world(name: str, rows: Iterable[Row], folder: Path, home: Path) -> str:
    """Import rows as world `name`; returns the digest of its truth."""
    file = write(folder / f"{name}.jsonl", rows)
    import_world([file], home, name=name, replace=True)
    with open_truth(name, "test", home=home) as truth:
        return truth.digest


def right(row: Row, **changes: Any) -> Row:
    """The prediction line that is right in all fields, but for `changes`."""
    return {
        "clip_id": row["clip_id"],
        "dominant_operation": row["dominant_operation"],
        "temporal_segment": segment(row["start_frame"], row["end_frame"]),
        "next_operation": row["next_operation"],
    } | changes


def segment(start: int, end: int) -> dict[str, int]:
    return {"start_frame": start, "end_frame": end}


def write(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def entry(folder: Path, name: str, lines: Iterable[Mapping[str, Any]], world: str, digest: str, **card: Any) -> Path:
    """A submission folder; `card` changes its card."""
    file = write(folder / "predictions.jsonl", lines)
    known = {"kind": "model", "description": "by hand", "split": "test", "truth_digest": digest}
    known["predictions_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    write_card(folder, Card(**{"name": name, "world": world} | known | card))
    return folder


def harness_command(*words: str | Path, home: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `python -m harness`; `options` are those of subprocess.run, `env` is added to the environment."""
    env = os.environ | {"HARNESS_HOME": str(home), "COLUMNS": "80"} | options.pop("env", {})
    command = [sys.executable, "-m", "harness", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, **options)


def harness_here(*words: str | Path, home: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line in this process, which saves the start of one."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("HARNESS_HOME", str(home))
        patch.setenv("COLUMNS", "80")
        patch.setattr(sys, "argv", ["harness", *map(str, words)])
        patch.chdir(cwd or Path.cwd())
        with pytest.raises(SystemExit) as stopped:
            main()
    return subprocess.CompletedProcess(sys.argv, int(stopped.value.code or 0), out.getvalue(), err.getvalue())


def tiny_world(sessions: int = 6, clips: int = 4) -> str:
    """The default world's file, under another name: so many sessions to judge on, and ten to learn from."""
    text = _unpinned(DEFAULT_WORLD, "tiny")
    text = text.replace("sessions = 144\nclips = 20", f"sessions = {sessions}\nclips = {clips}")
    return text.replace("sessions = 288", "sessions = 10")


def steady_world() -> str:
    """The default world's file, under another name, in which slip and screen show their signs all the time."""
    head, _, rest = _unpinned(DEFAULT_WORLD, "steady").partition("[surfaces]")
    return head + rest[rest.index("[workers]") :]


def _unpinned(world: str, name: str) -> str:
    """Return a world's file under another name, without its digests."""
    text = world_file(world).decode()
    return text[: text.index("[digests]")].replace(f'name = "{world}"', f'name = "{name}"')
