"""Take attempts on a sealed split: one file of one entrant, compared with what stands under that name, and logged.

The log is the only memory: a line for each attempt with the session sums of its file, whether it took the place, and
what is then shown. The standing of an entrant is the last line of its name that did. One lock on the log spans reading,
deciding and writing, so that two processes cannot take the same attempt; lines are only ever added.

A file is the same again when its bytes and the way it is read are the same (adapter, clip map and so on). It is then
answered from the log and is no attempt. This must not depend on the truth: "equal sums" would tell whether a change
mattered.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import duckdb

from harness import disclosure
from harness.errors import UsageError
from harness.formatting import number, plural
from harness.rules import Weights
from harness.sealed import ladder
from harness.sealed.entrants import CAP, FILE, attempts_of
from reference.files import locked, sha256
from reference.home import make_private_folder
from reference.resources import sql
from reference.truth.origin import Seal

KEYS = {"name", "time", "sha256", "reading", "sums", "clips", "moved", "first", "needed", "shown"}
"""Keys of a line of the log; what lacks one is no line."""
LUCK_STEP = 0.005
"""Luck is rounded so, because it is made of files that did not move too, whose numbers stay here."""


@dataclass(frozen=True)
class Sums:
    """Right answers of each session, weighted by the integers of the score, and what they are divided by; both [G]."""

    right: list[int]
    clips: list[int]


def session_sums(answers: Path, weights: Weights) -> Sums:
    """Return the session sums of the checked answers of a score."""
    with duckdb.connect() as connection:
        rows = connection.execute(sql(__package__, "session_sums"), [str(answers)]).fetchall()
    whole = weights.integers()
    right = [sum(weight * n for weight, n in zip(whole, counts, strict=True)) for _, *counts in rows]
    return Sums(right, [clips * sum(whole) for clips, *_ in rows])


def attempt(record: dict[str, Any], sums: Sums, reading: dict[str, Any], entrant: str, seal: Seal) -> dict[str, Any]:
    """Compare a scored file with the entrant's standing, log it, and return what the entrant may see.

    `record`: the full score record; `sums`: of the same file; `reading`: how the file was read. Returns the public
    record of the file that stands, with `answer` (a sentence), `moved`, `repeated`, `sent`, `attempts`, `scorings` and
    the diagnosis of the file that was sent. Raises SubmissionError for too few answers, and UsageError for a stranger
    and where the attempts of the day are used up; then nothing is logged.
    """
    disclosure.check_answered(record)
    cap = attempts_of(entrant, seal)
    sent = {"sha256": record["submission"]["sha256"], "reading": _digest(reading)}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with locked_log(seal.log) as log:
        mine = [line for line in lines(seal.log) if line["name"] == entrant]
        known = next((line for line in mine if sent.items() <= line.items()), None)
        if known is None and _today(mine, now) >= cap:
            raise UsageError(_used_up(entrant, cap, now, seal))
        if known is None:
            standing, compared = _standing(mine)
            moved = standing is None or ladder.is_better(sums.right, standing["sums"], sums.clips, compared)
            shown = disclosure.public_record(record, seal.commitment, entrant) if moved else None
            outcome = {"moved": moved, "first": standing is None, "needed": round(ladder.errors_needed(compared), 1)}
            line = {"name": entrant, "time": now, **sent, "sums": sums.right, "clips": sums.clips, **outcome}
            append(log, line | {"shown": shown})
            mine.append(line | {"shown": shown})
    line, (standing, _) = known or mine[-1], _standing(mine)
    assert standing is not None
    return standing["shown"] | {
        "answer": _answer(line, standing["shown"]["metrics"]["score"], repeated=known is not None),
        "moved": line["moved"],
        "repeated": known is not None,
        "sent": {key: record["submission"][key] for key in ("sha256", "lines", "adapter")}
        | {"coverage": record["coverage"]},
        "diagnostics": record["diagnostics"],
        "attempts": {"today": _today(mine, now), "per_day": cap},
        "scorings": len(mine),
    }


def standings(log: Path) -> dict[str, dict[str, Any]]:
    """Return what is shown of each entrant, by name: the public record of the file that stands."""
    return {line["name"]: line["shown"] for line in lines(log) if line["moved"]}


def files_scored(log: Path) -> int:
    """Count the distinct files that were ever scored on the split."""
    return len({line["sha256"] for line in lines(log)})


def luck(log: Path) -> float | None:
    """Return what ladder.luck says of all files of the log, in steps of LUCK_STEP; None without a file."""
    found = list(lines(log))
    worth = ladder.luck([line["sums"] for line in found], found[0]["clips"]) if found else None
    return None if worth is None else round(round(worth / LUCK_STEP) * LUCK_STEP, disclosure.DIGITS)


@contextlib.contextmanager
def locked_log(path: Path) -> Iterator[IO[bytes]]:
    """Open a log to read and to add to, for this process alone; only its owner may read it."""
    make_private_folder(path.parent)
    path.touch(mode=0o600)
    with path.open("ab+") as file, locked(file):
        yield file


def append(log: IO[bytes], line: dict[str, Any]) -> None:
    """Add a line to a locked log, after the rest of one that a full disk cut, which counts for nothing."""
    end = log.seek(0, os.SEEK_END)
    log.seek(max(0, end - 1))
    cut = log.read(1) not in (b"", b"\n")
    log.write(b"\n" * cut + json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    log.flush()
    os.fsync(log.fileno())


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a log, oldest first; none where there is no log."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for text in file:
            with contextlib.suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict) and line.keys() >= KEYS:
                    yield line


def _standing(mine: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, int]:
    """Return the line of an entrant's file that stands, None before the first, and how many were compared with it."""
    for compared, line in enumerate(reversed(mine)):
        if line["moved"]:
            return line, compared
    return None, 0


def _today(mine: list[dict[str, Any]], now: str) -> int:
    """Count the attempts of the day, in UTC."""
    return sum(line["time"][:10] == now[:10] for line in mine)


def _digest(reading: dict[str, Any]) -> str:
    """Return the SHA-256, hexadecimal, of how a file was read."""
    return sha256(json.dumps(reading, sort_keys=True).encode())


def _used_up(entrant: str, cap: int, now: str, seal: Seal) -> str:
    """Return the refusal of one attempt too many."""
    return (
        f"{entrant} has used the {plural(cap, 'attempt')} of {now[:10]} (UTC) on {seal.name}; a file that was scored "
        f"before is still answered, and its organiser may raise {CAP} in {FILE}, which lies beside the secret"
    )


def _answer(line: dict[str, Any], score: dict[str, Any], *, repeated: bool) -> str:
    """Return the sentence on an attempt: whether the file took the place, and what stands."""
    stands = f"{line['name']} stands at {number(score['value'])}"
    stands += "" if score["low"] is None else f" [{number(score['low'])}, {number(score['high'])}]"
    stands += ", rounded to .001"
    before = f"Scored before, {line['time'][:10]}: " if repeated else ""
    if line["first"]:
        return f"{before}{stands}; this was the first file."
    if line["moved"]:
        return f"{before}better by {_errors(line)}; {stands}."
    return f"{before}not better by {_errors(line)}; {stands} as before."


def _errors(line: dict[str, Any]) -> str:
    """Return by how much the file had to be better: two standard errors, more where many were compared before."""
    return "two standard errors" if line["needed"] <= ladder.STEP else f"{line['needed']:.1f} standard errors"
