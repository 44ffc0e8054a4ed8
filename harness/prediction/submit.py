"""Make an entry of a prediction file that exists: check it, copy it beside a card, and score it.

    harness.submit("mine.jsonl", name="my-vlm")          # submissions/my-vlm/{card.toml, predictions.jsonl}

    harness.submit("mine.jsonl", name="my-vlm", clean="c.jsonl")    # with answers to the same clips drawn clean

    harness.submit("trained/", name="my-vlm")        # trained/runs/1.jsonl to K.jsonl: the runs of a method

The file is copied as it is, in any format that `harness score` reads, and the card says how it is read. A file that
`harness score` refuses is refused alike, and nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.cards import (
    CARD,
    ENTRY_NAME,
    FILE_NAME,
    PREDICTIONS,
    READING,
    Card,
    clean_answers_of,
    prediction_file,
    read_card,
    write_entry,
    write_method,
)
from harness.errors import HarnessError, SubmissionError, UsageError
from harness.ingestion.submission_file import PACKED, STDIN, shown_name, split_ending
from harness.masking import Mask
from harness.prediction.journal import PART
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score import as_its_card_says, method_files, score, validate
from harness.scoring.training_record import read_training_record
from reference.files import sha256
from reference.truth.store import Truth

KINDS = ("model", "baseline")
CHOICES = ("world", "split", "home", "truth", "clip_map", *READING)
LONGEST_NAME = 200


class Submission(NamedTuple):
    """Outcome of a submission: the entry and its score; a sealed split's entry is not scored here."""

    folder: Path
    card: Card
    score: Score | None


def submit(
    file: str | Path,
    *,
    name: str,
    folder: str | Path = "submissions",
    kind: str = "model",
    description: str | None = None,
    training: str | Path | None = None,
    replace: bool = False,
    **choices: Any,
) -> Submission:
    """Make the entry `folder/name` of a prediction file: the predictions, a card and the training record beside `file`.

    `file` may be a folder with runs/1.jsonl to runs/K.jsonl, the runs of a method.

    `choices`: fields of a Request that a card can hold, and where the truth is: `CHOICES`; and `clean`, a file of
    answers to the same clips drawn clean, by default the one that the card beside `file` names. `replace`: an entry of
    that name may exist. Raises SubmissionError, as `score` does, and UsageError; then nothing is written.
    """
    clean = choices.pop("clean", None)
    request = _request(choices)
    entry = Path(folder) / _checked_name(name)
    if kind not in KINDS:
        raise UsageError(f"kind = {kind!r}, expected one of {', '.join(KINDS)}")
    if str(file) == STDIN:
        raise UsageError("submit needs a file: write standard input into one first")
    runs = method_files(file)
    path = runs[0] if runs else Path(prediction_file(file))
    predictions = PREDICTIONS if runs else _predictions_name(path, entry)
    clean_path = _clean_path(clean, path, is_method=bool(runs))
    old = _old_predictions(entry, path, predictions, replace=replace)
    request, _ = as_its_card_says(path, request)
    mask = Mask(environment=True)
    record = mask.value(read_training_record(path, training))
    with request.open(answers=False) as truth:
        checked = [_score_or_check(one, request, training, truth) for one in runs or [path]]
        digests, scored = [digest for digest, _ in checked], checked[0][1]
        facts: dict[str, Any] = {"world": truth.world, "split": truth.split, **truth.pin}
        write_clean = _checked_copy(clean_path, request, sealed=bool(truth.sealed)) if clean_path else None
    card = Card(
        name=name,
        kind=kind,
        description=mask.message(description) if description is not None else f"answers of {name}",
        **facts,
        predictions_sha256=digests[0],
        predictions=predictions,
        date=datetime.now(UTC).date().isoformat(),
        **{key: value for key in READING if (value := getattr(request, key))},
    )
    if runs:
        writes = [partial(_copy, one, digest) for one, digest in zip(runs, digests, strict=True)]
        card = write_method(entry, card, writes, record, request.clip_map)
        scored = score(entry, training=training, request=request) if scored else None
    else:
        copy = partial(_copy, path, digests[0])
        card = write_entry(entry, card, copy, record, request.clip_map, write_clean)
        scored = score(entry, training=training, request=request) if scored and write_clean else scored
    if old is not None:
        old.unlink(missing_ok=True)
    return Submission(entry, card, scored)


