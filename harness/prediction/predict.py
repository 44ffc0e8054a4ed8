"""Ask a model about every clip of a split, and make an entry of its answers: the loop belongs to the harness.

    harness.predict("baseline:constant", "submissions/floor")
    harness.predict(my_predictor, "submissions/mine", frames="frames")      # any Predictor
    harness.predict(lambda question: "...", "submissions/mine", wants=Wants(frames=8))      # any function of a clip

The entry is `predictions.jsonl` in the order of the clips, `card.toml` with what is needed to repeat the run, and
`training.json` where the model has a training record. `latency_ms` is measured: the wall time of the call that answered
the clip's batch, divided by the clips in it, without reading and drawing pictures. A run that was cut off resumes where
it stopped (`journal`). No truth reaches the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.cards import CARD, CLEAN, PREDICTIONS
from harness.errors import HarnessError, IncompleteError, UsageError
from harness.formatting import plural
from harness.ingestion.lines.fields import SOURCES
from harness.masking import Mask, mask_of_model
from harness.prediction import entry
from harness.prediction import journal as journals
from harness.prediction.asker import Asker, is_asker
from harness.prediction.choices import SUBMIT, Choices
from harness.prediction.journal import Journal
from harness.prediction.loop.batches import ask_in_batches
from harness.prediction.loop.in_flight import agree, ask_at_once, run_async
from harness.prediction.loop.model_on_ray import ModelOnRay, placed
from harness.prediction.loop.on_ray import ask_on_ray
from harness.prediction.loop.outcomes import Outcomes, unanswered_by_kind
from harness.prediction.model_code import ModelCode, cause, no_silent_exit
from harness.prediction.own_clips.questions import OwnQuestions
from harness.prediction.predictor import Answer, Predictor, Question, Wants
from harness.prediction.provider_batches.ask import (
    check_batch,
    collect_batches,
    refuse_open_batches,
    submit_batches,
    warn_of_open_batches,
)
from harness.prediction.provider_batches.book import card_facts
from harness.prediction.provider_batches.submit import Submitted
from harness.prediction.replies import FALLBACK
from harness.prediction.run import Run, identity, prepare
from harness.progress import counter
from reference.shard import Shard
from reference.truth.sample import Sample

LISTED, NAMED = 12, 5
"""Operations, and clips, that a summary names."""
NO_OPERATION = "no operation"
LONGEST_CHAIN = 50
"""Errors behind an error that are searched for secrets."""


class Prediction(NamedTuple):
    """Outcome of a prediction run."""

    path: Path  # the predictions
    world: str
    split: str
    answered: int
    expected: int  # clips of the split: each counts
    without_pictures: int
    sources: dict[str, int]  # model, repaired, fallback
    kept: int  # fallback answers whose operation the model said
    sealed: bool
    published: bool = False  # the truth is with the organiser, to whom the entry is sent
    unanswered: dict[str, int] = {}  # clips that were given up, by the kind of failure  # noqa: RUF012
    sample: Sample | None = None  # the sessions that were drawn of the split
    shard: Shard | None = None  # the part of the split that was asked about
    as_domain: str | None = None  # the clips were drawn so, and the answers joined an entry
    own: OwnQuestions | None = None  # about clips of the user's own, which no score judges
    operations: dict[str, int] = {}  # answers of own clips by operation, the most frequent first  # noqa: RUF012

    def __repr__(self) -> str:
        return "; ".join(line.strip() for line in summary_lines(self))


def predict(
    model: str | Predictor | Asker | Callable[[Question], Answer],
    output: str | Path,
    *,
    wants: Wants | None = None,
    card: Mapping[str, Any] | None = None,
    **choices: Any,
) -> Prediction:
    """Ask a model about every clip of a split, and write the entry into the folder `output`.

    `model`: `NAME:REST`, a Predictor, or a function that takes a Question and returns a dict of the three answer
    fields, a text, or a Reply. `wants`: the pictures that a function is shown, by default none; `card`: what its card
    says, as of a Predictor. `choices`: fields of `harness.prediction.choices.Choices`, such as `split="validation"`,
    `frames=FOLDER`, `limit=100` or `shard="3/8"`. With `clips`, and `labels` or `world`, the clips are the user's own:
    no truth is known, and answers.json stands in the card's place. With `as_domain="clean"` the clips are drawn clean,
    and the answers join the entry of the same model in `output` as clean.jsonl: they pair its transfer gap, and feed
    nothing else.

    Raises UsageError, and HarnessError where the model fails: its earlier answers are kept, and the same call resumes
    if the model has a card; without one nothing says that it is the same model.
    """
    chosen = Choices.of(**choices)
    if chosen.batch == SUBMIT:
        raise UsageError("batch='submit' makes no entry yet: harness.prediction.predict.submit submits")
    with _run(model, Path(output), chosen, wants, card) as run:
        with journals.journal(run.folder, identity(run), fresh=chosen.fresh) as journal:
            unanswered = unanswered_by_kind(_ask(run, journal))
            if unanswered and not chosen.give_up:
                raise IncompleteError(_incomplete(run, unanswered, len(journal.lines)))
            _check_shown(run.own, journal)
            lines = [journal.lines[clip_id] for clip_id in run.split.floors.clips if clip_id in journal.lines]
            journal.check_before_finishing()
            write = entry.write_clean if chosen.as_domain else entry.write
            asked = {"agreed": journal.agreed, "unanswered": unanswered, "batches": card_facts(run.folder)}
            write(run, lines, asked)
            journals.close(run.folder)
        if chosen.as_domain:
            _remove_empty(run.folder)
        return _outcome(run, lines, unanswered)


def submit(model: str | Asker, output: str | Path, **choices: Any) -> Submitted:
    """Submit the questions of a run in batches of the model's provider, and return what was submitted.

    Takes the model and the choices of `predict`, which then collects the answers with `batch="collect"` or "wait".
    What is in a batch that has not been collected is not submitted again. Raises UsageError, and HarnessError where
    the provider fails: the same call then goes on.
    """
    chosen = Choices.of(**(choices | {"batch": SUBMIT}))
    with (
        _run(model, Path(output), chosen, None, None) as run,
        journals.journal(run.folder, identity(run), fresh=chosen.fresh) as journal,
    ):
        return submit_batches(run, journal)


@contextmanager
def _run(
    model: Any, folder: Path, choices: Choices, wants: Wants | None, card: Mapping[str, Any] | None
) -> Iterator[Run]:
    """Prepare a run into a folder. No error that leaves the block shows a secret."""
    mask, say = mask_of_model(model, choices.options), choices.say
    chosen = replace(choices, say=lambda text: say(mask.message(text)))
    try:
        with no_silent_exit(), closing(ModelCode()) as code, ExitStack() as stack:
            folder = _checked_folder(folder, chosen)
            _warn_of_secrets(model, replace(chosen, say=lambda text: say(mask.text(text))), mask)
            run = prepare(stack.enter_context(placed(model, chosen)), folder, chosen, code, mask, wants, card)
            if chosen.batch:
                check_batch(run)
            if chosen.as_domain:
                entry.need_entry(run)
            if chosen.fresh:
                warn_of_open_batches(run.folder, chosen.say)
            yield run
    except HarnessError as error:
        _hide_secrets(error, mask)
        raise


def try_out(model: str | Asker, **choices: Any) -> Mapping[str, Any]:
    """Ask only what comes before a run, and return what was agreed. Writes nothing.

    Raises UsageError for a model that is asked in batches, and HarnessError where it cannot be asked.
    """
    chosen = Choices.of(**choices)
    if chosen.on is not None:
        raise UsageError("a dry run asks from this process: leave --on out")
    mask, say = mask_of_model(model, chosen.options), chosen.say
    chosen = replace(chosen, say=lambda text: say(mask.message(text)))
    try:
        with no_silent_exit(), closing(ModelCode()) as code:
            run = prepare(model, Path("nowhere"), chosen, code, mask, None, None)
            asker: Any = run.predictor
            if not is_asker(asker):
                raise UsageError(f"{run.model} answers in this process: there is nothing to try before a run")
            return run_async(agree(asker, run, len(run.questions.clips[: chosen.limit])))
    except HarnessError as error:
        _hide_secrets(error, mask)
        raise


def _ask(run: Run, journal: Journal) -> Mapping[str, str]:
    """Ask about every clip that has no answer yet. Returns the clips that stay without one, with why."""
    if run.choices.batch:
        return collect_batches(run, journal)
    refuse_open_batches(run)
    outcomes, model = Outcomes(run, journal), run.predictor
    if outcomes.done:
        before, left = f"{outcomes.done:,} of {plural(len(outcomes.clips), 'clip')}", f"{len(outcomes.waiting):,}"
        run.choices.say(f"{before} were answered before, {left} to go")
    if not outcomes.waiting:
        return {}
    if is_asker(model) and journal.agreed is None:
        journal.agree(run_async(agree(model, run, len(outcomes.waiting))))
    if not isinstance(model, ModelOnRay):
        run.questions.draw()
    with counter(f"{run.split.world} / {run.split.name}", done=outcomes.done, logged=True) as outcomes.report:
        if is_asker(model):
            try:
                run_async(ask_at_once(model, run, outcomes))
            except KeyboardInterrupt:
                run.choices.say(f"interrupted; {len(journal.lines):,} answers are kept, and the same command resumes")
                raise
        elif isinstance(model, ModelOnRay):
            ask_on_ray(model, run, outcomes)
        else:
            ask_in_batches(model, run, outcomes)
    return outcomes.unanswered


def _check_shown(own: OwnQuestions | None, journal: Journal) -> None:
    """Raise HarnessError where not one clip of the user's own could be shown."""
    if own and own.faults and not journal.lines:
        name, why = next(iter(own.faults.items()))
        raise HarnessError(f"no clip could be shown: {name}: {why}")


