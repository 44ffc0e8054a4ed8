"""Questions in a provider's batches, submitted and collected through troubles, losses and kills, in both forms.

    batches, OpenAI's form         the submitter and the collector are killed (SIGKILL) at random moments, until 20
    batches, Anthropic's form      kills or until the entry is whole, while uploads and creations fail or lose their
                                   replies, a batch fails as a whole (OpenAI's form) or expires half done, rows are
                                   lost, and results come out of order, doubled, with strange ids

Counted at the provider: each question is answered in one batch, the last one that holds it; each that a batch lost is
in attempts.jsonl once. A line that was kept stays as it is, and the entry is that of single answers.

Run from the repository root: `python -m tests.proof.provider_batches [--scale 1] [--seed 1]`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.proof.table import Row, main, report, tries
from tests.proof.tally import Tally
from tests.support.asking import (
    MODEL,
    WHOLE,
    WORLD,
    Place,
    check_end,
    check_secrets,
    finish,
    is_running,
    kept,
    lines_of,
    places,
    start,
)
from tests.support.batch_provider import BatchScript
from tests.support.fault_server import log_lines, started

PART = "provider_batches"
FORMS = {"openai": "OpenAI's form", "anthropic": "Anthropic's form"}
CLIPS, KILLS, A_BATCH = 120, 20, 8
STARTS = 60
"""Starts after the last kill, before a run counts as one that never ends."""
TROUBLES = {"lost": 0.12, "500 done": 0.12, "500": 0.06, "429": 0.06, "reset": 0.06}
LOSSES = {"expired": 0.06, "cancelled": 0.04, "errored": 0.06, "refused": 0.04, "cut off": 0.04, "missing": 0.04}
MEASURED = ("latency_ms", "attempts", "wait_ms", "finish_reason")
SUBMIT, WAIT = "submit", "wait"
REQUESTS = 24
"""Requests after which a start is killed at the latest; the questions before a run are some of them."""


def command(form: str, url: str, way: str) -> list[str]:
    """Return the words of a start."""
    words = ["predict", "--model", f"{form}:{MODEL}", "--url", url, "-o", form, "--world", WORLD, "--no-score"]
    words += ["--key-env", "OPENAI_API_KEY", "--frames", "pictures", "--max-failures", "1000000", "--batch", way]
    options = {"size": 64, "requests_a_batch": A_BATCH, "settle": 0.5, "poll": 0.2}
    return words + [word for name, value in options.items() for word in ("--option", f"{name}={value}")]


def through_kills(place: Place, form: str, seed: int, kills: int) -> Row:
    """Submit and wait in turns, killed and started again, until the entry is whole."""
    tally, folder = Tally(PART, f"batches of a provider through kills, {FORMS[form]}"), place.folder
    draw, log, said = random.Random(f"{seed} {form}"), folder.with_name(f"{form}.jsonl"), folder / f"{form}.out"
    script = BatchScript(
        seed=seed,
        polls=1,
        troubles=TROUBLES,
        losses=LOSSES,
        fails=("token_limit_exceeded",) if form == "openai" else (),
        half=1,
        mess=True,
        a_page=100,
        log=str(log),
    )
    way, ends, entry, killed = SUBMIT, list[int](), folder / form, Counter[str]()
    with started(script, Path(tempfile.mkdtemp(dir=folder.parent)), "tests.support.batch_provider") as url:
        while len(ends) < kills + STARTS:
            before = kept(entry)
            process = start(command(form, url, way), folder, said)
            if killed.total() < kills:
                _wait(process, log, draw)
                os.kill(process.pid, signal.SIGKILL)
            ended = finish(process, said)
            ends.append(ended.status)
            _check_lines(tally, before, kept(entry))
            if ended.status != -signal.SIGKILL:
                check_end(tally, ended)
            if ended.status == WHOLE and way == WAIT:
                break
            if ended.status == -signal.SIGKILL:
                killed[way] += 1
                way = draw.choice((SUBMIT, WAIT))
            else:
                way = WAIT if way == SUBMIT else SUBMIT
        else:
            tally.differs("the run", f"not whole after {len(ends)} starts: {ended.said[-2000:]}")
    _check_batches(tally, entry, log)
    _check_answers(tally, place, entry)
    check_secrets(tally, entry)
    created = _created(log)
    troubles = Counter(line["fault"] for line in log_lines(log) if line.get("fault"))
    ways = ", ".join(f"{name} {number}" for name, number in troubles.most_common())
    kinds = f"{killed[SUBMIT]} kills of the submitter, {killed[WAIT]} of the collector"
    report(PART, f"{form}: {kinds}, {len(ends)} starts, {len(created)} batches; {ways}")
    tally.tried = len(place.clips)
    return tally.row()


def _wait(process: subprocess.Popen[bytes], log: Path, draw: random.Random) -> None:
    """Wait for a random moment: after some requests, or a little later."""
    end = len(log_lines(log)) + draw.randrange(REQUESTS)
    while is_running(process) and len(log_lines(log)) < end:
        time.sleep(0.005)
    time.sleep(draw.choice((0.0, draw.uniform(0, 0.02), draw.uniform(0, 0.5))))


def _created(log: Path) -> list[dict[str, Any]]:
    return [line for line in log_lines(log) if "batch" in line]


def _check_lines(tally: Tally, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Count lines that were kept and are gone, or others."""
    for clip_id, line in before.items():
        if after.get(clip_id) != line:
            tally.differs(clip_id, "the line that was kept is another one, or gone, after a later start")


