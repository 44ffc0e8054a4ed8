"""Ask a model about every clip of a split, and make an entry of its answers: the loop belongs to the harness.

    harness.predict("baseline:constant", "submissions/floor")
    harness.predict(my_predictor, "submissions/mine", frames="frames")      # any Predictor

The entry is `predictions.jsonl` in the order of the clips, `card.toml` with what is needed to repeat the run, and
`training.json` where the model has a training record. `latency_ms` is measured: the wall time of the call that answered
the clip's batch, divided by the clips in it; reading and drawing pictures is not in it. A run that was cut off goes on
where it was (`journal`). No truth reaches the model.
"""

from __future__ import annotations

import json
import platform
import shlex
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.cards import PREDICTIONS, Card, fault_in, write_card
from harness.errors import HarnessError, UsageError
from harness.ingestion.line_checker import SOURCES
from harness.prediction import journal as journals
from harness.prediction.floors import Floor, Floors
from harness.prediction.journal import Journal
from harness.prediction.predictor import Predictor, Question, find
from harness.prediction.questions import Blind, Questions, Say, batches_of, given, read_ahead, rendered
from harness.prediction.replies import FALLBACK, Reader
from harness.version import __version__
from reference.files import sha256, write_atomically, write_json
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth.store import open_truth

if TYPE_CHECKING:
    from reference.truth.store import Truth

FORMAT = "warehouse-harness/predict-1"
TRAINING = "training.json"
ON_CARD = ("kind", "description", "model", "authors", "license", "url", "run")
KINDS = ("model", "baseline")


class Prediction(NamedTuple):
    """What came of it."""

    path: Path  # the predictions
    world: str
    split: str
    answered: int
    expected: int  # clips of the split: each counts
    without_pictures: int
    sources: dict[str, int]  # model, repaired, fallback
    kept: int  # fallback answers whose operation the model said
    sealed: bool


@dataclass(frozen=True)
class _Asked:
    """Who is asked about what, as the user said it."""

    model: str
    named: bool  # the command line can ask it too
    predictor: Predictor
    options: dict[str, str]
    folder: Path
    world: str
    split: str
    frames: Path | None
    limit: int | None
    batch_size: int


class _Split(NamedTuple):
    """What is known of the split: nothing that a model may not know, but for the digest."""

    world: str
    digest: str
    sealed: bool
    floors: Floors


def predict(
    model: str | Predictor,
    folder: str | Path,
    *,
    world: str = DEFAULT_WORLD,
    split: str = DEFAULT_SPLIT,
    frames: str | Path | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    options: Mapping[str, str] | None = None,
    fresh: bool = False,
    workers: int = 2,
    home: Path | None = None,
    truth: Path | None = None,
    say: Say = lambda text: None,
) -> Prediction:
    """Ask `model`, `NAME:REST` or a Predictor, and write the entry `folder`. `workers`: processes that draw pictures.

    `frames`: a rendering, instead of one made for the model; `limit`: only the first clips; `fresh`: give up what an
    earlier run left. Raises UsageError, and HarnessError where the model fails: what it answered is kept, and the same
    call goes on.
    """
    if not fresh:
        journals.refuse_finished(Path(folder))
    predictor = find(model, options or {}) if isinstance(model, str) else model
    _check(predictor)
    name = model if isinstance(model, str) else f"{type(model).__module__}.{type(model).__qualname__}"
    asked = _Asked(
        name,
        isinstance(model, str),
        predictor,
        dict(options or {}),
        Path(folder),
        str(world),
        split,
        Path(frames) if frames else None,
        limit,
        max(1, batch_size or predictor.batch_size),
    )
    with open_truth(world, split, home=home, truth=truth) as opened:
        known = _Split(opened.world, opened.digest, bool(opened.sealed), Floors(opened))
        questions = _questions(asked, opened, known.floors, workers, home, say)
    if isinstance(predictor, Floor):
        predictor.know(known.floors)
    reader = Reader(known.floors)
    with journals.journal(asked.folder, _identity(asked, known, questions), fresh=fresh) as kept:
        _ask(asked, known, questions, reader, kept, say)
        lines = [kept.lines[clip_id] for clip_id in known.floors.clips if clip_id in kept.lines]
        _write_entry(asked, known, questions, lines)
        journals.close(asked.folder)
    return _made(asked, known, questions, reader, lines)


