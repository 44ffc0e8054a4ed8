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

import contextlib
import hmac
import json
import platform
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from harness.cards import PREDICTIONS, Card, write_entry
from harness.errors import HarnessError, UsageError
from harness.formatting import plural
from harness.ingestion.lines.fields import SOURCES
from harness.ingestion.rows import kind_of
from harness.masking import Mask
from harness.prediction import journal as journals
from harness.prediction.choices import Choices
from harness.prediction.facts import Facts
from harness.prediction.floors import Floor, Floors
from harness.prediction.journal import Journal
from harness.prediction.model_code import ModelCode, cause, no_silent_exit
from harness.prediction.predictor import (
    Answer,
    Function,
    Predictor,
    Question,
    Reply,
    Wants,
    find,
    name_of,
    to_predictor,
)
from harness.prediction.questions import Blind, Questions, make_rendering, open_rendering, read_ahead, split_in_batches
from harness.prediction.replies import FALLBACK, Reader
from harness.progress import counter
from harness.version import __version__
from reference.files import sha256
from reference.home import cache_home, user_key
from reference.truth.catalog import locate
from reference.truth.store import Truth

FORMAT = "warehouse-harness/predict-1"
NAMED = 8
"""Clips of a batch that a message names."""
LONGEST_CHAIN = 50
"""Errors behind an error that are searched for secrets."""

Lines = Sequence[Mapping[str, Any]]


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

    def __repr__(self) -> str:
        return "; ".join(line.strip() for line in summary_lines(self))


class _Split(NamedTuple):
    """Facts about the split: nothing that a model may not know, but for the digest of an open truth."""

    world: str
    name: str
    pin: dict[str, str]  # what the card pins the truth by: its digest, or a sealed split's commitment
    sealed: bool
    published: bool
    floors: Floors

    @classmethod
    def of(cls, truth: Truth) -> _Split:
        """Read the facts from an open truth."""
        return cls(
            world=truth.world,
            name=truth.split,
            pin=truth.pin,
            published=not truth.answered,
            sealed=bool(truth.sealed),
            floors=Floors(truth),
        )


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One model asked about one split: everything that is settled before the first question."""

    model: str
    by_name: bool  # the command line can ask it too
    predictor: Predictor
    facts: Facts  # what it says of itself
    code: ModelCode
    mask: Mask
    output: Path  # the entry's folder as it was given
    folder: Path  # the same, wherever the model leads this process
    choices: Choices
    frames: Path | None  # as given
    split: _Split
    questions: Questions
    reader: Reader

    @property
    def is_identified(self) -> bool:
        """Return True if name and options, or a card, tell the model from any other."""
        return self.by_name or bool(self.facts.card)

    @property
    def batch_size(self) -> int:
        """Return the clips a question: the user's choice, else the model's."""
        return max(1, self.choices.batch_size or self.facts.batch_size)


def predict(
    model: str | Predictor | Callable[[Question], Answer],
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
    `frames=FOLDER` or `limit=100`.

    Raises UsageError, and HarnessError where the model fails: its earlier answers are kept, and the same call resumes
    if the model has a card; without one nothing says that it is the same model.
    """
    chosen, folder = Choices.of(**choices), Path(output)
    mask = Mask({**chosen.options, **({"model": model} if isinstance(model, str) else {})}, environment=True)
    say = chosen.say
    chosen = replace(chosen, say=lambda text: say(mask.message(text)))
    try:
        with no_silent_exit(), closing(ModelCode()) as code:
            _check_folder(folder, chosen)
            _warn_of_secrets(model, replace(chosen, say=lambda text: say(mask.text(text))), mask)
            run = _prepare(model, folder, chosen, code, mask, wants, card)
            with journals.journal(run.folder, _identity(run), fresh=chosen.fresh) as journal:
                _ask(run, journal)
                lines = [journal.lines[clip_id] for clip_id in run.split.floors.clips if clip_id in journal.lines]
                journal.check_before_finishing()
                _write_entry(run, lines)
                journals.close(run.folder)
            return _outcome(run, lines)
    except HarnessError as error:
        _hide_secrets(error, mask)
        raise


def summary_lines(prediction: Prediction) -> list[str]:
    """Summary lines for the terminal: how many clips are answered, from which sources, and what a score will miss."""
    model, repaired, fallback = prediction.sources.values()
    lines = [
        f"{prediction.answered:,} of {plural(prediction.expected, 'clip')} of {prediction.world} / {prediction.split} "
        f"answered in {prediction.path}",
        f"  {model:,} as the model said it, {repaired:,} repaired, {fallback:,} fallback"
        + (f" ({prediction.kept:,} with the operation that it said)" if prediction.kept else ""),
    ]
    if prediction.answered < prediction.expected:
        blind = prediction.without_pictures
        why = f", {blind:,} of them without pictures" if blind else ""
        lines.append(
            f"  {prediction.expected - prediction.answered:,} have no answer{why}: a score counts them as wrong"
        )
    return lines


