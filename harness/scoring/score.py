"""From a prediction file to a score: truth -> ingestion -> clip facts -> record -> cache, in the order of `score`.

result = harness.score("submission.jsonl")      # or a list of dicts, or a pandas DataFrame
result.metrics["aa1"].low      # lower end of the 95% interval
result.clips                   # one row a clip, a pandas DataFrame
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import disclosure
from harness.cards import CARD, READING, predictions_of, read_card, refuse_own_answers
from harness.errors import UsageError
from harness.ingestion.ingest import Ingestion, ingest
from harness.ingestion.rows import NAME, is_path, write_rows
from harness.ingestion.submission_file import STDIN, SubmissionFile, open_submission, shown_name
from harness.scoring.clip_facts import ClipFacts, make_clip_facts
from harness.scoring.known_failures import known_failures
from harness.scoring.record import FORMAT, measure, to_bytes
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.rounding import rounding_of
from harness.scoring.score_cache import ANSWERS, RECORD, key
from harness.scoring.signature import check_name, signature, with_name
from harness.scoring.training_record import read_training_record
from harness.version import __version__
from reference.code_digest import code_digest
from reference.home import cache_home
from reference.truth.database import write_errors
from reference.truth.store import Truth

if TYPE_CHECKING:
    from harness.ingestion.rows import Rows


def score(
    submission: str | Path | Rows,
    *,
    name: str | None = None,
    training: str | Path | None = None,
    request: Request | None = None,
    opened: Truth | None = None,
    **choices: Any,
) -> Score:
    """Score predictions against the truth of a split: a file ("-" is standard input), dicts, or a pandas DataFrame.

    Dicts and rows of a DataFrame are read as the lines of a file would be; problems name them by number, from 1.
    `choices`: fields of a Request, such as `split="test-large"` or `lenient=True`; `request`: the Request that they
    change. `name`: the model's name, shown and pinned in the signature; scorings of a sealed split are logged by it.
    `training`: a training record, by default `training.json` beside the submission where that exists.
    `opened`: the truth, if `Request.open_for_many` opened it for this submission among others.

    Returns a Score; of a sealed split it is redacted unless its organiser asks. Raises SubmissionError (lines were
    rejected), TruthError, UsageError; all are HarnessError.
    """
    request, said = as_its_card_says(submission, Request.of(request, **choices))
    check_name(name)
    beside = submission if is_path(submission) else STDIN  # rows have no folder
    training_record = read_training_record(beside, training)
    cache = request.score_cache()
    with ExitStack() as stack:
        scratch = stack.enter_context(cache.scratch())
        source = stack.enter_context(_open(submission, scratch, request))
        truth = opened or stack.enter_context(request.open((source.path,), (scratch,)))
        commitment = None if request.organiser else truth.sealed  # of a sealed split, which needs a redacted record
        if commitment:
            disclosure.check_request(truth.world, name, request.rules, request.weights)
        entry = key(_dependencies(source, truth, request, training_record))
        folder = cache.find(entry)
        if folder is None:
            with write_errors(cache.folder):
                _score_into(scratch, source, truth, request, training_record)
            folder = cache.keep(scratch, entry)
    record = with_name(json.loads((folder / RECORD).read_bytes()), name)
    record["diagnostics"]["notes"] += said
    if commitment:
        record = disclosure.log_and_redact(record, commitment, cache_home(request.home))
    return Score(record, folder / ANSWERS, request, shown_name(submission) if is_path(submission) else NAME)


def validate(submission: str | Path | Rows, *, request: Request | None = None, **choices: Any) -> Ingestion:
    """Read predictions without scoring them; return what would be scored, and every problem.

    Takes the submission and the choices of `score`. Never raises SubmissionError, because the problems are in the
    result.
    """
    request, _ = as_its_card_says(submission, Request.of(request, **choices))
    with (
        request.score_cache().scratch() as scratch,
        _open(submission, scratch, request) as source,
        request.open((source.path,), (scratch,), answers=False) as truth,
    ):
        return ingest(truth, source, **(request.ingestion() | {"lenient": True}))


def as_its_card_says(submission: str | Path | Rows, request: Request) -> tuple[Request, list[str]]:
    """Return the request with what the card beside an entry's predictions says about reading them, and a note on it.

    A choice of the request's own counts more. A card counts for the file whose sum it states. Raises UsageError where
    its clip map is not the one whose sum it states, and for answers about own clips.
    """
    if not request.follow_card or not is_path(submission) or str(submission) == STDIN:
        return request, []
    path = Path(submission)
    if not (path.parent / CARD).is_file():
        refuse_own_answers(path, request.world, request.split)
        return request, []
    try:
        card = read_card(path.parent)
    except UsageError:
        return request, [f"the {CARD} beside it cannot be read, so it is not followed"]
    if card.predictions != path.name or not any(getattr(card, name) for name in (*READING, "clip_map")):
        return request, []
    try:
        predictions_of(path.parent, card)
    except UsageError:
        return request, [f"the {CARD} beside it is of another file, so it is not followed"]
    asked = {name: value for name, value in card.ingestion(path.parent).items() if value}
    chosen = {name: value for name, value in asked.items() if getattr(request, name) == getattr(_DEFAULT, name)}
    if not chosen:
        return request, []
    plain = {name for name, value in chosen.items() if value is True or name == "clip_map"}
    shown = ", ".join(name if name in plain else f"{name} {value}" for name, value in chosen.items())
    return replace(request, **chosen), [f"read as the {CARD} beside it says: {shown}"]


_DEFAULT = Request()


@contextmanager
def _open(submission: str | Path | Rows, scratch: Path, request: Request) -> Iterator[SubmissionFile]:
    """Open a prediction file, or rows as one, which is written into a scratch folder of its own."""
    with ExitStack() as stack:
        if is_path(submission):
            yield stack.enter_context(open_submission(submission, scratch, request.limits()))
            return
        apart = stack.enter_context(request.score_cache().scratch())  # what is left in the other one is kept
        path = write_rows(submission, apart / f"{NAME}.jsonl", request.limits())
        source = stack.enter_context(open_submission(path, scratch, request.limits()))
        source.name = NAME
        yield source


def _score_into(
    scratch: Path, source: SubmissionFile, truth: Truth, request: Request, training: dict[str, Any] | None
) -> None:
    """Write the record and the checked answers of a submission into an empty folder."""
    ingestion = ingest(truth, source, **request.ingestion())
    facts = make_clip_facts(truth, request.rules)
    truth.connection.execute("DROP TABLE predictions")  # half a gigabyte for ten million lines
    facts.write_answers(scratch / ANSWERS)
    record = _record(ingestion, facts, request, training)
    record["submission"]["rounding"] = rounding_of(facts, request)
    (scratch / RECORD).write_bytes(to_bytes(record))


def _record(
    ingestion: Ingestion, facts: ClipFacts, request: Request, training: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the score record: what identifies it, the measurements, known failures of the task, what was read."""
    measured = measure(facts, request.weights)
    record = _identity(ingestion, facts.truth, request, training) | measured
    record["submission"]["sources"] = facts.single_row("sources")
    if ingestion.answered is not None:
        record["submission"]["answered"] = ingestion.answered
    record["sections"] = known_failures(record, training, facts.unseen_domains()) if measured["funnel"] else {}
    record["diagnostics"] = ingestion.diagnostics()
    return record