def _questions(asked: _Asked, truth: Truth, floors: Floors, workers: int, home: Path | None, say: Say) -> Questions:
    wants = asked.predictor.wants
    if wants is None and asked.frames:
        raise UsageError(f"{asked.model} looks at no pictures: leave --frames out")
    if wants is None:
        return Blind(floors.clips)
    if asked.frames:
        return given(asked.frames, truth, floors.clips, wants)
    return rendered(asked.world, truth, floors.clips, wants, limit=asked.limit, workers=workers, home=home, say=say)


def _made(
    asked: _Asked, known: _Split, questions: Questions, reader: Reader, lines: Sequence[dict[str, Any]]
) -> Prediction:
    sources = Counter(line["source"] for line in lines)
    said = [reader.operation_in(line["raw_output"]) for line in lines if line["source"] == FALLBACK]
    expected = len(known.floors.clips)
    return Prediction(
        path=asked.folder / PREDICTIONS,
        world=known.world,
        split=asked.split,
        answered=len(lines),
        expected=expected,
        without_pictures=0 if asked.limit else expected - len(questions.clips),
        sources={name: sources[name] for name in SOURCES},
        kept=sum(operation is not None for operation in said),
        sealed=known.sealed,
    )


def told(made: Prediction) -> list[str]:
    """The same for a reader."""
    model, repaired, fallback = made.sources.values()
    lines = [
        f"{made.answered:,} of {made.expected:,} clips of {made.world} / {made.split} answered in {made.path}",
        f"  {model:,} as the model said it, {repaired:,} repaired, {fallback:,} fallback"
        + (f" ({made.kept:,} with the operation that it said)" if made.kept else ""),
    ]
    if made.answered < made.expected:
        why = f", {made.without_pictures:,} of them without pictures" if made.without_pictures else ""
        lines.append(f"  {made.expected - made.answered:,} have no answer{why}: a score counts them as wrong")
    return lines


def _check(predictor: Predictor) -> None:
    """What would fail only when hours have gone by."""
    from harness.scoring.training_record import check_training_record

    card = predictor.card
    if unknown := sorted(set(card) - set(ON_CARD)):
        raise UsageError(f"the model's card says {', '.join(unknown)}; it may say {', '.join(ON_CARD)}")
    if card.get("kind", "model") not in KINDS:
        raise UsageError(f"the model's card: kind = {card['kind']!r}, expected one of {', '.join(KINDS)}")
    for name, value in card.items():
        expected = Mapping if name == "run" else str
        if fault := fault_in(value, name):
            raise UsageError(f"the model's card: {fault}")
        if not isinstance(value, expected):
            raise UsageError(f"the model's card: {name} = {value!r}, expected a {'table' if name == 'run' else 'text'}")
    if predictor.training is not None:
        check_training_record(dict(predictor.training), Path(TRAINING))


def _identity(asked: _Asked, known: _Split, questions: Questions) -> dict[str, Any]:
    """Answers with another one are not the same run's. How many clips are asked, and how many at once, is not in it."""
    card = json.dumps(asked.predictor.card, sort_keys=True, default=dict)
    return {
        "format": FORMAT,
        "model": asked.model,
        "options": asked.options,
        "card": sha256(card.encode()),
        "world": known.world,
        "split": asked.split,
        "truth": known.digest[:16],
        "pictures": questions.shown,
    }