def _incomplete(run: Run, unanswered: Mapping[str, int], answered: int) -> str:
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in unanswered.items())
    again = "--batch submit" if run.choices.batch else "The same command"
    return (
        f"{sum(unanswered.values()):,} of {plural(len(run.questions.clips[: run.choices.limit]), 'clip')} not answered "
        f"({kinds}); {answered:,} answers are kept in {run.output}. {again} asks about the rest, and "
        "--give-up makes an entry without them"
    )


def summary_lines(prediction: Prediction) -> list[str]:
    """Summary lines for the terminal: how many clips are answered, from which sources, and what a score will miss."""
    if prediction.own:
        return _own_summary_lines(prediction, prediction.own)
    model, repaired, fallback = prediction.sources.values()
    lines = [
        f"{prediction.answered:,} of {plural(prediction.expected, 'clip')} of {prediction.world} / {prediction.split} "
        f"{_of_part(prediction)}{_drawn(prediction)}answered in {prediction.path}",
        f"  {model:,} as the model said it, {repaired:,} repaired, {fallback:,} fallback"
        + (f" ({prediction.kept:,} with the operation that it said)" if prediction.kept else ""),
    ]
    if prediction.unanswered:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in prediction.unanswered.items())
        lines.append(f"  {plural(sum(prediction.unanswered.values()), 'clip')} given up: {kinds}")
    if prediction.as_domain:
        lines.append("  they pair the transfer gap of the entry, and feed nothing else")
    elif prediction.answered < prediction.expected:
        blind = prediction.without_pictures
        why = f", {blind:,} of them without pictures" if blind else ""
        lines.append(
            f"  {prediction.expected - prediction.answered:,} have no answer{why}: a score counts them as wrong"
        )
    if prediction.shard:
        lines.append("  a part of the entry: harness merge DIR... -o DIR joins the shards once all are there")
    return lines