def _check_batches(tally: Tally, entry: Path, log: Path) -> None:
    """Count questions that were submitted twice without need, and losses that attempts.jsonl does not hold once."""
    created, outcomes = _created(log), dict[str, list[str]]()
    for line in created:
        for digest, outcome in line["rows"].items():
            outcomes.setdefault(digest, []).append(outcome)
    for digest, found in outcomes.items():
        if found[-1] or not all(found[:-1]):
            tally.differs(digest, f"submitted {len(found)} times, with these losses: {found}")
    attempts = [json.loads(line) for line in (entry / "attempts.jsonl").read_text().splitlines()]
    written = Counter((attempt["clip_id"], attempt["batch"]) for attempt in attempts)
    lost = sum(bool(outcome) for found in outcomes.values() for outcome in found)
    if len(written) != lost or set(written.values()) - {1}:
        tally.differs("attempts.jsonl", f"{len(written)} losses in {len(attempts)} lines, {lost} at the provider")
    ids = tomllib.loads((entry / "card.toml").read_text())["run"]["batches"]["ids"]
    if sorted(ids) != sorted(line["batch"] for line in created):
        tally.differs("card.toml", f"{len(ids)} batches, {len(created)} at the provider")
    if left := sorted(path.name for path in entry.iterdir() if path.suffix not in (".toml", ".jsonl")):
        tally.tears(str(entry), f"holds {', '.join(left)}")


def _check_answers(tally: Tally, place: Place, entry: Path) -> None:
    """Count answers that are not those of single questions."""
    single, mine = (lines_of(folder / "predictions.jsonl") for folder in (place.folder / "honest", entry))
    for clip_id in place.clips:
        expected, found = _said(single[clip_id]), _said(mine.get(clip_id, {}))
        if expected != found:
            tally.differs(clip_id, f"{found}, by a single question {expected}")
    if list(mine) != [clip_id for clip_id in place.clips if clip_id in mine]:
        tally.differs("predictions.jsonl", "not in the order of the clips")


def _said(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line without what is measured, and without the reason to finish, which each form calls otherwise."""
    return {name: value for name, value in line.items() if name not in MEASURED}


def run(seed: int, scale: float, forms: Sequence[str] = tuple(FORMS)) -> list[Row]:
    """Return a row for each form."""
    # most of their time they wait
    with places(tries(CLIPS, scale)) as (place, _), ThreadPoolExecutor(len(forms)) as pool:
        return list(pool.map(lambda form: through_kills(place, form, seed, tries(KILLS, scale)), forms))


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
