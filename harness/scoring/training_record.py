"""The training record of a model (schemas/training.json): predicted and measured memory, steps and hours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.cards import TRAINING, folder_of
from harness.errors import UsageError
from harness.ingestion.strict_json import parse
from harness.ingestion.submission_file import STDIN
from reference.outside_files import DEPTH, read_text

NUMBERS = ("predicted_peak_gib", "measured_peak_gib", "steps", "wall_s", "oom_events")
WHOLE_NUMBERS = ("steps", "oom_events")
NO_RECORD = "none"
"""Said in place of a path: the `training.json` beside a submission is another program's, or is not to count."""


def read_training_record(submission: str | Path, training: str | Path | None) -> dict[str, Any] | None:
    """Return the record at `training`, by default `training.json` beside the submission; None where there is none.

    Secrets in it are masked, since a score record repeats it. `training` is "none" where no record is to be read.
    Raises UsageError where it cannot be read, or is no training record; of one that nobody named, the error says how to
    leave it out.
    """
    if str(training) == NO_RECORD:
        return None
    if training is not None:
        return _read(Path(training))
    beside = folder_of(Path(submission)) / TRAINING
    if str(submission) == STDIN or not beside.is_file():
        return None
    try:
        return _read(beside)
    except UsageError as error:
        raise UsageError(f"{error}; if it is not about this model, --training {NO_RECORD} leaves it out") from None


def record_fault(record: Any, default: Callable[[Any], Any] | None = None) -> str | None:
    """Return why a score record, which is JSON, could not hold a training record, or None. `default`: of json.dumps."""
    try:
        json.dumps(record, allow_nan=False, ensure_ascii=False, default=default).encode()
    except UnicodeEncodeError:
        return "holds half a character, which UTF-8 cannot write"
    except RecursionError:
        return f"is nested deeper than {DEPTH}"
    except (ValueError, TypeError) as error:
        return f"cannot be written as JSON ({error!s:.200})"
    return f"is nested deeper than {DEPTH}" if _depth(record) > DEPTH else None


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:  # level by level: recursion would end where json.loads did not
        depth += 1
        inside = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [part for parts in inside for part in parts]
    return depth


def _read(path: Path) -> dict[str, Any]:
    # strictly, since no score record could hold NaN, a lone surrogate or a deep nesting
    record, faults = parse(read_text(path, UsageError))
    if fault := faults[0].wrong if faults else record_fault(record):
        raise UsageError(f"{path}: not a readable training record ({fault})")
    from harness.masking import Mask  # its patterns take as long to compile as a small file takes to read

    return Mask().value(check_training_record(record, path))


def check_training_record(record: Any, path: Path) -> dict[str, Any]:
    """Return a record that keeps the rules of schemas/training.json, checked without a schema library.

    Raises UsageError for any other.
    """
    if not isinstance(record, dict) or not isinstance(record.get("device"), str):
        raise UsageError(f"{path}: a training record is an object with a text field `device` (harness schema training)")
    for key in NUMBERS:
        value = record.get(key)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 <= value < 1e15):
            raise UsageError(f"{path}: `{key}` must be a number that is not negative (harness schema training)")
        if value is not None and key in WHOLE_NUMBERS and value != int(value):
            raise UsageError(f"{path}: `{key}` must be a whole number (harness schema training)")
    return record
