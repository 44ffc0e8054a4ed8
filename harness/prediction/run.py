"""What is settled before the first question of a run: model, split, pictures, and what tells the run from others."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from harness.masking import Mask
from harness.prediction.asker import Asker, is_asker
from harness.prediction.choices import Choices
from harness.prediction.facts import Facts
from harness.prediction.floors import Floor, Floors, NoFloors
from harness.prediction.loop.model_on_ray import ModelOnRay
from harness.prediction.model_code import ModelCode
from harness.prediction.models import AsyncFunction, Function, find, name_of, to_predictor
from harness.prediction.own_clips.labels import labels_of_world, read_labels
from harness.prediction.own_clips.questions import OwnQuestions, open_clips
from harness.prediction.predictor import Predictor, Wants
from harness.prediction.questions import Blind, Questions, SplitQuestions, clips_drawn, make_rendering, open_rendering
from harness.prediction.replies import Reader
from harness.prediction.sharding.part import Part
from reference.files import sha256
from reference.home import cache_home, user_key
from reference.truth.catalog import locate
from reference.truth.sample import Sample, take_sample
from reference.truth.store import Truth

FORMAT = "warehouse-harness/predict-1"


class Split(NamedTuple):
    """Facts about the split: nothing that a model may not know, but for the digest of an open truth."""

    world: str
    name: str
    pin: dict[str, str]  # what the card pins the truth by: its digest, or a sealed split's commitment
    sealed: bool
    published: bool
    floors: Floors | NoFloors
    sample: str = ""  # SESSIONS/SEED of the sessions that were drawn

    @classmethod
    def of(cls, truth: Truth) -> Split:
        """Read the facts from an open truth."""
        return cls(
            world=truth.world,
            name=truth.split,
            pin=truth.pin,
            published=not truth.answered,
            sealed=bool(truth.sealed),
            floors=Floors(truth),
            sample=truth.sample,
        )

    @classmethod
    def of_own_clips(cls, name: str, questions: OwnQuestions) -> Split:
        """Return what stands for a split where clips of the user's own are asked about, whose truth nobody knows."""
        floors = NoFloors(questions.clips, questions.labels.operations)
        return cls(world=name, name="own clips", pin={}, sealed=False, published=False, floors=floors)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model asked about one split: everything that is settled before the first question."""

    model: str
    by_name: bool  # the command line can ask it too
    predictor: Predictor | Asker
    facts: Facts  # what it says of itself
    code: ModelCode
    mask: Mask
    output: Path  # the entry's folder as it was given
    folder: Path  # the same, wherever the model leads this process
    choices: Choices
    given: Choices  # before their paths were made absolute
    split: Split
    questions: Questions
    reader: Reader
    part: Part | None = None  # of the split's clips, where a shard asks

    @property
    def own(self) -> OwnQuestions | None:
        """Return the questions about clips of the user's own; None for those about a split."""
        return self.questions if isinstance(self.questions, OwnQuestions) else None

    @property
    def is_identified(self) -> bool:
        """Return True if name and options, or a card, tell the model from any other."""
        return self.by_name or bool(self.facts.card)

    @property
    def batch_size(self) -> int:
        """Return the clips a question: the user's choice, else the model's."""
        return max(1, self.choices.batch_size or self.facts.at_once)

    @property
    def connections(self) -> int:
        """Return the most questions at once: the user's choice, else the model's."""
        return max(1, self.choices.connections or self.facts.at_once)


def prepare(
    model: Any,
    folder: Path,
    choices: Choices,
    code: ModelCode,
    mask: Mask,
    wants: Wants | None,
    card: Mapping[str, Any] | None,
) -> Run:
    """Find and check the model, read the split's facts, find or make its pictures."""
    given, choices = choices, choices.absolute()
    found = find(model, choices.options, code) if isinstance(model, str) else model
    name = _name(model)
    with code.called(lambda cause: UsageError(f"{name} cannot be asked: {cause}"), own=UsageError):
        predictor = to_predictor(found, wants, card)
    facts = Facts.of(predictor, code, mask)
    if _is_a(predictor, Function, AsyncFunction) and facts.wants is None:
        choices.say(f"{name} is shown no pictures, as it wants none (docs/predict.md: wants, --option frames=8)")
    _check_way(name, predictor, choices)
    questions: Questions
    part = None
    if choices.clips is not None:
        questions = _own_questions(name, predictor, facts.wants, given, choices)
        split = Split.of_own_clips(choices.clips.name or "clips", questions)
    else:
        with choices.open() as truth:
            split = Split.of(truth)
            whole = _questions(name, facts.wants, truth, clips_drawn(truth, split.floors.clips, choices), choices)
            asked = whole.clips
            if choices.sample:
                split = Split.of(take_sample(truth, Sample(choices.sample, choices.sample_seed)))
                chosen = frozenset(split.floors.clips)
                asked = tuple(clip for clip in asked if clip in chosen)
            if choices.shard:
                part = Part.of(choices.shard, asked[: choices.limit], _at_once(predictor, facts, choices))
                asked = part.clips
            questions = whole if asked is whole.clips else whole.only(asked)
    if isinstance(predictor, Floor) and isinstance(split.floors, Floors):
        predictor.prepare(split.floors)
    return Run(
        model=name,
        by_name=isinstance(model, str | ModelOnRay),
        predictor=predictor,
        facts=facts,
        code=code,
        mask=mask,
        output=folder,
        folder=folder.absolute(),
        choices=choices,
        given=given,
        split=split,
        questions=questions,
        reader=Reader(split.floors),
        part=part,
    )