def _drawn(prediction: Prediction) -> str:
    return f"drawn as {prediction.as_domain} " if prediction.as_domain else ""


def _of_part(prediction: Prediction) -> str:
    sample, shard = prediction.sample, prediction.shard
    drawn = [f"a sample of {plural(sample.sessions, 'session')}, seed {sample.seed}"] if sample else []
    parts = [*drawn, *([shard.words] if shard else [])]
    return f"({', '.join(parts)}) " if parts else ""


def _own_summary_lines(prediction: Prediction, own: OwnQuestions) -> list[str]:
    """Summary lines about own clips: how many are answered, what was answered, what could not be shown."""
    model, repaired, unread = prediction.sources.values()
    lines = [
        f"{prediction.answered:,} of {plural(prediction.expected, 'clip')} of {prediction.world} answered in "
        f"{prediction.path}",
        f"  {model:,} as the model said it, {repaired:,} repaired, {unread:,} not read (null)"
        + (f", {prediction.kept:,} of them with the operation that it said" if prediction.kept else ""),
    ]
    if prediction.operations:
        known = (*own.labels.operations, NO_OPERATION)
        said = [
            f"{name} {number:,}" + ("" if name in known else " (not among the operations)")
            for name, number in prediction.operations.items()
        ]
        more = [f"{len(said) - LISTED:,} other answers"] if len(said) > LISTED else []
        lines.append(f"  {', '.join(said[:LISTED] + more)}")
    if prediction.unanswered:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in prediction.unanswered.items())
        lines.append(f"  {plural(sum(prediction.unanswered.values()), 'clip')} given up: {kinds}")
    faults = [f"{name} ({why})" for name, why in list(own.faults.items())[:NAMED]]
    if faults:
        more = [f"{len(own.faults) - NAMED:,} more"] if len(own.faults) > NAMED else []
        lines.append(f"  not shown, because they cannot be read: {', '.join(faults + more)}")
    return lines


