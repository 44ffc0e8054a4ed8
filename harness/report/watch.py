"""Write the page of a growing file again whenever the file has grown, until every clip has its line.

An incomplete last line is left for the next time. Lines that would be refused count as wrong meanwhile, as with
--lenient, and the page says so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.errors import HarnessError, UsageError
from harness.ingestion.submission_file import shown_name
from harness.report import gather
from harness.report.write import write
from harness.scoring.request import Request
from harness.scoring.training_record import read_training_record


def watch(
    file: Path,
    path: Path,
    request: Request,
    *,
    name: str | None,
    training: Path | None,
    seconds: float,
    say: Callable[[str], object],
    rest: Callable[[float], object] = time.sleep,
) -> None:
    """Write the page until the file is complete; look at the file every `seconds`, and report each page with `say`."""
    size = -1
    while True:
        whole = _whole_lines(file)
        if whole and len(whole) != size:
            size = len(whole)
            if _write_page(whole, file, path, replace(request, lenient=True), name, training, say):
                return
        rest(seconds)


def _whole_lines(file: Path) -> bytes:
    """Return the file's bytes up to its last line end; nothing where it does not exist yet."""
    if not file.exists():
        return b""
    if not file.is_file():
        raise UsageError(f"{shown_name(file)}: not a regular file")
    text = file.read_bytes()
    return text[: text.rfind(b"\n") + 1]


def _write_page(
    whole: bytes,
    file: Path,
    path: Path,
    request: Request,
    name: str | None,
    training: Path | None,
    say: Callable[[str], object],
) -> bool:
    """Write the page of these lines; return True when every clip has its line."""
    beside = file.parent / "training.json"
    if training is None and beside.is_file():
        training = beside
    read_training_record(file, training)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / file.name
        copy.write_bytes(whole)
        try:
            gathered = gather.gather_report(
                copy, request, name=name, training=training, shown=gather.display_name(file)
            )
        except HarnessError as error:
            say(f"{shown_name(file)}: {str(error).splitlines()[0]}; waiting for more")
            return False
        write(gathered, path)
    record = gathered.operands[0].score.record
    have = round(record["coverage"] * record["n"])
    say(
        f"{path}: {have:,} of {record['n']:,} clips ({record['coverage']:.1%}), "
        f"score so far {record['metrics']['score']['value']:.3f}"
    )
    return record["coverage"] >= 1
