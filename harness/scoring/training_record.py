"""The training record of a model (schemas/training.json): predicted and measured memory, steps and hours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.cards import TRAINING
from harness.errors import UsageError
from harness.ingestion.submission_file import STDIN

NUMBERS = ("predicted_peak_gib", "measured_peak_gib", "steps", "wall_s", "oom_events")
WHOLE_NUMBERS = ("steps", "oom_events")


def read_training_record(submission: str | Path, training: str | Path | None) -> dict[str, Any] | None:
    """Return the record at `training`, by default `training.json` beside the submission; None where there is none.

    Raises UsageError where it cannot be read, or is no training record.
    """
    if training is None:
        beside = Path(submission).parent / TRAINING
        if str(submission) == STDIN or not beside.is_file():
            return None
        training = beside
    try:
        record = json.loads(Path(training).read_text(encoding="utf-8"))
        # Refuses NaN and lone surrogates, which no score record could hold.
        json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{training}: not a readable training record ({error})") from None
    return check_training_record(record, Path(training))


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