def _checked_folder(folder: Path, choices: Choices) -> Path:
    """Return the folder of a run: the entry's, or one in it for answers to clean pictures.

    Raises UsageError at once for a folder that could hold no entry, or holds one, or for clean pictures none.
    """
    name = folder.resolve().name
    if not name.isprintable() or not name:
        raise UsageError(f"{folder}: expected the name of a folder, printable, which will be the entry's name")
    if choices.as_domain:
        if not (folder / CARD).is_file():
            raise UsageError(f"{folder}: holds no entry yet; first the same command without --as-domain")
        return folder / choices.as_domain
    if not choices.fresh:
        journals.refuse_finished(folder)
    return folder


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was left; attempts.jsonl keeps it."""
    with suppress(OSError):
        folder.rmdir()


def _warn_of_secrets(model: Any, choices: Choices, mask: Mask) -> None:
    """Say which options, and whether the model's name, hold secrets, and where a model finds them without."""
    secret = [f"--option {name}" for name, value in choices.options.items() if mask.value({name: value})[name] != value]
    if isinstance(model, str) and mask.message(model) != model:
        secret.insert(0, "--model")
    if secret:
        choices.say(
            f"{', '.join(secret)}: secrets there are kept out of the entry and of messages; a model had better read "
            "them from the environment, since other users of this machine see its command lines"
        )


def _hide_secrets(error: HarnessError, mask: Mask) -> None:
    """Mask the message of an error, and drop the errors behind it where a traceback would show what it hides."""
    hidden, behind, texts = mask.message(str(error)), error.__cause__, list[str]()
    if hidden != str(error):
        error.args = (hidden, *error.args[1:])
    while behind is not None and len(texts) < LONGEST_CHAIN:
        texts.append(cause(behind, None))
        behind = behind.__cause__ or behind.__context__
    if any(mask.message(text) != text for text in texts):
        error.__cause__, error.__context__, error.__suppress_context__ = None, None, True


def _outcome(run: Run, lines: Sequence[Mapping[str, Any]], unanswered: Mapping[str, int]) -> Prediction:
    sources = Counter(line["source"] for line in lines)
    fallbacks = [line["raw_output"] for line in lines if line["source"] == FALLBACK]
    clean = run.choices.as_domain is not None
    expected = len(run.questions.clips if clean or run.part else run.split.floors.clips)
    operations = Counter(line["dominant_operation"] or NO_OPERATION for line in lines)
    return Prediction(
        path=run.output.parent / CLEAN if clean else run.output / PREDICTIONS,
        world=run.split.world,
        split=run.split.name,
        answered=len(lines),
        expected=expected,
        without_pictures=0 if run.choices.limit or run.part else expected - len(run.questions.clips),
        sources={name: sources[name] for name in SOURCES},
        kept=sum(run.reader.operation_in(text) is not None for text in fallbacks),
        sealed=run.split.sealed,
        published=run.split.published,
        sample=Sample.of(run.split.sample) if run.split.sample else None,
        unanswered=dict(unanswered),
        own=run.own,
        shard=run.choices.shard,
        as_domain=run.choices.as_domain,
        operations=dict(operations.most_common()) if run.own else {},
    )