def _identity(ingestion: Ingestion, truth: Truth, request: Request, training: dict[str, Any] | None) -> dict[str, Any]:
    """Return the sections that identify a record: signature, truth, choices, submission."""
    return {
        "format": FORMAT,
        "signature": signature(ingestion, truth, request, training),
        "world": truth.world,
        "split": truth.split,
        "truth_digest": truth.digest,
        "truth_public": truth.public,
        "in_sample": truth.in_sample,
        "n": truth.n,
        "sessions": truth.sessions,
        "coverage": ingestion.coverage,
        "rules": request.rules.name,
        "scheme": request.weights.scheme,
        "weights": asdict(request.weights),
        "version": __version__,
        "submission": {"sha256": ingestion.sha256, "lines": ingestion.lines, "adapter": ingestion.adapter},
    }


def _dependencies(
    source: SubmissionFile, truth: Truth, request: Request, training: dict[str, Any] | None
) -> dict[str, Any]:
    """Return all that a stored score depends on: a change of any of these makes a new entry of the cache."""
    return {
        "submission": source.sha256,
        "truth": truth.digest,
        "public": truth.public,
        "split": truth.split,
        "world": truth.world,
        "rules": asdict(request.rules),
        "weights": request.weights.values(),
        "ingestion": request.reading(),
        "training": training,
        "version": __version__,
        "code": code_digest(__name__),
    }