def _at_once(predictor: Predictor | Asker, facts: Facts, choices: Choices) -> int:
    """Return the clips of which a shard holds a multiple: those of a batch, one where clips are asked about singly."""
    return 1 if is_asker(predictor) else max(1, choices.batch_size or facts.at_once)


def _name(model: Any) -> str:
    if isinstance(model, ModelOnRay):
        return model.name.model
    return model if isinstance(model, str) else name_of(model)


def _is_a(predictor: Predictor | Asker, *kinds: type) -> bool:
    """Return True for a model of these classes, wherever it is."""
    return issubclass((predictor.kind or object) if isinstance(predictor, ModelOnRay) else type(predictor), kinds)


def _check_way(model: str, predictor: Predictor | Asker, choices: Choices) -> None:
    """Raise UsageError for choices that this way of asking does not have."""
    if _is_a(predictor, Function) and (choices.batch_size or 1) > 1:
        raise UsageError(f"--batch-size {choices.batch_size}: a function is asked clip by clip, leave it out")
    if is_asker(predictor) and choices.batch_size:
        raise UsageError(f"{model} is asked clip by clip: --connections says how many at once, leave --batch-size out")
    if not is_asker(predictor) and choices.connections:
        raise UsageError(f"{model} is asked in batches: --batch-size says how many clips, leave --connections out")


def _questions(
    model: str, wants: Wants | None, truth: Truth, clips: tuple[str, ...], choices: Choices
) -> SplitQuestions:
    if wants is None and choices.frames:
        raise UsageError(f"{model} looks at no pictures: leave --frames out")
    if wants is None and choices.as_domain:
        raise UsageError(f"{model} looks at no pictures: it answers alike in every domain, leave --as-domain out")
    if wants is None:
        return Blind(clips)
    published = locate(choices.world, choices.home).published
    if folder := choices.frames or (published.folder if published else None):
        return open_rendering(folder, truth, clips, wants, choices)
    return make_rendering(truth, clips, wants, choices)


def _own_questions(
    model: str, predictor: Predictor | Asker, wants: Wants | None, given: Choices, choices: Choices
) -> OwnQuestions:
    """Return the questions about clips of the user's own, and say which of the files there are left out."""
    assert choices.clips is not None
    if _is_a(predictor, Floor):
        raise UsageError(f"{model} answers from a training split, and --clips has none: name a model that looks")
    if choices.frames:
        raise UsageError("--clips shows its own pictures: leave --frames out")
    labels = labels_of_world(choices.world, choices.home) if choices.labels is None else read_labels(choices.labels)
    shown = open_clips(choices.clips, choices.clips_fps)
    for sentence in shown.found.remarks():
        choices.say(sentence)
    return OwnQuestions(shown, labels, wants)


def identity(run: Run) -> dict[str, Any]:
    """Return what makes this run the one that an earlier start began.

    The number of clips that are asked about, and how many at once, is left out: a run may resume with another. `card`
    is None for a model that nothing tells from another one of its name.
    """
    card = json.dumps(run.facts.card, sort_keys=True)
    # what changes the answers of an Asker is on its card: another URL or key is the same run
    options = {} if is_asker(run.predictor) else run.choices.options
    given = [run.model, options, run.facts.raw]
    shown = [run.mask.message(run.model), run.mask.value(options), [run.facts.card, run.facts.training]]
    training = json.dumps(run.facts.training, sort_keys=True)
    return {
        "format": FORMAT,
        "model": shown[0],
        "options": shown[1],
        "card": sha256(card.encode()) if run.is_identified else None,
        **(run.own.identity if run.own else _split_identity(run.split)),
        "pictures": run.questions.pictures,
        **({"shard": run.part.identity} if run.part else {}),
        **({"training": sha256(training.encode())} if run.facts.training is not None else {}),
        **({"secrets": _keyed_digest(given, run.choices.home)} if given != shown else {}),
    }


def _split_identity(split: Split) -> dict[str, str]:
    drawn = {"sample": split.sample} if split.sample else {}
    return {"world": split.world, "split": split.name, "truth": max(split.pin.values())[:16], **drawn}


def _keyed_digest(value: Any, home: Path | None) -> str:
    """Return a digest of a JSON value that nobody without this user's key can try passwords against."""
    text = json.dumps(value, sort_keys=True)
    return hmac.new(user_key(cache_home(home)), text.encode(), "sha256").hexdigest()[:16]
