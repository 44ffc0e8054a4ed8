"""Run of the steps: each in a process group of its own, which is killed at the step's limit or at the end of the time.

A step prints a line of JSON for each number; what it says else is added to one log when it has ended. A step that hangs
or fails costs its own numbers, and those of the steps that need it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from finetune.gpu_check.steps import Step
from finetune.gpu_check.table import Results

DONE = "done"
LEAST_S = 5
"""Seconds that must be left for a step to begin."""
Command = Callable[[Step], Sequence[str]]


class Runner:
    """Runner of steps. `command` gives the words of a step's process, `end` is when all is over, in monotonic time."""

    def __init__(self, results: Results, command: Command, end: float):
        self.results, self.command, self.end = results, command, end
        self.done: set[str] = set()
        self.processes: set[subprocess.Popen] = set()

    def run(self, groups: Iterable[Sequence[Step]], *, together: bool) -> bool:
        """Run the groups one after another, the steps of one at the same time or not; return True if all ended well."""
        steps = 0
        for group in groups:
            steps += len(group)
            with ThreadPoolExecutor(len(group) if together else 1) as pool:
                try:
                    list(pool.map(self._run_step, group))
                except BaseException:
                    # Interrupted: in sessions of their own the steps would outlive this process.
                    self.end = 0.0
                    for process in tuple(self.processes):
                        os.killpg(process.pid, signal.SIGKILL)
                    raise
        return len(self.done) == steps

    def _run_step(self, step: Step) -> None:
        begun = time.monotonic()
        limit = min(step.limit_s, self.end - begun)
        if missing := [name for name in step.needs if name not in self.done]:
            ended = f"not run: it needs {', '.join(missing)}"
        elif limit < LEAST_S <= step.limit_s:
            ended = "not run: the time of the check is over"
        else:
            ended = self._end_of(step, limit)
        if ended == DONE:
            self.done.add(step.name)
        self.results.add({"step": step.name, "seconds": round(time.monotonic() - begun, 1), "ended": ended})

    def _end_of(self, step: Step, limit: float) -> str:
        """Run a step's process and put its lines into the results; return how it ended."""
        killed = threading.Event()

        def kill() -> None:
            killed.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit, kill)
        timer.daemon = True
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.command(step), stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
            self.processes.add(process)
            timer.start()
            assert process.stdout is not None
            for text in process.stdout:
                with contextlib.suppress(ValueError):  # a step that is killed may leave half a line
                    self.results.add(json.loads(text))
            code = process.wait()
            timer.cancel()
            self.processes.remove(process)
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        self.results.add_log(step.name, said)
        if killed.is_set():
            return f"killed at its limit of {limit:.0f} s"
        return DONE if code == 0 else f"failed with code {code}: {_last_line(said)}"


def _last_line(said: str) -> str:
    return next((line.strip()[:200] for line in reversed(said.split("\n")) if line.strip()), "it said nothing")
