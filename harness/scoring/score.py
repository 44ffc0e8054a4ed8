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
from harness.cards import (
    CARD,
    Card,
    clean_answers_of,
    entry_folder,
    folder_of,
    pinned,
    prediction_file,
    read_card,
    refuse_shard,
    run_files,
    runs_of,
    stated_sum,
)
from harness.errors import SubmissionError, TruthError, UsageError
from harness.ingestion.ingest import Ingestion, ingest
from harness.ingestion.rows import NAME, is_path, write_rows
from harness.ingestion.submission_file import STDIN, SubmissionFile, open_submission, shown_name
from harness.own_answers import refuse_own_answers
from harness.scoring.clip_facts import ClipFacts, make_clip_facts
from harness.scoring.known_failures import known_failures, transfer_gap
from harness.scoring.methods.mean import score_of_method
from harness.scoring.record import FORMAT, measure, to_bytes
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.rounding import rounding_of
from harness.scoring.score_cache import ANSWERS, RECORD, key
from harness.scoring.signature import check_name, signature, with_name
from harness.scoring.training_record import read_training_record
from harness.scoring.transfer.paired import CleanAnswers, paired_gaps
from harness.sealed.attempts import attempt, session_sums
from harness.sealed.entrants import attempts_of
from harness.usage.card import with_card
from harness.version import __version__
from reference import shapes
from reference.code_digest import code_digest
from reference.home import cache_home
from reference.truth.catalog import locate, names
from reference.truth.database import write_errors
from reference.truth.origin import Seal
from reference.truth.sample import Sample
from reference.truth.store import Truth

if TYPE_CHECKING:
    from harness.ingestion.rows import Rows


def score(
    submission: str | Path | Rows,
    *,
    name: str | None = None,
    entrant: str | None = None,
    training: str | Path | None = None,
    request: Request | None = None,
    opened: Truth | None = None,
    **choices: Any,
) -> Score:
    """Score predictions against the truth of a split: a file ("-" is standard input), dicts, or a pandas DataFrame.

    An entry may be given as its folder, or by its name in `submissions/`, instead of its predictions. A folder with
    runs/1.jsonl to runs/K.jsonl is a method: its value is the mean over the runs (`scoring.methods.mean`).
    Dicts and rows of a DataFrame are read as the lines of a file would be; problems name them by number, from 1.
    `choices`: fields of a Request, such as `split="test-large"` or `lenient=True`; `request`: the Request that they
    change. `name`: the model's name, shown and pinned in the signature. `entrant`: on a sealed split, whose attempt
    this is, by a name of its entrants.toml.
    `training`: a training record, by default `training.json` beside the submission where that exists.
    `opened`: the truth, if `Request.open_for_many` opened it for this submission among others.

    Returns a Score; of a sealed split, unless its organiser asks, that of the file which stands, redacted, and whether
    this file took the place. Raises SubmissionError (lines were rejected), TruthError and UsageError, which are
    HarnessErrors.
    """
    files = method_files(submission) if is_path(submission) else []
    if len(files) > 1:
        chosen = Request.of(request, **choices)
        _refuse_sealed_method(shown_name(str(submission)), chosen)
        runs = [score(file, training=training, request=chosen, opened=opened) for file in files]
        return score_of_method(runs, name, shown_name(str(submission)), opened)
    submission = files[0] if files else prediction_file(submission) if is_path(submission) else submission
    request, said = as_its_card_says(submission, Request.of(request, **choices))
    check_name(name)
    beside = submission if is_path(submission) else STDIN  # rows have no folder
    training_record = read_training_record(beside, training)
    cache = request.score_cache()
    with ExitStack() as stack:
        stack.enter_context(_notes_on_refusal(said))
        scratch = stack.enter_context(cache.scratch())
        source = stack.enter_context(_open(submission, scratch, request))
        found = clean_answers_of(Path(submission)) if is_path(submission) and str(submission) != STDIN else None
        clean = found and CleanAnswers(*found, stack.enter_context(cache.scratch()))
        folders = (scratch, *([clean.scratch] if clean else []))
        truth = opened or stack.enter_context(request.open((source.path,), folders))
        clean = None if truth.sealed and not request.organiser else clean  # there is no drawing a sealed split clean
        commitment = None if request.organiser else truth.sealed  # of a sealed split, which needs a redacted record
        if commitment:
            seal = _seal_of(truth, request)
            disclosure.check_request(truth.world, entrant, name, request.rules, request.weights)
            attempts_of(str(entrant), seal)  # before the work; the attempt itself is taken after it
        elif entrant is not None:
            raise UsageError(_no_entrant(truth, request))
        entry = key(_dependencies(source, truth, request, training_record) | {"clean": clean and clean.sha256})
        folder = cache.find(entry)
        if folder is None:
            with write_errors(cache.folder):
                _score_into(scratch, source, truth, request, training_record, clean)
            folder = cache.keep(scratch, entry)
    record = json.loads((folder / RECORD).read_bytes())
    if is_path(submission):
        record = with_card(record, Path(submission))
    record = with_name(record, entrant or name)
    record["diagnostics"]["notes"] += said
    answers = folder / ANSWERS
    if commitment:
        sums = session_sums(answers, request.weights)
        record, answers = attempt(record, sums, request.reading(), str(entrant), seal), Path()
    return Score(record, answers, request, shown_name(submission) if is_path(submission) else NAME)


