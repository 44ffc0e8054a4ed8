"""Data for the page's script: clips and answers as JSON lists of equal length, texts as codes into lists of levels.

A raw line is included where it says more than the answer read from it: it holds `raw_output`, could not be read, or was
rejected. The page holds the first RAW_SHOWN characters of such lines, until its allowance is spent.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.report.clips import NO_ANSWER, NO_FRAME, OTHER_LABEL, Answers, Clips
from harness.report.gather import Gathered
from harness.scoring.failure_modes import MODES

RAW_SHOWN, RAW_ALLOWANCE = 600, 400_000
TEXTS = ("session", "cut_kind", "domain", "worker")


def script_data(gathered: Gathered) -> dict[str, Any]:
    """Return all that the script works on, as JSON values."""
    clips = gathered.clips
    raw = RawLines(RAW_ALLOWANCE)
    return {
        "operations": list(clips.operations),
        "codes": {"noAnswer": NO_ANSWER, "otherLabel": OTHER_LABEL, "noFrame": NO_FRAME},
        "modes": [{"name": mode.name, "title": mode.title, "meaning": mode.meaning} for mode in MODES],
        "weights": list(gathered.field.facts["weights"].values()),
        "clips": _clips(clips),
        "entries": [
            {
                "name": entry.name,
                "kind": entry.card.kind,
                "answers": _answers(answers),
                "raw": raw.select(file, entry.score.record, answers),
                "problems": _problems(entry.score.record, answers),
            }
            for entry, answers, file in zip(gathered.entries, clips.answers, gathered.files, strict=True)
        ],
    }


def _clips(clips: Clips) -> dict[str, Any]:
    texts = {name: clips.texts(name) for name in TEXTS}
    return {
        "id": clips["clip_id"].tolist(),
        **{name: {"levels": levels, "codes": codes.tolist()} for name, (levels, codes) in texts.items()},
        "index": clips["clip_index"].tolist(),
        "operation": clips["operation"].tolist(),
        "start": clips["start_frame"].tolist(),
        "end": clips["end_frame"].tolist(),
        "next": clips["next_operation"].tolist(),
        "offScript": _flags(clips.off_script),
        "randomised": _flags(clips.randomised),
        "ceiling": None if clips.ceiling is None else np.round(clips.ceiling, 3).tolist(),
    }


def _flags(column: np.ndarray | None) -> list[int] | None:
    return None if column is None else column.astype(int).tolist()


def _answers(answers: Answers) -> dict[str, Any]:
    right = answers.right @ np.array([1, 2, 4])
    return {
        "operation": answers["operation"].tolist(),
        "start": answers["start_frame"].tolist(),
        "end": answers["end_frame"].tolist(),
        "next": answers["next_operation"].tolist(),
        "right": right.astype(int).tolist(),
        "mode": answers["mode"].tolist(),
        "line": answers["line"].tolist(),
        "outcome": answers["outcome"].tolist(),
    }


def _problems(record: dict[str, Any], answers: Answers) -> dict[str, str]:
    """Return the diagnosis of each rejected line that belongs to a clip, by line number."""
    named = set(answers["line"].tolist())
    found: dict[str, str] = {}
    for problem in record["diagnostics"]["problems"]:
        if problem["line"] in named:
            text = "; ".join(part for part in (problem["wrong"], problem["expected"], problem["suggestion"]) if part)
            found.setdefault(str(problem["line"]), f"{problem['code']} {problem['field']}: {text}")
    return found


class RawLines:
    """Selection of raw lines, over all entries at most `allowance` characters."""

    def __init__(self, allowance: int):
        self._left = allowance

    def select(self, file: Path | None, record: dict[str, Any], answers: Answers) -> dict[str, str]:
        """Return the text, by line number, of an entry's lines that say more than their answer."""
        if file is None or file.suffix.lower() in (".parquet", ".zst"):
            return {}
        wanted = set(answers["line"].tolist()) - {0}
        broken = {row["line"] for row in record["diagnostics"]["problems"]}
        found: dict[str, str] = {}
        for number, line in _lines(file):
            text = line[:RAW_SHOWN]
            if number in wanted and (number in broken or "raw_output" in line) and self._take(len(text)):
                found[str(number)] = text + ("…" if len(line) > RAW_SHOWN else "")
        return found

    def _take(self, size: int) -> bool:
        if size > self._left:
            return False
        self._left -= size
        return True


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines numbered from 1, as ingestion counts them; bytes that are no UTF-8 become U+FFFD."""
    with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            yield number, line.decode("utf-8", "replace").rstrip("\r\n")


def pack(value: Any) -> bytes:
    """Return a JSON value gzipped; equal values give equal bytes, because no time and no name is stored."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode("utf-8", "surrogatepass"), compresslevel=9, mtime=0)