def _check_folder(folder: Path, choices: Choices) -> None:
    """Raise UsageError at once for a folder that could hold no entry, or holds one."""
    name = folder.resolve().name
    if not name.isprintable() or not name:
        raise UsageError(f"{folder}: expected the name of a folder, printable, which will be the entry's name")
    if not choices.fresh:
        journals.refuse_finished(folder)


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


def _prepare(
    model: Any,
    folder: Path,
    choices: Choices,
    code: ModelCode,
    mask: Mask,
    wants: Wants | None,
    card: Mapping[str, Any] | None,
) -> _Run:
    """Find and check the model, read the split's facts, find or make its pictures."""
    given, choices = choices, choices.absolute()
    found = find(model, choices.options, code) if isinstance(model, str) else model
    name = model if isinstance(model, str) else name_of(model)
    with code.called(lambda cause: UsageError(f"{name} cannot be asked: {cause}"), own=UsageError):
        predictor = to_predictor(found, wants, card)
    facts = Facts.of(predictor, code, mask)
    if isinstance(predictor, Function) and (choices.batch_size or 1) > 1:
        raise UsageError(f"batch_size={choices.batch_size}: a function is asked clip by clip, leave it out")
    with choices.open() as truth:
        split = _Split.of(truth)
        questions = _questions(name, facts.wants, truth, split.floors.clips, choices)
    if isinstance(predictor, Floor):
        predictor.prepare(split.floors)
    return _Run(
        model=name,
        by_name=isinstance(model, str),
        predictor=predictor,
        facts=facts,
        code=code,
        mask=mask,
        output=folder,
        folder=folder.absolute(),
        choices=choices,
        frames=given.frames,
        split=split,
        questions=questions,
        reader=Reader(split.floors),
    )


def _questions(model: str, wants: Wants | None, truth: Truth, clips: tuple[str, ...], choices: Choices) -> Questions:
    if wants is None and choices.frames:
        raise UsageError(f"{model} looks at no pictures: leave --frames out")
    if wants is None:
        return Blind(clips)
    published = locate(choices.world, choices.home).published
    if folder := choices.frames or (published.folder if published else None):
        return open_rendering(folder, truth, clips, wants)
    return make_rendering(truth, clips, wants, choices)


def _outcome(run: _Run, lines: Lines) -> Prediction:
    sources = Counter(line["source"] for line in lines)
    fallbacks = [line["raw_output"] for line in lines if line["source"] == FALLBACK]
    expected = len(run.split.floors.clips)
    return Prediction(
        path=run.output / PREDICTIONS,
        world=run.split.world,
        split=run.split.name,
        answered=len(lines),
        expected=expected,
        without_pictures=0 if run.choices.limit else expected - len(run.questions.clips),
        sources={name: sources[name] for name in SOURCES},
        kept=sum(run.reader.operation_in(text) is not None for text in fallbacks),
        sealed=run.split.sealed,
        published=run.split.published,
    )


def _identity(run: _Run) -> dict[str, Any]:
    """Return what makes this run the one that an earlier start began.

    The number of clips that are asked about, and how many at once, is left out: a run may resume with another. `card`
    is None for a model that nothing tells from another one of its name.
    """
    card = json.dumps(run.facts.card, sort_keys=True)
    given = [run.model, run.choices.options, run.facts.raw]
    shown = [run.mask.message(run.model), run.mask.value(run.choices.options), [run.facts.card, run.facts.training]]
    training = json.dumps(run.facts.training, sort_keys=True)
    return {
        "format": FORMAT,
        "model": shown[0],
        "options": shown[1],
        "card": sha256(card.encode()) if run.is_identified else None,
        "world": run.split.world,
        "split": run.split.name,
        "truth": max(run.split.pin.values())[:16],
        "pictures": run.questions.pictures,
        **({"training": sha256(training.encode())} if run.facts.training is not None else {}),
        **({"secrets": _keyed_digest(given, run.choices.home)} if given != shown else {}),
    }


def _keyed_digest(value: Any, home: Path | None) -> str:
    """Return a digest of a JSON value that nobody without this user's key can try passwords against."""
    text = json.dumps(value, sort_keys=True)
    return hmac.new(user_key(cache_home(home)), text.encode(), "sha256").hexdigest()[:16]


def _ask(run: _Run, journal: Journal) -> None:
    """Ask about every clip that has no answer yet, batch by batch; each batch is on disk before the next is asked."""
    clips = run.questions.clips[: run.choices.limit]
    waiting = [clip_id for clip_id in clips if clip_id not in journal.lines]
    done = len(clips) - len(waiting)
    if done:
        run.choices.say(f"{done:,} of {len(clips):,} clips were answered before, {len(waiting):,} to go")
    with (
        counter(f"{run.split.world} / {run.split.name}", done=done, logged=True) as report,
        closing(read_ahead(run.questions, split_in_batches(waiting, run.batch_size))) as batches,
    ):
        for batch in batches:
            journal.add(_answer(run, batch))
            done += len(batch)
            report(done, len(clips))


