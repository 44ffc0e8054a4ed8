"""Faults at chosen changes of the file system: `python -m tests.support.faults FOLDER SEED CASE:KIND ...`.

A child process runs a command and is killed, or sees a full disk, just before its n-th change of the file system, which
it knows from the interpreter's audit events. No clock is involved: the same seed gives the same moments. Then the
command is run again. A line of JSON says what each fault led to.

    kill  SIGKILL before the n-th change
    end   SIGTERM before the n-th change
    full  no file or folder can be made from the n-th change on
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import kills

_MAKES, _OTHER = {"os.mkdir", "os.link", "os.rename"}, {"os.remove", "os.rmdir", "os.truncate"}


def install(at: int, fault: Callable[[str], None], only_makes: bool) -> list[int]:
    """Call `fault` at the at-th change of the file system and all later ones; returns a list that counts them."""
    seen = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not (writes or event in _MAKES or (event in _OTHER and not only_makes)):
            return
        if writes and not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        if str(arguments[0]).startswith("/dev/"):
            return
        seen[0] += 1
        if seen[0] >= at:
            fault(str(arguments[0]))

    sys.addaudithook(hook)
    return seen


def full(path: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def ended(number: int) -> Callable[[str], None]:
    """Return a fault that sends this process a signal, once."""
    sent: list[bool] = []

    def end(_: str) -> None:
        if not sent:
            sent.append(True)
            os.kill(os.getpid(), number)

    return end


FAULTS = {"kill": ended(signal.SIGKILL), "end": ended(signal.SIGTERM), "full": full}


def run(words: tuple[str, ...], folder: Path, kind: str = "", at: int = 0) -> tuple[int, str, int]:
    """Run a command in a child process; returns its status, its output, and the changes that it made."""
    log, count = folder.with_suffix(".log"), folder.with_suffix(".count")
    child = os.fork()
    if not child:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(folder)
        os.environ["HARNESS_HOME"] = "home"
        sys.argv = ["harness", *words]
        status, seen = 70, install(at or sys.maxsize, FAULTS.get(kind, full), kind == "full")
        try:
            importlib.import_module("harness.cli").main()
        except SystemExit as error:
            status = int(error.code or 0)
        finally:
            if not kind:
                count.write_text(str(seen[0]))
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, log.read_text(errors="replace"), int(count.read_text()) if not kind else 0


def load() -> None:
    """Import what the commands import, before the first fork; no connection is opened and no thread started."""
    names = ["harness.cli", "scipy.special", "duckdb", "jinja2", "PIL.Image", "thorvg_python"]
    names += ["harness.commands.terminal.score", "harness.commands.terminal.leaderboard", "harness.report.write"]
    names += ["harness.scoring.score", "harness.comparison.leaderboard", "harness.worlds.sealing"]
    for name in (*names, "harness.prediction.predict", "harness.worlds.rendering", "reference.truth.imported"):
        importlib.import_module(name)
    for command in importlib.import_module("harness.cli").COMMANDS:
        importlib.import_module(f"harness.commands.{command}")


def main(folder: Path, seed: int, faults: list[str]) -> None:
    load()
    start = folder / "start"
    if child := os.fork():  # preparing opens databases
        os.waitpid(child, 0)
    else:
        kills.prepare(start)
        os._exit(0)
    draw, cases = random.Random(seed), kills.cases(workers=1)
    whole: dict[str, tuple[dict[str, bytes], str, int]] = {}
    for fault in faults:
        name, kind = fault.split(":")
        if name not in whole:
            here = shutil.copytree(start, folder / f"{name}-whole")
            _, said, changes = run(cases[name].words, here)
            whole[name] = kills.outputs(here), said, changes
        expected, said, changes = whole[name]
        at = draw.randint(1, changes)
        here = shutil.copytree(start, folder / f"{name}-{kind}-{at}")
        first, heard, _ = run(cases[name].words, here, kind, at)
        torn = kills.torn(here)
        status, again, _ = run(cases[name].words, here)
        found = kills.outcome(cases[name], here, status, again, expected).faults(cases[name], said)
        found += [f"{path} is torn" for path in torn] + _first_run(kind, first, heard)
        print(json.dumps({"fault": fault, "at": at, "changes": changes, "status": first, "found": found}), flush=True)


def _first_run(kind: str, status: int, said: str) -> list[str]:
    """Return what is wrong with how the run ended that the fault met; it may have come too late to do harm."""
    expected = {"kill": -signal.SIGKILL, "end": 128 + signal.SIGTERM, "full": 2}[kind]
    told = status == expected and (kind != "full" or ("No space left on device: " in said and said.count("\n") < 3))
    return [] if status == 0 or told else [f"the first run ends with {status}: {said[-2000:]}"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
