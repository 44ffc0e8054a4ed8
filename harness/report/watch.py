"""Write the page of a growing file again whenever the file has grown, until every clip has its line.

An incomplete last line is left for the next time; one that is a whole object counts, also without a line end. Lines
that would be refused count as wrong meanwhile, as with --lenient, and the page says so. What is said of each page is
the score over the clips that have their line (`comparison.running`).
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import disclosure
from harness.cards import TRAINING
from harness.comparison.pairwise import score_operand
from harness.comparison.running import in_words
from harness.errors import HarnessError, UsageError
from harness.formatting import count, percent
from harness.ingestion.strict_json import parse
from harness.ingestion.submission_file import JSON_SPACE, PACKED, STDIN, Limits, shown_name
from harness.prediction.journal import IDENTITY
from harness.report import gather
from harness.report.write import write
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score import as_its_card_says
from harness.scoring.training_record import read_training_record
from reference.errors import TruthError
from reference.outside_files import JSON_BYTES, read_bytes, read_object
from reference.truth.sample import Sample

REMEDY = "--watch needs a file that grows by one object a line"


def watch(
    file: Path,
    path: Path,
    request: Request,
    *,
    seconds: float,
    say: Callable[[str], object],
    rest: Callable[[float], object] = time.sleep,
    against: str | None = None,
    **choices: Any,
) -> None:
    """Write the page until the file is complete.

    Looks at the file every `seconds` and reports each page with `say`, and how it stands against the submission
    `against`. `choices` are `name` and `training` of a report.
    """
    _need_lines(file)
    disclosure.refuse(request.world, "a report clip by clip", organiser=request.organiser, home=request.home)
    other = None if against is None else score_operand(against, request)
    size = -1
    while True:
        whole = _whole_lines(file)
        if whole and len(whole) != size:
            size = len(whole)
            beside = choices | {"training": _training_record(file, choices.get("training"))}
            try:
                score = _write_page(whole, file, path, replace(_as_asked(file, request), lenient=True), **beside)
            except HarnessError as error:
                say(f"{shown_name(file)}: {str(error).splitlines()[0]}; waiting for more")
            else:
                say(f"{path}: {_progress(score.record)}, {in_words(score, against or '', other)}")
                if score.record["coverage"] >= 1:
                    return
        rest(seconds)


def _as_asked(file: Path, request: Request) -> Request:
    """Return the request as the entry's card says, and while a run writes it, with the sample that it asks about."""
    if file.exists():
        return as_its_card_says(file, request)[0]
    with contextlib.suppress(UsageError, TruthError):
        sample = read_object(file.parent / IDENTITY, UsageError, JSON_BYTES).get("sample")
        if request.sample is None and isinstance(sample, str):
            return replace(request, sample=Sample.of(sample))
    return request


def _whole_lines(file: Path) -> bytes:
    """Return the file's whole lines, the last also without a line end; nothing where the file does not exist yet.

    A run of `harness predict` writes into another one until it ends, and that one counts meanwhile.
    """
    file = file if file.exists() else file.with_name(f"{file.name}.part")
    if not file.exists():
        return b""
    text = read_bytes(file, UsageError, Limits().max_bytes, shown_name(file))
    if text.lstrip(JSON_SPACE)[:1] == b"[":
        raise UsageError(f"{shown_name(file)}: a JSON array, which is whole or not at all; {REMEDY}")
    whole = text.rfind(b"\n") + 1
    value, faults = parse(text[whole:].decode(errors="replace"))
    return text if isinstance(value, dict) and not faults else text[:whole]


def _need_lines(file: Path) -> None:
    """Raise UsageError for what does not grow line by line."""
    if str(file) == STDIN:
        raise UsageError(f"standard input cannot be watched; {REMEDY}")
    ending = file.suffix.lower()
    if ending in (*PACKED, ".parquet", ".xlsx", ".eval"):
        raise UsageError(f"{shown_name(file)}: a file in {ending} cannot be watched; {REMEDY}")


def _training_record(file: Path, training: Path | None) -> Path | None:
    """Return the path of the training record. Fails with a UsageError where it cannot be read."""
    read_training_record(file, training)
    beside = file.parent / TRAINING
    return beside if training is None and beside.is_file() else training


def _write_page(whole: bytes, file: Path, path: Path, request: Request, **choices: Any) -> Score:
    """Write the page of these lines and return their score."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / file.name
        copy.write_bytes(whole)
        gathered = gather.gather_report(copy, request, shown=gather.display_name(file), **choices)
        write(gathered, path)
    return gathered.operands[0].score


def _progress(record: dict[str, Any]) -> str:
    clips = f"{count(round(record['coverage'] * record['n']))} of {count(record['n'])} clips"
    return f"{clips} ({percent(record['coverage'], 1)})"
