"""A session of the notebook in a folder laid out as Kaggle's, with a tiny model and few clips."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.kaggle import notebook, wheelhouse
from tests.support import ROOT

RUNS = ROOT / "finetune" / "runs"
_, BLOCKS = notebook.parse((RUNS / "t4.sh").read_text(encoding="utf-8"))
TITLES = [block.title for block in BLOCKS]
LIMIT = 8
"""Clips of each split."""
SHIM = '#!/bin/sh\nexec {} "$@"\n'


def shims(folder: Path, **commands: str) -> str:
    """Write commands into a folder; return a path of executables that begins with it."""
    folder.mkdir(exist_ok=True)
    for name, command in commands.items():
        (folder / name).write_text(SHIM.format(command))
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def layout(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment for Kaggle's folders below `folder`, without what this process was given."""
    for name in ("input", "working"):
        (folder / name).mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and name[:8] != "HARNESS_"}
    places = {"INPUT": "input", "WORK": "working", "SCRATCH": "temp"}
    return kept | {f"HARNESS_{name}": str(folder / place) for name, place in places.items()} | more


TINY = """
weights = ""
size = 84
batch = 2
accumulation = 2
steps = 2
checkpoint_every = 1
evaluate_every = 1
evaluate_clips = 2
threads = 1
workers = 0
"""
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
NO_NETWORK = {"PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"} | dict.fromkeys(PROXIES, "http://127.0.0.1:9")


def session(
    folder: Path,
    wheel: Path,
    home: Path,
    *,
    hours: str,
    attached: Path | None = None,
    steps: Sequence[str] = TITLES,
    python: str = sys.executable,
) -> tuple[Path, str]:
    """Run the notebook's steps in a new kernel; return Kaggle's working folder and what was printed.

    `attached`: the working folder of an earlier session. `python`: what stands for Python.
    """
    import nbclient
    import nbformat

    env = layout(folder)
    dataset = folder / "input" / "datasets" / "me" / "warehouse-harness-wheels"
    dataset.mkdir(parents=True)
    shutil.copy(wheel, dataset)
    if attached:
        shutil.copytree(attached, folder / "input" / "notebooks" / "me" / "warehouse-harness-t4")
        shutil.copytree(attached.parent / "temp", folder / "temp")  # what other steps make is the same again
    base = tomllib.loads((RUNS / "t4.toml").read_text()) | tomllib.loads(TINY)
    (folder / "tiny.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in base.items()))
    path = shims(folder / "bin", python=python, pip=" ".join(wheelhouse.pip_command()))
    tiny = {
        "TRAIN_CONFIG": str(folder / "tiny.toml"),
        "SIZE": "84",
        "LIMIT": str(LIMIT),
        "DEVICE": "cpu",
        "HOURS": hours,
    }
    env |= {f"HARNESS_{name}": value for name, value in tiny.items()} | NO_NETWORK
    env |= {"PATH": path, "HARNESS_HOME": str(home), "OMP_NUM_THREADS": "1"}
    made = nbformat.read(notebook.NOTEBOOK, as_version=4)
    for block, cell in zip(BLOCKS, [cell for cell in made.cells if cell.cell_type == "code"][1:], strict=True):
        if block.title not in steps:
            made.cells.remove(cell)
    client = nbclient.NotebookClient(made, timeout=300, resources={"metadata": {"path": str(folder / "working")}})
    client.execute(env=env)
    printed = [output["text"] for cell in made.cells for output in cell.get("outputs", []) if "text" in output]
    return folder / "working", "".join(printed)


def updates(working: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's log that stand for updates."""
    rows = [json.loads(line) for line in (working / "run" / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if "loss" in row]
