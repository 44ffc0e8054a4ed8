"""A model behind an endpoint that fails in every way: no answer is lost, paid for twice, mixed up or invented.

The server is `tests.support.fault_server`; an answer that it gives is made of the pictures that it was sent, so that it
fits one clip alone. The commands are `harness predict`, started as processes (tests/support/asking.py). A row for each
kind of try:

    clips through faults and kills   2,000 clips, a third of all requests fail, and the command is killed 20 times by
                                     SIGKILL at random moments and run again: what was kept is never asked again, no
                                     clip is without its line, each line is what the server said about that clip
    faults, each alone               one fault a run, for every clip once, then the same command again
    faults that meet the canary      one fault for each request from the first on

No file that a run leaves, and nothing that it prints, holds the key, which the server repeats wherever it can.

Run from the repository root: `python -m tests.proof.endpoints [--scale 1] [--seed 1]`. Exit code 1 where something is
counted: lost, repeated and mixed clips and invented answers as disagreements, files with the key as torn ones.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.proof.table import Row, main, report, tries
from tests.proof.tally import Tally
from tests.support.asking import (
    DEADLINE_S,
    ENTRY,
    KEY,
    WHOLE,
    Ended,
    Place,
    ask,
    check_end,
    check_secrets,
    command,
    finish,
    is_running,
    kept,
    places,
    start,
)
from tests.support.fault_answers import FAULTS, answer_of
from tests.support.fault_server import Script, log_lines, started

PART = "endpoints"
CLIPS, KILLS = 2_000, 20
STARTS = 16
"""Starts after the last kill, before a run counts as one that never ends."""
AT_ONCE = 4
"""Runs with one fault at once: most of their time they wait."""
CANARY, FEW = 12, 12
"""Requests that no canary exceeds, and clips of a run with one fault."""
A_LINE = 400
"""Bytes of a request in the server's log."""

RIGHT = {"", "close", "drip", "fence", "reasoning", "no usage", "echo in an answer", "400 for a format"}
RIGHT |= {"400 for a schema"}
"""Faults with which an answer is right all the same."""
SAYS_NOTHING = {"garbage", "prose", "empty", "null"}
"""Faults that are an answer without an answer."""
SEEN = {"swapped", "last pictures", "blind"}
"""Faults that no single reply shows, but the canary does."""
LIES = SEEN | {"unordered", "another model"}
"""Those, and faults that nothing shows where the server always has them."""
SHARES = {
    **dict.fromkeys(("429", "500", "reset", "429 in milliseconds"), 0.03),
    **dict.fromkeys(("502", "503", "half", "html", "close", "fence", "reasoning", "echo", "cut JSON"), 0.015),
    **dict.fromkeys(("408", "409", "425", "529", "429 until a reset", "429 in nonsense", "no choices"), 0.006),
    **dict.fromkeys(("error with 200", "error that is no object", "bytes", "no usage", "echo in headers"), 0.006),
    **dict.fromkeys(("garbage", "prose", "empty", "null", "echo in an answer"), 0.006),
    **dict.fromkeys(("cut off", "filtered", "declined", "whitespace"), 0.004),
    **dict.fromkeys(("hang", "drip", "long error", "429 in seconds", "429 until a date"), 0.002),
}
"""Faults of the run with kills: all that do not end a run."""


class Start(NamedTuple):
    """One start of a run that is killed: when it had ended, and the lines that were kept by then."""

    at: float
    lines: dict[str, dict[str, Any]]
    ended: Ended


def check_lines(
    tally: Tally, place: Place, lines: Mapping[str, dict[str, Any]], asked: Sequence[dict[str, Any]]
) -> None:
    """Count lines that the server did not say about their clip."""
    faults: dict[str, set[str]] = {}
    for request in asked:
        faults.setdefault(request.get("pictures", ""), set()).add(request.get("fault", ""))
    for clip_id, line in lines.items():
        digest = place.digests[clip_id]
        got, right = faults.get(digest, set()), answer_of(digest)
        if line["source"] == "fallback":
            if not got & SAYS_NOTHING:
                tally.differs(clip_id, f"a fallback, though the server answered ({', '.join(sorted(got))})")
        elif {name: line[name] for name in right} != right:
            tally.differs(clip_id, f"{line}, the server said {right} ({', '.join(sorted(got))})")
        elif not got & RIGHT:
            tally.differs(clip_id, f"an answer that the server never gave ({', '.join(sorted(got))})")


