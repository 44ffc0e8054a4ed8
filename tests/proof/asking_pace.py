"""How fast a model behind an endpoint is asked, and what it costs: against a bare loop, and as the clips grow.

    requests at full pace   50 ms and 64 places, no pictures: at least 90% of the requests of a bare loop over httpx
    memory and own cost     the peak does not grow with the clips, from 500 to 2,000; a request without pictures takes
                            at most 2 ms of processor time, httpx included

What is worse is a disagreement. Run from the repository root: `python -m tests.proof.asking_pace [--scale 1]`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.proof.table import Row, main, report, tries
from tests.proof.tally import Tally
from tests.support import ROOT
from tests.support.asking import MODEL, SIZE, Ended, Place, ask, expect, places
from tests.support.fault_server import Script, log_lines, started

PART = "asking_pace"
CLIPS, TURNS = 2_000, 5
LATENCY_MS, PLACES = 50, 64
SHARE, OWN_MS, GROWTH = 0.9, 2.0, 1.1
PATIENT, BLIND = ("--deadline", "120"), ("--option", "frames=0")
BARE = "--bare"


def at_full_pace(place: Place, requests: int, work: Path) -> Row:
    """Compare the requests a second of a run with those of a bare loop over httpx, in turns.

    Neither sends pictures: to draw, read and encode them is work of its own, which is measured once and not judged.
    """
    tally, body, shares = Tally(PART, "requests at full pace"), work / "body.json", []
    body.write_text(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": []}]}))
    limit = ("--limit", str(requests))

    def rate(name: str, run: Callable[[str], object]) -> float:
        log = work / f"{name}.jsonl"
        with started(Script(latency_ms=LATENCY_MS, places=PLACES, log=str(log)), work) as url:
            run(url)
        return _rate([line for line in log_lines(log) if "fault" in line][-requests:])

    def asked(name: str, *words: str) -> float:
        words = (*PATIENT, *limit, *words)
        return rate(name, lambda url: expect(ask(place, url, name, *words, connections=PLACES)))

    def send(url: str) -> None:
        words = [sys.executable, "-m", "tests.proof.asking_pace", BARE, url, str(requests), str(body)]
        subprocess.run(words, check=True, cwd=ROOT)

    for turn in range(TURNS):
        most = rate(f"bare-{turn}", send)
        own = asked(f"asked-{turn}", *BLIND)
        report(PART, f"{most:.0f} requests a second by a bare loop, {own:.0f} asked")
        shares.append(own / most)
    report(PART, f"{asked('with-pictures'):.0f} a second with 8 pictures of {SIZE} pixels")
    if (share := statistics.median(shares)) < SHARE:
        tally.differs("pace", f"{share:.0%} of a bare loop's requests")
    tally.tried = TURNS * requests
    return tally.row()


def _rate(lines: Sequence[Mapping[str, Any]]) -> float:
    """Return the requests a second, without the first and the last tenth of them."""
    times = sorted(line["at"] for line in lines)
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / (times[last] - times[first])


async def bare(url: str, requests: int, body: Path) -> None:
    """Send so many requests by httpx alone, as many at once as the server has places.

    Each place has a client of its own, which is the fastest way: one for all looks at each connection for each request.
    """
    import httpx

    numbers, fields, context = iter(range(requests)), json.loads(body.read_text()), httpx.create_ssl_context()

    async def work() -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False, verify=context, timeout=60) as client:
            for number in numbers:
                reply = await client.post("/chat/completions", json=fields | {"seed": number})
                reply.raise_for_status()

    await asyncio.gather(*(work() for _ in range(PLACES)))


def memory_and_cost(place: Place, work: Path) -> Row:
    """Compare a quarter of the clips with all: peak memory, and processor time a request without pictures."""
    tally, few, clips = Tally(PART, "memory and own cost"), len(place.clips) // 4, len(place.clips)

    def ended(url: str, name: str, *words: str) -> Ended:
        found = ask(place, url, name, *PATIENT, *words)
        expect(found)
        return found

    with started(Script(), work) as url:
        peaks = [ended(url, "seen-few", "--limit", str(few)).peak_mb, ended(url, "seen").peak_mb]
        times = [ended(url, "blind-few", *BLIND, "--limit", str(few)), ended(url, "blind", *BLIND)]
    own_ms = (times[1].processor_s - times[0].processor_s) * 1000 / (clips - few)
    report(PART, f"peak of {few:,} clips {peaks[0]} MiB, of {clips:,} {peaks[1]} MiB; {own_ms:.2f} ms a request")
    if peaks[1] > GROWTH * peaks[0]:
        tally.differs("memory", f"{peaks[1]} MiB, {peaks[0]} MiB for a quarter of the clips")
    if own_ms > OWN_MS:
        tally.differs("own cost", f"{own_ms:.2f} ms of processor time a request")
    tally.tried = 4
    return tally.row() | {"peak_mb": peaks[1]}


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for pace and one for memory; nothing here is random."""
    with places(tries(CLIPS, scale)) as (place, work):
        return [at_full_pace(place, len(place.clips), work), memory_and_cost(place, work)]


if __name__ == "__main__":
    if sys.argv[1:2] == [BARE]:
        asyncio.run(bare(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
    else:
        raise SystemExit(main(PART, run))