def _seal_of(truth: Truth, request: Request) -> Seal:
    """Return the registration of a sealed split. Raises TruthError where it is not here but a copy of its truth is."""
    seal = locate(request.world, request.home).seal
    if seal is None:
        raise TruthError(f"{truth.world} is sealed and not registered here, so that nobody's scorings can be logged")
    return seal


def _no_entrant(truth: Truth, request: Request) -> str:
    """Return why --as is refused."""
    if truth.sealed:
        return "--as scores for an entrant and --organiser shows everything: give one of them"
    return f"--as names an entrant of a sealed split, and {truth.world} is none; --name names the model"


def method_files(submission: str | Path) -> list[Path]:
    """Return the runs of an entry or folder of a method; an empty list for anything else.

    Raises UsageError where the runs are not those of the card, or not numbered without a gap.
    """
    folder = entry_folder(submission)
    if folder is not None:
        return runs_of(folder, read_card(folder)) if run_files(folder) else []
    return run_files(submission)


def _refuse_sealed_method(name: str, request: Request) -> None:
    """Raise UsageError for a method on a sealed split, whose scorings are logged file by file."""
    if not request.organiser and locate(request.world, cache_home(request.home)).seal is not None:
        raise UsageError(
            f"{name}: {request.world} is sealed, and there a scoring is of one file: score one of "
            "the runs, or let the organiser score the method (--organiser)"
        )


def validate(submission: str | Path | Rows, *, request: Request | None = None, **choices: Any) -> Ingestion:
    """Read predictions without scoring them; return what would be scored, and every problem.

    Takes the submission and the choices of `score`. Never raises SubmissionError, because the problems are in the
    result.
    """
    submission = prediction_file(submission) if is_path(submission) else submission
    request, _ = as_its_card_says(submission, Request.of(request, **choices))
    with (
        request.score_cache().scratch() as scratch,
        _open(submission, scratch, request) as source,
        request.open((source.path,), (scratch,), answers=False) as truth,
    ):
        return ingest(truth, source, **(request.ingestion() | {"lenient": True}))


def as_its_card_says(submission: str | Path | Rows, request: Request) -> tuple[Request, list[str]]:
    """Return the request with what the card beside an entry's predictions says, and notes on it.

    That is the world and split that they are for, and how they are read. A choice of the request's own counts more; a
    note says where it contradicts the card. A card counts for the file whose sum it states. Raises UsageError where its
    clip map is not the one whose sum it states, for a world that is not known here, and for answers about own clips.
    """
    if not request.follow_card or not is_path(submission) or str(submission) == STDIN:
        return request, []
    path = Path(submission)
    folder = folder_of(path)
    if not (folder / CARD).is_file():
        refuse_own_answers(path, request.world, request.split)
        return request, []
    try:
        card = read_card(folder)
    except UsageError:
        return request, [f"the {CARD} beside it cannot be read, so it is not followed"]
    digest = stated_sum(card, path)
    if digest is None:
        return request, []
    try:
        pinned(path, digest)
    except UsageError:
        return request, [f"the {CARD} beside it is of another file, so it is not followed"]
    refuse_shard(folder, card)
    judged_on, notes = _world_of(card, folder, request)
    reading = {name: value for name, value in card.ingestion(folder).items() if value}
    followed = judged_on | {name: value for name, value in reading.items() if not request.is_chosen(name)}
    if followed:
        plain = {name for name, value in followed.items() if value is True or name == "clip_map"}
        shown = ", ".join(name if name in plain else f"{name} {value}" for name, value in followed.items())
        notes.insert(0, f"read as the {CARD} beside it says: {shown}")
    return replace(request, **followed), notes


