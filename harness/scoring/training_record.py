"""The training record of a model (schemas/training.json): predicted and measured memory, steps and hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.cards import TRAINING
from harness.errors import UsageError
from harness.ingestion.strict_json import parse
from harness.ingestion.submission_file import STDIN
from reference.small_files import read_small

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
        # strictly, since no score record could hold NaN, a lone surrogate or a deep nesting
        record, faults = parse(read_small(Path(training)).decode("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{training}: not a readable training record ({reason})") from None
    if faults:
        raise UsageError(f"{training}: not a readable training record ({faults[0].wrong})")
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
