"""Commands killed at random moments: the next run must give what a run that nothing interrupted gives.

Each case of `tests.support.kills` is started as a process of its own in a fresh folder, ended by SIGKILL or SIGTERM (to
that process alone, not to its workers) at a random moment, and run again. Counted are crashes (a traceback, or a second
run that fails), files that are half written under their final name, processes that are still there `PATIENCE_S` after
the kill, temporary files after the second run, and files of the second run that differ.

Run from the repository root: `python -m tests.proof.kills [--scale 1] [--seed 1]`. Exit code 1 where one is counted;
the table counts files of another content as disagreements, and survivors and temporary files as torn ones.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.proof.table import Row, main, report, row, tries
from tests.support import ROOT, kills
from tests.support.kills import Case

KILLS, WORKERS = 200, 2
QUICK = ("score", "import", "predict", "leaderboard", "report")
TURN = (*QUICK, "render", *QUICK, "seal")
"""Order of the commands: those that draw with workers take several times as long as the others."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
ENDS = (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, -signal.SIGINT)
"""Statuses of a first run. Python itself ends by SIGINT where the interrupt came while it executed a text (a dataclass
is made of one), though it was handled."""
EARLIEST, LATEST = 0.2, 1.05
"""Moment of the kill as a share of the time that the whole command took: before it, Python still starts."""
PATIENCE_S = 10.0


class Kill(NamedTuple):
    """What one kill led to: counts (crashes, torn files ...), and sentences about them."""

    case: str
    running: bool  # the command had not ended before
    counts: Counter[str]
    details: list[str]


class Whole(NamedTuple):
    """A run that nothing interrupted: its outputs, what it said, and how long it took."""

    outputs: dict[str, bytes]
    said: str
    seconds: float


def start(case: Case, folder: Path) -> subprocess.Popen[str]:
    """Start a command in a folder, in a process group of its own; what it prints goes to files beside the folder."""
    command = [sys.executable, "-m", "harness", *case.words]
    environment = os.environ | {"HARNESS_HOME": "home", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    with folder.with_suffix(".out").open("w") as out:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def finish(case: Case, folder: Path) -> tuple[int, str]:
    """Run a command to its end; return its status and what it said."""
    return start(case, folder).wait(), folder.with_suffix(".out").read_text(errors="replace")


def undisturbed(name: str, case: Case, template: Path, work: Path) -> Whole:
    """Run a case twice, in two folders; the outputs must not depend on the folder. Raises RuntimeError."""
    found = []
    for number in range(2):
        folder = shutil.copytree(template, work / f"{name}-whole-{number}")
        begun = time.monotonic()
        status, said = finish(case, folder)
        found.append(Whole(kills.outputs(folder), said, time.monotonic() - begun))
        if status:
            raise RuntimeError(f"{name} ends with {status}: {said}")
    if found[0].outputs != found[1].outputs:
        raise RuntimeError(f"{name}: two runs differ")
    return found[1]


def alive(group: int) -> list[int]:
    """Return the processes of a group that still run; one that has ended and waits for its parent does not."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def survivors(group: int) -> int:
    """Return how many processes of a group outlive their leader by more than PATIENCE_S, and end them."""
    limit = time.monotonic() + PATIENCE_S
    while (found := alive(group)) and time.monotonic() < limit:
        time.sleep(0.05)
    for process in found:
        os.kill(process, signal.SIGKILL)
    return len(found)


def kill(name: str, case: Case, whole: Whole, folder: Path, moment: float, number: int) -> Kill:
    """Run a case, kill it `moment` seconds later, look, run it again, and compare."""
    process = start(case, folder)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    status = process.wait()
    counts, details = Counter[str](), list[str]()
    said = folder.with_suffix(".out").read_text(errors="replace")
    if "Traceback" in said or status not in ENDS:
        counts["crashes"] += 1
        details.append(f"ends with {status}: {said[-2000:]}")
    counts["survivors"] = survivors(process.pid)
    torn = kills.torn(folder)
    outcome = kills.outcome(case, folder, *finish(case, folder), whole.outputs)
    counts["torn files"], counts["temporary files"] = len(torn), len(outcome.leftovers)
    counts["other files"] = len(outcome.changed)
    again = outcome._replace(changed=[], leftovers=[]).faults(case, whole.said)
    counts["crashes"] += len(again)
    details += [f"{path} is torn" for path in torn] + outcome._replace(said="", status=0).faults(case, "") + again
    shutil.rmtree(folder)
    return Kill(name, status != 0, counts, details)


def simulate(count: int, seed: int, work: Path) -> Iterator[Kill]:
    """Yield what each of `count` kills led to."""
    template, cases = kills.prepare(work / "template"), kills.cases(WORKERS)
    whole = {name: undisturbed(name, case, template, work) for name, case in cases.items()}
    draw = random.Random(seed)

    def one(task: tuple[int, float, int]) -> Kill:
        number, share, how = task
        name = TURN[number % len(TURN)]
        folder = shutil.copytree(template, work / f"{name}-{number}")
        return kill(name, cases[name], whole[name], folder, share * whole[name].seconds, how)

    tasks = [(number, draw.uniform(EARLIEST, LATEST), draw.choice(SIGNALS)) for number in range(count)]
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(one, tasks)


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for the kills of each command."""
    with tempfile.TemporaryDirectory() as work:
        found = list(simulate(tries(KILLS, scale), seed, Path(work)))
    for one in found:
        for detail in one.details:
            report("kills", f"{one.case}: {detail}")
    return [_row(name, [one for one in found if one.case == name]) for name in dict.fromkeys(one.case for one in found)]


def _row(name: str, found: list[Kill]) -> Row:
    total = sum((one.counts for one in found), Counter[str]())
    torn = total["torn files"] + total["temporary files"] + total["survivors"]
    counts = {"crashes": total["crashes"], "disagreements": total["other files"], "torn": torn}
    return row(f"kills of {name}", tried=len(found), **counts)


if __name__ == "__main__":
    raise SystemExit(main("kills", run))