def _ask(asked: _Asked, known: _Split, questions: Questions, reader: Reader, kept: Journal, say: Say) -> None:
    from harness.progress import counter

    clips = questions.clips[: asked.limit]
    waiting = [clip_id for clip_id in clips if clip_id not in kept.lines]
    done = len(clips) - len(waiting)
    if done:
        say(f"{done:,} of {len(clips):,} clips were answered before, {len(waiting):,} to go")
    with (
        counter(f"{known.world} / {asked.split}", done=done, logged=True) as report,
        closing(read_ahead(questions, batches_of(waiting, asked.batch_size))) as batches,
    ):
        for batch in batches:
            kept.add(_answered(asked, batch, reader))
            done += len(batch)
            report(done, len(clips))


def _answered(asked: _Asked, batch: Sequence[Question], reader: Reader) -> list[dict[str, Any]]:
    begun = time.perf_counter()
    try:
        replies = list(asked.predictor.ask(batch, reader.floors.operations))
    except Exception as error:  # a model may raise anything, and whoever runs it has to know on which clips
        raise HarnessError(
            f"{_named(asked, batch)}: {_shown(error)}; what was answered before is kept, and the same "
            "command goes on from there"
        ) from error
    latency_ms = (time.perf_counter() - begun) * 1000 / len(batch)
    if len(replies) != len(batch):
        raise HarnessError(f"{_named(asked, batch)}: gave {len(replies)} replies to {len(batch)} questions")
    pairs = zip(batch, replies, strict=True)
    return [reader.line(question.clip_id, reply, latency_ms) for question, reply in pairs]


def _named(asked: _Asked, batch: Sequence[Question]) -> str:
    return f"{asked.model} failed on {', '.join(question.clip_id for question in batch)}"


def _shown(error: Exception) -> str:
    """The error, and the line that raised it: the command line shows no traceback."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


def _write_entry(asked: _Asked, known: _Split, questions: Questions, lines: Sequence[dict[str, Any]]) -> None:
    """The card comes last: with it the entry is there."""
    folder, training = asked.folder, asked.predictor.training
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    write_atomically(folder / PREDICTIONS, lambda path: path.write_bytes(content))
    if training is None:
        (folder / TRAINING).unlink(missing_ok=True)
    else:
        write_json(folder / TRAINING, dict(training))
    said = dict(asked.predictor.card)
    run = _run(asked, questions, lines, said.pop("run", {}))
    write_card(
        folder,
        Card(
            **{
                "name": folder.resolve().name,
                "kind": "model",
                "description": f"answers of {asked.model}",
                **said,
                "world": known.world,
                "split": asked.split,
                "truth_digest": known.digest,
                "predictions_sha256": sha256(content),
                "date": datetime.now(UTC).date().isoformat(),
                "run": run,
            }
        ),
    )


def _run(
    asked: _Asked, questions: Questions, lines: Sequence[dict[str, Any]], own: Mapping[str, Any]
) -> dict[str, Any]:
    """How the answers were made. `wall_s`: the model's time over all runs that it took, as latency_ms adds up."""
    return {
        **({"command": _command(asked)} if asked.named else {}),
        "batch_size": asked.batch_size,
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "wall_s": round(sum(line["latency_ms"] for line in lines) / 1000, 3),
        "answers": {name: sum(line["source"] == name for line in lines) for name in SOURCES},
        **({"pictures": questions.shown} if questions.shown else {}),
        **({"predictor": dict(own)} if own else {}),
    }


def _command(asked: _Asked) -> str:
    words = ["harness", "predict", "--model", asked.model, "--world", asked.world, "--split", asked.split]
    words += ["--batch-size", str(asked.batch_size), "-o", str(asked.folder)]
    words += ["--frames", str(asked.frames)] if asked.frames else []
    words += ["--limit", str(asked.limit)] if asked.limit else []
    words += [word for key, value in asked.options.items() for word in ("--option", f"{key}={value}")]
    return shlex.join(words)
