"""Facts that a model states about itself, read once, before the first question: wants, batch size, card, training.

What would be refused only when hours have passed is refused here, and what the model changes later changes no entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cards import TRAINING, fault_in
from harness.errors import UsageError
from harness.ingestion.rows import kind_of, to_plain
from harness.masking import Mask
from harness.prediction.asker import Asker, is_asker
from harness.prediction.model_code import ModelCode
from harness.prediction.predictor import Predictor, Wants
from harness.scoring.training_record import check_training_record, record_fault

ON_CARD = ("kind", "description", "model", "authors", "license", "url", "run")
KINDS = ("model", "baseline")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Checked facts about a model. Card and training record hold no secrets."""

    wants: Wants | None
    at_once: int  # clips a batch of a Predictor, connections of an Asker
    card: dict[str, Any]
    training: dict[str, Any] | None
    raw: Any  # card and training record as the model states them, for the run's identity alone

    @classmethod
    def of(cls, predictor: Predictor | Asker, code: ModelCode, mask: Mask) -> Facts:
        """Read and check what a model says of itself. Raises UsageError."""
        at_once = "connections" if is_asker(predictor) else "batch_size"
        read = {name: _attribute(predictor, name, code) for name in ("wants", at_once, "card", "training")}

        def failure(cause: str) -> UsageError:
            return UsageError(f"what the model says of itself cannot be read: {cause}")

        with code.called(failure, own=UsageError):
            card, training = _card(read["card"]), _training(read["training"])
            wants, size = _wants(read["wants"]), read[at_once]
        if not isinstance(size, int):
            raise UsageError(f"the model's {at_once} is {size!r:.80}, expected an integer")
        return cls(
            wants=wants,
            at_once=int(size),
            card=mask.value(card),
            training=mask.value(training),
            raw=[card, training],
        )


def _attribute(predictor: Predictor | Asker, name: str, code: ModelCode) -> Any:
    with code.called(lambda cause: UsageError(f"the model's {name} cannot be read: {cause}"), own=UsageError):
        return getattr(predictor, name)


def _wants(wants: Any) -> Wants | None:
    if not isinstance(wants, Wants | None):
        raise UsageError(f"wants = {wants!r:.80}: expected a harness.Wants, or None for no pictures")
    if wants is not None:
        numbers = isinstance(wants.frames, int) and isinstance(wants.size, int)
        if not numbers or not isinstance(wants.sampler, str) or min(wants.frames, wants.size) < 1:
            raise UsageError(f"wants = {wants!r:.80}: expected numbers of frames and pixels, and the name of a sampler")
    return wants


def _card(card: Any) -> dict[str, Any]:
    if not isinstance(card, Mapping):
        raise UsageError(f"the model's card is {card!r:.80}, expected a dict of {', '.join(ON_CARD)}")
    card = dict(card)
    if unknown := sorted(map(str, set(card) - set(ON_CARD))):
        raise UsageError(f"the model's card says {', '.join(unknown)[:200]}; it may say {', '.join(ON_CARD)}")
    if card.get("kind", "model") not in KINDS:
        raise UsageError(f"the model's card: kind = {card['kind']!r:.80}, expected one of {', '.join(KINDS)}")
    for name, value in card.items():
        expected = Mapping if name == "run" else str
        if fault := fault_in(value, name):
            raise UsageError(f"the model's card: {fault[:200]}")
        if not isinstance(value, expected):
            kind = "table" if name == "run" else "text"
            raise UsageError(f"the model's card: {name} = {value!r:.80}, expected a {kind}")
    try:
        # a copy: the model may change its own later
        return json.loads(json.dumps(card, default=dict))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the model's card cannot be written ({error!s:.200})") from None


def _training(record: Any) -> dict[str, Any] | None:
    if record is None:
        return None
    if not isinstance(record, Mapping):
        raise UsageError(f"the model's training record is {kind_of(record)}, expected a dict or None")
    if fault := record_fault(dict(record), to_plain):
        raise UsageError(f"the model's training record: {fault}")
    return check_training_record(json.loads(json.dumps(dict(record), default=to_plain)), Path(TRAINING))
