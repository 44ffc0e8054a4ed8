"""Trainings in two processes on the CPU, started by accelerate: several runs in one start, since a start takes seconds.

    accelerate launch ... -m tests.support.two_processes FOLDER     # FOLDER/config.toml says what is trained

Each process writes what it has seen to FOLDER/RANK.json before the last run, in which the second process is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support import ROOT

LAUNCH = [
    *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m"),
]
"""Command that starts a module in two processes; without a GPU they compute on the CPU and meet by gloo."""


def launch(
    *words: str, output: Any = subprocess.PIPE, mark: str = "", python: str = sys.executable
) -> subprocess.Popen[str]:
    """Start a module with its arguments in two processes; MARK is in the environment of launcher and processes.

    The launcher puts each process into a session of its own, so that nothing else tells what belongs together. `python`
    starts the two.
    """
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MARK": mark, "PYTHON_EXEC": python}
    return subprocess.Popen(
        [*LAUNCH, *words],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


def marked(mark: str) -> dict[int, int | None]:
    """Return the processes that still run with a mark, each with its rank; the launcher has none."""
    found: dict[int, int | None] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                continue
            pairs = (one.partition("=") for one in (folder / "environ").read_text(errors="replace").split("\0"))
        except OSError:
            continue
        values = {name: value for name, _, value in pairs}
        if values.get("MARK") == mark:
            found[int(folder.name)] = int(values["RANK"]) if "RANK" in values else None
    return found


def main(folder: Path) -> None:
    """Train one run to its end, one that is short of memory, one that memory does not hold, and one that is killed."""
    from finetune import config as configs
    from finetune import evaluate, generate, run_log
    from finetune import train as training

    training.estimate_peak_gib = lambda *arguments, **options: 1.0  # planning runs forward too
    evaluate.BATCH, evaluate.FREE_CLIPS, generate.MAX_TOKENS = {"cpu": 1}, 2, 4
    run_log.draw_loss = lambda rows, path: path.write_bytes(b"")
    config, rank = configs.read(folder / configs.NAME), int(os.environ["RANK"])
    seen: dict[str, Any] = {"pid": os.getpid()}
    training.train(config, folder / "two")
    validate, training._validate = training._validate, lambda *arguments: None  # it takes longer than an update

    def scarce(most: int) -> Callable[[int, int], None]:
        def check(number: int, clips: int) -> None:
            if rank == 1 and clips > most:
                raise training.torch.OutOfMemoryError("CUDA out of memory")

        return check

    with watched(training.Answerer, scarce(1)):
        # The clock of one process says that it is late, and both stop.
        state = training.train(config, folder / "scarce", max_hours=0.0 if rank else 10.0)
    seen |= {"batch": state.batch, "updates": state.updates}
    training.plan_memory = lambda *arguments, **_: SimpleNamespace(config=SimpleNamespace(batch=5 + rank))
    configs.UPDATE_CLIPS = 8
    with watched(training.Answerer, scarce(3)):
        state = training.train(replace(config, batch=0, accumulation=0, steps=1), folder / "open")
    seen["decided"] = state.batch
    try:
        with watched(training.Answerer, scarce(0)):
            training.train(config, folder / "full")
    except training.TrainingError as error:
        seen["said"] = str(error)
    (folder / f"{rank}.json").write_text(json.dumps(seen))
    training._validate = validate

    def kill(number: int, clips: int) -> None:
        if rank == 1 and number == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    with watched(training.Answerer, kill):
        training.train(config, folder / "killed")


@contextmanager
def watched(answerer: Any, check: Callable[[int, int], None]) -> Iterator[None]:
    """Call `check` with the number of each pass, from 0 on, and its clips, before it is computed."""
    forward, passes = answerer.forward, 0

    def counted(self: Any, batch: Any, *rest: Any) -> Any:
        nonlocal passes
        check(passes, len(batch["input_ids"]))
        passes += 1
        return forward(self, batch, *rest)

    answerer.forward = counted
    try:
        yield
    finally:
        answerer.forward = forward


if __name__ == "__main__":
    main(Path(sys.argv[1]))
