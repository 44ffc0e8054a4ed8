"""A model behind an endpoint that fails in every way: no answer is lost, paid for twice, mixed up or invented.

The server is `tests.support.fault_server`; an answer that it gives is made of the pictures that it was sent, so that it
fits one clip alone. The commands are `harness predict`, started as processes. Five kinds of try, a row each:

    clips through faults and kills   2,000 clips, a third of all requests fail, and the command is killed 20 times by
                                     SIGKILL at random moments and run again: what was kept is never asked again, no
                                     clip is without its line, each line is what the server said about that clip
    faults, each alone               one fault a run, for every clip once, then the same command again
    faults that meet the canary      one fault for each request from the first on
    requests at full pace            50 ms and 64 places: at least 90% of the requests of a bare loop over httpx
    memory and own cost              peak of 500 and of 2,000 clips; at most 2 ms of processor time a request without
                                     pictures, httpx included

No file that a run leaves, and nothing that it prints, holds the key, which the server repeats wherever it can.

Run from the repository root: `python -m tests.proof.endpoints [--scale 1] [--seed 1]`. Exit code 1 where something is
counted: lost, repeated and mixed clips, invented answers and pace as disagreements, secrets as torn files.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.proof.table import Row, main, report, row, tries
from tests.support import ROOT, hand
from tests.support.fault_answers import FAULTS, answer_of, text_of
from tests.support.fault_server import Script, log_lines, started

PART = "endpoints"
CLIPS, KILLS, WORKERS = 2_000, 20, 2
AT_ONCE = 4
"""Runs with one fault at once: most of their time they wait."""
A_SESSION = 20
SIZE = 64
KEY = "sk-proof-0123456789abcdefghijklmnopqrstuv"
MODEL, WORLD = "fault-vlm", "many.toml"
ENTRY = "entry"
CONNECTIONS = 16
DEADLINE_S = 8
STARTS = 16
"""Starts after the last kill, before a run counts as one that never ends."""
CANARY, FEW = 12, 12
"""Requests that no canary exceeds, and clips of a run with one fault."""
LIMIT_S = 300
"""A command that takes longer hangs: it is ended, by a signal that counts as a crash."""
SHARE, OWN_MS = 0.9, 2.0
LATENCY_MS, PLACES = 50, 64
WHOLE, INCOMPLETE = 0, 3
DOCUMENTED = (WHOLE, 1, 2, INCOMPLETE)

RIGHT = {"", "close", "drip", "fence", "reasoning", "no usage", "echo in an answer", "400 for a format"}
RIGHT |= {"400 for a schema"}
"""Faults with which an answer is right all the same."""
SAYS_NOTHING = {"garbage", "prose", "empty", "null"}
"""Faults that are an answer without an answer."""
LIES = {"swapped", "other pictures", "blind", "unordered", "another model"}
"""Faults that only the canary, or nothing, can see in one request."""
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


class Kind(NamedTuple):
    """Counts of one kind of try."""

    what: str
    counts: Counter[str]

    def differs(self, words: str) -> None:
        """Count a disagreement."""
        self.counts["disagreements"] += 1
        report(PART, f"{self.what}: {words}")

    def row(self, **counts: int) -> Row:
        return row(f"asking: {self.what}", **{**self.counts, **counts})


class Place(NamedTuple):
    """A world whose pictures are drawn, and what an undisturbed run made of it."""

    folder: Path
    clips: tuple[str, ...]
    digests: Mapping[str, str]  # clip id -> of its pictures, as the server saw them
    text: str  # digest of the prompt
    lines: Mapping[str, dict[str, Any]]


class Ended(NamedTuple):
    """A command that ended."""

    status: int
    said: str
    peak_mb: int
    processor_s: float


def start(words: Sequence[str], folder: Path, said: Path) -> subprocess.Popen[bytes]:
    """Start `harness` in a folder, with the key in its environment; what it prints goes to a file."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN", "_BASE_URL"))}
    environment = kept | {"HARNESS_HOME": "home", "PYTHONPATH": str(ROOT), "COLUMNS": "80", "OPENAI_API_KEY": KEY}
    with said.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words], cwd=folder, env=environment, stdout=out, stderr=out
        )