def _answer(run: _Run, batch: Sequence[Question]) -> list[dict[str, Any]]:
    """Ask about a batch, and return its lines. The model gets copies: what it does to them changes no answer's clip."""
    clips = [question.clip_id for question in batch]
    resumes = "and the same command resumes" if run.is_identified else "but no run resumes them without a card"

    def failure(cause: str) -> HarnessError:
        return HarnessError(f"{_failure(run, clips)}: {cause}; earlier answers are kept, {resumes}")

    begun = time.perf_counter()
    try:
        with run.code.called(failure):
            given = run.predictor.ask(list(batch), tuple(run.split.floors.operations))
            fault = _no_replies(given)
            replies = [] if fault else list(islice(given, len(batch) + 1))
        latency_ms = (time.perf_counter() - begun) * 1000 / len(batch)
        if fault or len(replies) != len(batch):
            many = "more" if len(replies) > len(batch) else f"{len(replies)}"
            fault = fault or f"{many} replies to {len(batch)} questions"
            raise HarnessError(f"{_failure(run, clips)}: gave {fault}")
        return [_line(run, clip_id, reply, latency_ms) for clip_id, reply in zip(clips, replies, strict=True)]
    except KeyboardInterrupt:
        run.choices.say(f"interrupted at {_named(clips)}; earlier answers are kept, {resumes}")
        raise


def _no_replies(given: Any) -> str | None:
    """Return why what `ask` returned is no series of replies, or None: a text is a series, too, but of characters."""
    one = isinstance(given, str | bytes | Mapping | Set | Reply)
    if not one and isinstance(given, Iterable):
        return None
    with contextlib.suppress(Exception):
        given.close()  # a coroutine that nobody awaits complains
    return f"{kind_of(given)}, expected a list of one reply a question, in order"


def _line(run: _Run, clip_id: str, reply: Answer, latency_ms: float) -> dict[str, Any]:
    """Return the prediction line of a reply, without secrets that the model repeats."""

    def failure(cause: str) -> HarnessError:
        return HarnessError(f"clip {clip_id}: the reply cannot be read: {cause}")

    with run.code.called(failure, own=HarnessError):
        line = run.reader.line(clip_id, reply, latency_ms)
    own = {name: line[name] for name in ("raw_output", "dominant_operation", "next_operation") if line.get(name)}
    return line | {name: run.mask.text(text) for name, text in own.items() if text not in run.split.floors.operations}


def _failure(run: _Run, clips: Sequence[str]) -> str:
    return f"{run.model} failed on {_named(clips)}"


def _named(clips: Sequence[str]) -> str:
    more = f" and {len(clips) - NAMED:,} more" if len(clips) > NAMED else ""
    return f"{', '.join(clips[:NAMED])}{more}"


def _write_entry(run: _Run, lines: Lines) -> None:
    """Write predictions, training record and card."""
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    write_entry(run.folder, _card(run, lines), lambda path: path.write_bytes(content), run.facts.training)


def _card(run: _Run, lines: Lines) -> Card:
    """Return the entry's card without the predictions' sum: the model's words, then what only the harness knows."""
    own = dict(run.facts.card)
    details = _run_table(run, lines, own.pop("run", {}))
    return Card(
        **{
            "name": run.folder.resolve().name,
            "kind": "model",
            "description": f"answers of {run.mask.message(run.model)}",
            **own,
            "world": run.split.world,
            "split": run.split.name,
            **run.split.pin,
            "predictions_sha256": "",
            "date": datetime.now(UTC).date().isoformat(),
            "run": details,
        }
    )


def _run_table(run: _Run, lines: Lines, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the answers were made. `wall_s`: the model's time over all starts, the sum of latency_ms."""
    pictures = run.questions.pictures
    return {
        **({"command": _command(run)} if run.by_name else {}),
        **({"limit": run.choices.limit} if run.choices.limit else {}),
        "batch_size": run.batch_size,
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "wall_s": round(sum(line["latency_ms"] for line in lines) / 1000, 3),
        "answers": {name: sum(line["source"] == name for line in lines) for name in SOURCES},
        **({"pictures": pictures} if pictures else {}),
        **({"predictor": dict(own)} if own else {}),
    }


def _command(run: _Run) -> str:
    choices, mask = run.choices, run.mask
    words = ["harness", "predict", "--model", mask.message(run.model), "--world", choices.world]
    words += ["--split", choices.split, "--batch-size", str(run.batch_size), "-o", str(run.output)]
    words += ["--frames", str(run.frames)] if run.frames else []
    words += ["--limit", str(choices.limit)] if choices.limit else []
    words += [word for key, value in mask.value(choices.options).items() for word in ("--option", f"{key}={value}")]
    return shlex.join(words)