def _request(choices: dict[str, Any]) -> Request:
    request = Request.of(**choices)
    if unfit := sorted(set(choices) - set(CHOICES)):
        raise UsageError(f"an entry is read by its card, which cannot say {', '.join(unfit)}; leave it out")
    return request


def _checked_name(name: str) -> str:
    """Return a name that is safe as a folder's name. Raises UsageError, which offers one."""
    if ENTRY_NAME.fullmatch(name) and len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    near = re.sub(r"[^\w.+-]+", "-", name).lstrip("-_.+").rstrip(".-")[:50]
    hint = f", such as {near!r}" if ENTRY_NAME.fullmatch(near) else ""
    raise UsageError(
        f"--name {shown_name(name)!r}: expected the name of a folder of letters, digits and . _ + - inside{hint}"
    )


def _predictions_name(path: Path, entry: Path) -> str:
    """Return the file's name in the entry: a file that lies there keeps its name, others are called predictions."""
    if path.parent.resolve() == entry.resolve() and re.fullmatch(FILE_NAME, path.name):
        return path.name
    ending = split_ending(path.name)[1].lower()
    written = "" if ending and ending not in PACKED else ".jsonl"
    return f"{Path(PREDICTIONS).stem}{written}{ending}"


def _old_predictions(entry: Path, path: Path, predictions: str, *, replace: bool) -> Path | None:
    """Return the predictions of an entry that is replaced by one with another file name, to be removed at the end.

    Raises UsageError where the folder holds what may not be replaced.
    """
    if entry.exists() and not entry.is_dir():
        raise UsageError(f"{shown_name(entry)}: is a file, expected a folder")
    if (entry / PART).exists():
        raise UsageError(f"{shown_name(entry)}: holds an unfinished run of harness predict; take another name")
    target = entry / predictions
    taken = target.exists() and not (path.is_file() and _is_copy(target, path))
    if not replace and ((entry / CARD).exists() or taken):
        raise UsageError(f"{shown_name(entry)}: holds an entry already; --replace replaces it")
    with contextlib.suppress(HarnessError):
        before = read_card(entry).predictions
        if before != predictions and path.parent.resolve() != entry.resolve():
            return entry / before
    return None


def _is_copy(target: Path, path: Path) -> bool:
    """Return whether an entry's file is this one, or the copy of it that a killed run left without a card."""
    return target.samefile(path) or (target.is_file() and sha256(target) == sha256(path))


def _score_or_check(
    path: Path, request: Request, training: str | Path | None, truth: Truth
) -> tuple[str, Score | None]:
    """Return the sum of the file and its score; of a sealed split no score, because each one is logged."""
    if not truth.sealed:
        scored = score(path, training=training, request=request)
        return scored.record["submission"]["sha256"], scored
    found = validate(path, request=request)
    if found.total and not request.lenient:
        raise found.refusal()
    if found.shortfall:
        raise SubmissionError(found.shortfall)
    return found.sha256, None


def _clean_path(clean: str | Path | None, path: Path, *, is_method: bool) -> Path | None:
    """Return the file of answers to clean pictures that was named, or that the card beside the predictions names."""
    if clean is not None and is_method:
        raise UsageError("answers to clean pictures belong to a single file: an entry of runs has none")
    if clean is not None:
        return Path(clean)
    found = None if is_method else clean_answers_of(path)
    return found[0] if found else None


def _checked_copy(path: Path, request: Request, *, sealed: bool) -> Callable[[Path], None]:
    """Return a function that copies answers to clean pictures, which are checked first as predictions are."""
    if sealed:
        raise UsageError(f"{shown_name(path)}: nobody can draw a sealed split clean; leave --clean out")
    found = validate(path, request=request)
    if found.total and not request.lenient:
        raise found.refusal()
    return partial(_copy, path, found.sha256)


def _copy(path: Path, digest: str, copy: Path) -> None:
    shutil.copyfile(path, copy)
    if sha256(copy) != digest:
        raise UsageError(f"{shown_name(path)}: the file changed while it was read")