def _world_of(card: Card, folder: Path, request: Request) -> tuple[dict[str, str], list[str]]:
    """Return world and split of a card as far as nothing else was chosen, and a note where something else was."""
    home = cache_home(request.home)
    world, split = locate(request.world, home).name, request.split
    followed: dict[str, str] = {}
    if card.world != world and not request.is_chosen("world"):
        if card.world not in names(home):
            raise UsageError(
                f"{folder / CARD}: is for the world {shapes.shown(card.world)}, which `harness world list` does not "
                "name here; --world says which one to take"
            )
        followed["world"] = world = card.world
    if card.world == world and card.split != split and not request.is_chosen("split"):
        followed["split"] = split = card.split
    if (world, split) == (card.world, card.split):
        return followed, []
    said, judged = (f"{shapes.shown(name)[1:-1]} / {part}" for name, part in ((card.world, card.split), (world, split)))
    return followed, [f"the {CARD} beside it is for {said}; it is read for {judged}, as was chosen"]


@contextmanager
def _notes_on_refusal(notes: list[str]) -> Iterator[None]:
    """Add the notes on the card to the refusal of a file: it may be refused for what they say."""
    try:
        yield
    except SubmissionError as error:
        error.args = ("\n".join([str(error), *notes]), *error.args[1:])
        raise


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
    scratch: Path,
    source: SubmissionFile,
    truth: Truth,
    request: Request,
    training: dict[str, Any] | None,
    clean: CleanAnswers | None,
) -> None:
    """Write the record and the checked answers of a submission into an empty folder."""
    ingestion = ingest(truth, source, **request.ingestion())
    facts = make_clip_facts(truth, request.rules)
    truth.connection.execute("DROP TABLE predictions")  # half a gigabyte for ten million lines
    facts.write_answers(scratch / ANSWERS)
    record = _record(ingestion, facts, request, training)
    record["submission"]["rounding"] = rounding_of(facts, request)
    if clean:
        record["signature"] = signature(ingestion, truth, request, training, clean.sha256)
    if clean and record["transfer"] is not None:
        record["transfer"] = paired_gaps(record["transfer"], facts, clean, request)
        record["sections"]["transfer_gap"] = transfer_gap(record)
    (scratch / RECORD).write_bytes(to_bytes(record))


def _record(
    ingestion: Ingestion, facts: ClipFacts, request: Request, training: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the score record: what identifies it, the measurements, known failures of the task, what was read."""
    measured = measure(facts, request.weights)
    record = _identity(ingestion, facts.truth, request, training) | measured
    if ingestion.usage is not None:
        record["usage"] = ingestion.usage
    record["submission"]["sources"] = facts.single_row("sources")
    if ingestion.answered is not None:
        record["submission"]["answered"] = ingestion.answered
    record["sections"] = known_failures(record, training) if measured["funnel"] else {}
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
        **_sample(truth),
        "n": truth.n,
        "sessions": truth.sessions,
        "coverage": ingestion.coverage,
        "rules": request.rules.name,
        "scheme": request.weights.scheme,
        "weights": asdict(request.weights),
        "version": __version__,
        "submission": {"sha256": ingestion.sha256, "lines": ingestion.lines, "adapter": ingestion.adapter},
    }


def _sample(truth: Truth) -> dict[str, Any]:
    """Return the section on the sample that stands in the split's place, if one does."""
    if not truth.sample:
        return {}
    return {"sample": {**Sample.of(truth.sample)._asdict(), "truth_digest": truth.meta["sample_of"]}}


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