def through_kills(place: Place, seed: int, kills: int) -> Row:
    """Ask through faults, killed and run again, until the entry is whole."""
    tally, folder = Tally(PART, "clips through faults and kills"), place.folder
    draw, log, said = random.Random(seed), folder.with_name("kills.jsonl"), folder / "kills.out"
    entry, starts = folder / ENTRY, list[Start]()
    script = Script(seed=seed, faults=SHARES, hang_s=2 * DEADLINE_S, log=str(log), key=KEY)
    with started(script, folder.parent) as url:
        while len(starts) < kills + STARTS and not (starts and starts[-1].ended.status == WHOLE):
            process, to_go = start(command(url), folder, said), kills - len(starts)
            if to_go > 0:
                _wait(process, log, draw, (len(place.clips) - len(kept(entry))) / (to_go + 1))
                os.kill(process.pid, signal.SIGKILL)
            ended = finish(process, said)
            if ended.status != -signal.SIGKILL:
                check_end(tally, ended)
            starts.append(Start(time.time(), kept(entry), ended))
    asked, lines = log_lines(log), kept(entry)
    _check_repeats(tally, place, asked, starts)
    check_lines(tally, place, lines, asked)
    if starts[-1].ended.status != WHOLE:
        tally.differs("the run", f"not whole after {len(starts)} starts: {starts[-1].ended.said[-2000:]}")
    for clip_id in set(place.clips) - lines.keys():
        tally.differs(clip_id, "is lost")
    check_secrets(tally, folder)
    faults = Counter(line.get("fault", "") for line in asked)
    killed = sum(one.ended.status == -signal.SIGKILL for one in starts)
    failed = f"{sum(faults.values()) - faults['']:,} of {len(asked):,} requests failed in {len(faults) - 1} ways"
    report(PART, f"{failed}; {killed} kills, {len(starts)} starts")
    tally.tried = len(place.clips)
    return tally.row()


def _wait(process: subprocess.Popen[bytes], log: Path, draw: random.Random, share: float) -> None:
    """Wait for a random moment: while Python starts, or after some requests, `share` of them on average."""
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0, 2))
        return
    end = log.stat().st_size + draw.uniform(0, 2 * share) * A_LINE
    while is_running(process) and log.stat().st_size < end:
        time.sleep(0.003)
    time.sleep(draw.uniform(0, 0.05))


def _check_repeats(tally: Tally, place: Place, asked: Sequence[dict[str, Any]], starts: Sequence[Start]) -> None:
    """Count clips that were asked about by a process that began after their line was kept, and lines that changed."""
    clip_of = {digest: clip_id for clip_id, digest in place.digests.items()}
    kept_at: dict[str, float] = {}
    for one in starts:
        kept_at = dict.fromkeys(one.lines, one.at) | kept_at
    for request in asked:
        clip_id = clip_of.get(request.get("pictures", ""), "")
        if request.get("text") == place.text and request["connected"] > kept_at.get(clip_id, float("inf")):
            tally.differs(clip_id, f"is asked about again, {request}")
    for earlier, later in itertools.pairwise(starts):
        for clip_id, line in earlier.lines.items():
            if later.lines.get(clip_id) != line:
                tally.differs(clip_id, "the line that was kept is another one, or gone, at a later start")


def each_fault_alone(place: Place, chosen: Sequence[str], work: Path) -> Row:
    """Give every clip a fault once, after the canary, and run the same command until the entry is whole."""
    tally = Tally(PART, "faults, each alone")

    def one(fault: str) -> None:
        name, log = f"alone-{fault.replace(' ', '-')}", work / f"alone-{fault}.jsonl"
        script = Script(faults={fault: 1.0}, most=1, first=("",) * CANARY, hang_s=2 * DEADLINE_S, log=str(log), key=KEY)
        with started(script, Path(tempfile.mkdtemp(dir=work))) as url:
            for _ in range(STARTS):
                ended = ask(place, url, name, "--limit", str(FEW))
                check_end(tally, ended)
                if fault not in LIES:
                    check_lines(tally, place, kept(place.folder / name), log_lines(log))
                if ended.status == WHOLE:
                    return
        tally.differs(fault, f"not whole after {STARTS} starts: {ended.said[-1000:]}")

    return _each(one, tally, place, chosen)


def faults_for_the_canary(place: Place, chosen: Sequence[str], work: Path) -> Row:
    """Give every request a fault, from the first on: a run may refuse or fail, but invents nothing."""
    tally = Tally(PART, "faults that meet the canary")

    def one(fault: str) -> None:
        name, log = f"first-{fault.replace(' ', '-')}", work / f"first-{fault}.jsonl"
        script = Script(faults={fault: 1.0}, most=None, hang_s=2 * DEADLINE_S, log=str(log), key=KEY)
        with started(script, Path(tempfile.mkdtemp(dir=work))) as url:
            ended = ask(place, url, name, "--limit", "4")
        check_end(tally, ended)
        if fault not in LIES:
            check_lines(tally, place, kept(place.folder / name), log_lines(log))
        if ended.status == WHOLE and fault not in RIGHT | SAYS_NOTHING | (LIES - SEEN):
            tally.differs(fault, f"ends well: {ended.said[-1000:]}")

    return _each(one, tally, place, chosen)


def _each(one: Callable[[str], None], tally: Tally, place: Place, chosen: Sequence[str]) -> Row:
    """Try each fault, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, chosen))
    check_secrets(tally, place.folder)
    tally.tried = len(chosen)
    return tally.row()


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each kind of try."""
    names = sorted(FAULTS)
    chosen = random.Random(seed).sample(names, tries(len(names), scale))
    with places(tries(CLIPS, scale)) as (place, work):
        rows = [through_kills(place, seed, tries(KILLS, scale))]
        return [*rows, each_fault_alone(place, chosen, work), faults_for_the_canary(place, chosen, work)]


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