def is_running(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a command runs; one that has ended is left for `finish`, which asks how much memory it held."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def finish(process: subprocess.Popen[bytes], said: Path) -> Ended:
    """Wait for a command; return its status, all that its file holds, and its peak memory. One that hangs is ended."""
    limit = time.monotonic() + LIMIT_S
    while not (found := os.wait4(process.pid, os.WNOHANG))[0]:
        if time.monotonic() > limit:
            os.kill(process.pid, signal.SIGABRT)
            found = os.wait4(process.pid, 0)
            break
        time.sleep(0.01)
    _, status, usage = found
    process.returncode = os.waitstatus_to_exitcode(status)
    took = usage.ru_utime + usage.ru_stime
    return Ended(process.returncode, said.read_text(errors="replace"), usage.ru_maxrss >> 10, took)


def command(url: str, entry: str = ENTRY, *words: str, connections: int = CONNECTIONS) -> list[str]:
    """Return the words of a run."""
    fixed = ["predict", "--model", f"openai:{MODEL}", "--url", url, "-o", entry, "--world", WORLD]
    fixed += ["--no-score", "--max-failures", "1000000"]
    if "frames=0" not in words:
        fixed += ["--frames", "pictures", "--option", f"size={SIZE}"]
    return [*fixed, "--connections", str(connections), "--deadline", str(DEADLINE_S), *words]


def prepare(folder: Path, clips: int) -> Place:
    """Draw a world of about so many clips, and ask an honest server about one clip after the other.

    With one connection the requests come in the order of the clips, which tells whose pictures each one holds.
    """
    sessions = max(2, -(-clips // A_SESSION))
    text = hand.tiny_world().replace("sessions = 6\nclips = 4", f"sessions = {sessions}\nclips = {A_SESSION}")
    (folder / WORLD).write_text(text.replace('name = "tiny"', 'name = "many"'), encoding="utf-8")
    drawn = ["world", "render", WORLD, "--size", str(SIZE), "-o", "pictures", "--workers", str(WORKERS)]
    _expect(finish(start(drawn, folder, folder / "render.out"), folder / "render.out"))
    log = folder.with_name("honest.jsonl")
    with started(Script(log=str(log)), folder.parent) as url:
        said = folder / "honest.out"
        _expect(finish(start(command(url, "honest", connections=1), folder, said), said))
    lines = lines_of(folder / "honest" / "predictions.jsonl")
    asked = log_lines(log)
    prompt = Counter(line["text"] for line in asked if "text" in line).most_common(1)[0][0]
    digests = [line["pictures"] for line in asked if line.get("text") == prompt][-len(lines) :]
    if len(set(digests)) != len(lines) or [text_of(digest) for digest in digests] != [
        line.get("raw_output") for line in lines.values()
    ]:
        raise RuntimeError("with one connection, the requests do not come in the order of the clips")
    return Place(folder, tuple(lines), dict(zip(lines, digests, strict=True)), prompt, lines)


def _expect(ended: Ended) -> None:
    if ended.status != WHOLE:
        raise RuntimeError(f"a command ends with {ended.status}: {ended.said[-3000:]}")


def lines_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the whole prediction lines in a file by clip id; none where there is no file."""
    with contextlib.suppress(FileNotFoundError):
        found = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        return {line["clip_id"]: line for line in found}
    return {}


def kept(entry: Path) -> dict[str, dict[str, Any]]:
    """Return the lines that an entry holds, finished or not."""
    return lines_of(entry / "predictions.jsonl.part") | lines_of(entry / "predictions.jsonl")


def check_lines(kind: Kind, place: Place, lines: Mapping[str, dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """Count lines that the server did not say about their clip."""
    faults: dict[str, set[str]] = {}
    for request in asked:
        faults.setdefault(request.get("pictures", ""), set()).add(request.get("fault", ""))
    for clip_id, line in lines.items():
        digest = place.digests[clip_id]
        got, right = faults.get(digest, set()), answer_of(digest)
        if line["source"] == "fallback":
            if not got & SAYS_NOTHING:
                kind.differs(f"{clip_id}: a fallback, though the server answered ({', '.join(sorted(got))})")
        elif {name: line[name] for name in right} != right:
            kind.differs(f"{clip_id}: {line}, the server said {right} ({', '.join(sorted(got))})")
        elif not got & RIGHT:
            kind.differs(f"{clip_id}: an answer that the server never gave ({', '.join(sorted(got))})")


def check_secrets(kind: Kind, folder: Path) -> None:
    """Count files that hold the key."""
    for path in folder.rglob("*"):
        if path.is_file() and KEY.encode() in path.read_bytes():
            kind.counts["torn"] += 1
            report(PART, f"{kind.what}: {path} holds the key")


def check_end(kind: Kind, ended: Ended) -> None:
    """Count a traceback, or a status that is not documented."""
    if ended.status not in DOCUMENTED or "Traceback" in ended.said:
        kind.counts["crashes"] += 1
        report(PART, f"{kind.what}: ends with {ended.status}: {ended.said[-3000:]}")


def through_kills(place: Place, seed: int, kills: int) -> Row:
    """Ask through faults, killed and run again, until the entry is whole."""
    kind, folder = Kind("clips through faults and kills", Counter()), place.folder
    draw, log, said = random.Random(seed), folder.with_name("kills.jsonl"), folder / "kills.out"
    entry, before = folder / ENTRY, list[tuple[float, dict[str, dict[str, Any]]]]()
    script = Script(seed=seed, faults=SHARES, hang_s=2 * DEADLINE_S, log=str(log), key=KEY)
    starts, ended = 0, None
    with started(script, folder.parent) as url:
        while (ended is None or ended.status != WHOLE) and starts < kills + STARTS:
            process = start(command(url), folder, said)
            left = kills - starts
            if left > 0:
                _wait(process, log, draw, len(place.clips) - len(kept(entry)), left)
                os.kill(process.pid, signal.SIGKILL)
            ended = finish(process, said)
            if ended.status != -signal.SIGKILL:
                check_end(kind, ended)
            before.append((time.time(), kept(entry)))
            starts += 1
    asked = log_lines(log)
    _check_repeats(kind, place, asked, before)
    lines = kept(entry)
    check_lines(kind, place, lines, asked)
    if ended is None or ended.status != WHOLE:
        kind.differs(f"not whole after {starts} starts: {ended.said[-2000:] if ended else ''}")
    for clip_id in [clip_id for clip_id in place.clips if clip_id not in lines]:
        kind.differs(f"{clip_id} is lost")
    check_secrets(kind, folder)
    faults = Counter(line.get("fault", "") for line in asked)
    failed = f"{sum(faults.values()) - faults['']:,} of {len(asked):,} requests failed in {len(faults) - 1} ways"
    report(PART, f"{failed}; {kills} kills, {starts} starts")
    return kind.row(tried=len(place.clips))


def _wait(process: subprocess.Popen[bytes], log: Path, draw: random.Random, left: int, kills: int) -> None:
    """Wait for a random moment: while Python starts, or after some requests that leave work for the other kills."""
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0, 2))
        return
    begun, more = log.stat().st_size, draw.uniform(0, 2 * left / (kills + 1))
    a_line = 400
    while is_running(process) and log.stat().st_size < begun + more * a_line:
        time.sleep(0.003)
    time.sleep(draw.uniform(0, 0.05))


def _check_repeats(
    kind: Kind, place: Place, asked: Sequence[dict[str, Any]], before: Sequence[tuple[float, dict[str, dict[str, Any]]]]
) -> None:
    """Count clips that were asked about by a process that began after their line was kept, and lines that changed."""
    clip_of = {digest: clip_id for clip_id, digest in place.digests.items()}
    first_kept: dict[str, float] = {}
    for at, lines in before:
        for clip_id in lines:
            first_kept.setdefault(clip_id, at)
    for request in asked:
        clip_id = clip_of.get(request.get("pictures", ""))
        if clip_id is None or request.get("text") != place.text:
            continue
        if request["connected"] > first_kept.get(clip_id, float("inf")):
            kind.differs(f"{clip_id} is asked about again, {request}")
    for (_, earlier), (_, later) in itertools.pairwise(before):
        for clip_id, line in earlier.items():
            if later.get(clip_id) != line:
                kind.differs(f"{clip_id}: the line that was kept is another one, or gone, at a later start")


def each_fault_alone(place: Place, chosen: Sequence[str], work: Path) -> Row:
    """Give every clip a fault once, after the canary; run the same command again, and compare with the undisturbed."""
    kind = Kind("faults, each alone", Counter())

    def one(fault: str) -> None:
        name = fault.replace(" ", "-")
        log, said, entry = work / f"{name}.jsonl", place.folder / f"{name}.out", place.folder / f"alone-{name}"
        script = Script(faults={fault: 1.0}, most=1, first=("",) * CANARY, hang_s=2 * DEADLINE_S, log=str(log), key=KEY)
        few = ("--limit", str(FEW))
        own = Path(tempfile.mkdtemp(dir=work))
        with started(script, own) as url:
            for _ in range(STARTS):
                ended = finish(start(command(url, entry.name, *few), place.folder, said), said)
                check_end(kind, ended)
                asked = log_lines(log)
                if fault not in LIES:
                    check_lines(kind, place, kept(entry), asked)
                if ended.status == WHOLE:
                    break
            else:
                kind.differs(f"{fault}: not whole after {STARTS} starts: {ended.said[-1000:]}")
        kind.counts["tried"] += 1

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, chosen))
    check_secrets(kind, place.folder)
    return kind.row()


def faults_for_the_canary(place: Place, chosen: Sequence[str], work: Path) -> Row:
    """Give every request a fault, from the first on: a run may refuse or fail, but invents nothing."""
    kind = Kind("faults that meet the canary", Counter())

    def one(fault: str) -> None:
        name = fault.replace(" ", "-")
        log, said, entry = (
            work / f"first-{name}.jsonl",
            place.folder / f"first-{name}.out",
            place.folder / f"first-{name}",
        )
        script = Script(faults={fault: 1.0}, most=None, hang_s=2 * DEADLINE_S, log=str(log), key=KEY)
        own = Path(tempfile.mkdtemp(dir=work))
        with started(script, own) as url:
            words = command(url, entry.name, "--limit", "4")
            ended = finish(start(words, place.folder, said), said)
        check_end(kind, ended)
        if fault not in LIES:
            check_lines(kind, place, kept(entry), log_lines(log))
        if ended.status == WHOLE and fault not in RIGHT | SAYS_NOTHING | LIES:
            kind.differs(f"{fault}: ends well: {ended.said[-1000:]}")
        kind.counts["tried"] += 1

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, chosen))
    check_secrets(kind, place.folder)
    return kind.row()


def at_full_pace(place: Place, requests: int, work: Path) -> Row:
    """Compare the requests a second of a run with those of a bare loop over httpx, in turns."""
    kind = Kind("requests at full pace", Counter())
    body = _body(place)
    shares = []
    for turn in range(3):
        rates = []
        for way in ("bare", "asked"):
            log = work / f"pace-{way}-{turn}.jsonl"
            script = Script(latency_ms=LATENCY_MS, places=PLACES, log=str(log))
            with started(script, work) as url:
                if way == "bare":
                    code = [sys.executable, "-m", "tests.proof.endpoints", "--bare", url, str(requests), str(body)]
                    subprocess.run(code, check=True, cwd=ROOT)
                else:
                    entry, said = f"pace-{turn}", place.folder / f"pace-{turn}.out"
                    words = command(url, entry, "--deadline", "120", "--limit", str(requests), connections=PLACES)
                    _expect(finish(start(words, place.folder, said), said))
            rates.append(_rate([line for line in log_lines(log) if line.get("count")]))
        report(PART, f"{rates[0]:.0f} requests a second by a bare loop, {rates[1]:.0f} asked")
        shares.append(rates[1] / rates[0])
    if (share := statistics.median(shares)) < SHARE:
        kind.differs(f"{share:.0%} of a bare loop's requests")
    return kind.row(tried=3 * requests)


def _body(place: Place) -> Path:
    """Write the body of a request of the same size, for the bare loop, and return its path."""
    from tests.support.fault_answers import data_url

    row_ = json.loads((place.folder / "pictures" / "clips.jsonl").open().readline())
    urls = [data_url((place.folder / "pictures" / name).read_bytes()) for name in row_["frames"]]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls] + [
        {"type": "text", "text": row_["prompt"]}
    ]
    path = place.folder.with_name("body.json")
    path.write_text(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": parts}]}))
    return path


def _rate(lines: Sequence[Mapping[str, Any]]) -> float:
    """Return the requests a second, without the first and the last tenth of them."""
    times = sorted(line["at"] for line in lines)
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / (times[last] - times[first])


async def bare(url: str, requests: int, body: Path) -> None:
    """Send so many requests by httpx alone, as many at once as the server has places."""
    import httpx

    numbers, fields = iter(range(requests)), json.loads(body.read_text())
    limits = httpx.Limits(max_connections=PLACES, max_keepalive_connections=PLACES)

    async def work(client: httpx.AsyncClient) -> None:
        for number in numbers:
            reply = await client.post("/chat/completions", json=fields | {"seed": number})
            reply.raise_for_status()

    async with httpx.AsyncClient(base_url=url, trust_env=False, limits=limits, timeout=60) as client:
        await asyncio.gather(*(work(client) for _ in range(PLACES)))


def memory_and_cost(place: Place, work: Path) -> Row:
    """Compare a quarter of the clips with all: peak memory, and processor time a request without pictures."""
    kind, few, clips = Kind("memory and own cost", Counter()), len(place.clips) // 4, len(place.clips)

    def ended(url: str, name: str, *words: str) -> Ended:
        said = place.folder / f"{name}.out"
        found = finish(start(command(url, name, *words), place.folder, said), said)
        _expect(found)
        return found

    with started(Script(), work) as url:
        peaks = [ended(url, "memory-few", "--limit", str(few)).peak_mb, ended(url, "memory-all").peak_mb]
        blind = ("--option", "frames=0")
        times = [ended(url, "blind-few", *blind, "--limit", str(few)), ended(url, "blind-all", *blind)]
    own_ms = (times[1].processor_s - times[0].processor_s) * 1000 / (clips - few)
    report(PART, f"peak of {few:,} clips {peaks[0]} MiB, of {clips:,} {peaks[1]} MiB; {own_ms:.2f} ms a request")
    if peaks[1] > 1.1 * peaks[0]:
        kind.differs(f"{peaks[1]} MiB, {peaks[0]} MiB for a quarter of the clips")
    if own_ms > OWN_MS:
        kind.differs(f"{own_ms:.2f} ms of processor time a request")
    return kind.row(tried=4, peak_mb=peaks[1])


@contextlib.contextmanager
def places(clips: int) -> Iterator[tuple[Place, Path]]:
    """Yield a world of about so many clips, and a folder for logs beside it; both are removed."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "run"
        folder.mkdir()
        yield prepare(folder, clips), Path(work)


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each kind of try; pace and memory are measured at full size alone."""
    draw = random.Random(seed)
    names = sorted(FAULTS)
    chosen = draw.sample(names, tries(len(names), scale))
    with places(tries(CLIPS, scale)) as (place, work):
        rows = [through_kills(place, seed, tries(KILLS, scale))]
        rows += [each_fault_alone(place, chosen, work), faults_for_the_canary(place, chosen, work)]
        if scale >= 1:
            rows += [at_full_pace(place, len(place.clips) // 2, work), memory_and_cost(place, work)]
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        asyncio.run(bare(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
    else:
        raise SystemExit(main(PART, run))
