"""Contract of a model that the harness asks in batches, inside this process.

The harness shows the clips, reads the answers, measures, and stores every answer; a model only answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE


class Wants(NamedTuple):
    """Pictures that a model wants of a clip; the fields are options of `harness world render`."""

    frames: int = DEFAULT_FRAMES
    size: int = DEFAULT_SIZE
    sampler: str = DEFAULT_SAMPLER


class Question(NamedTuple):
    """One clip as a model sees it. Without pictures the arrays have length 0 and the prompt is empty."""

    clip_id: str  # to name the clip in an error or a log, never to answer from
    frames: NDArray[np.uint8]  # [n, h, w, 3] RGB
    indices: NDArray[np.int64]  # [n] frame numbers, 0 to 124
    times: NDArray[np.float64]  # [n] seconds from the clip's start
    prompt: str


def without_pictures(clip_id: str) -> Question:
    """Return the question about a clip of a model that looks at no pictures."""
    return Question(clip_id, np.empty((0, 0, 0, 3), np.uint8), np.empty(0, np.int64), np.empty(0), "")


class Reply(NamedTuple):
    """Answer of a model, as `text` or as fields. With both the fields count, and the text becomes `raw_output`.

    Text is read as `harness score` reads `raw_output`: JSON alone, in a fence, in prose, slightly broken. For a text
    that holds no answer the harness answers (`source` is then `fallback`); fields that are no answer are an error of
    the predictor and stop the run. Confidences are probabilities that the operation, and the next one, is right.

    What a server says of its work goes into the line as it is. `usage`: tokens by `harness.usage.fields.TOKENS`;
    `served_model`: the name by which the server answers; `ttft_ms`: time to the first token; `model_ms`: time that the
    model itself took; `latency_ms`: time of the answer itself, where the model knows it better than whoever asked.
    """

    text: str | None = None
    answer: Mapping[str, Any] | None = None  # dominant_operation, temporal_segment, next_operation
    confidence: float | None = None
    next_confidence: float | None = None
    usage: Mapping[str, int] | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    ttft_ms: float | None = None
    latency_ms: float | None = None
    model_ms: float | None = None


Answer = Reply | Mapping[str, Any] | str
"""A reply, or its `answer` or its `text` alone."""


class Predictor(Protocol):
    """Contract of a model that can be asked."""

    @property
    def wants(self) -> Wants | None:
        """Return the pictures that the model wants; None where it needs no pictures."""

    @property
    def batch_size(self) -> int:
        """Return the clips a call of `ask`, where the user does not choose a number."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Return fields of the entry's card: `description`, `model` (id of the base model), and `run`, a table of what
        is needed to repeat the run (plain TOML values and tables); also `kind`, `authors`, `license`, `url`. A run that
        was cut off resumes only under the same card, so nothing in it may change from start to start, and models that
        answer differently need different ones. Read once, before the first question."""

    @property
    def training(self) -> Mapping[str, Any] | None:
        """Return a training record (`harness schema training`) for training.json beside the predictions, or None."""

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> Sequence[Answer]:
        """Return one reply a question, in order. `operations`: the world's labels.

        An exception, SystemExit too, stops the run; the answers of earlier calls are kept, and these clips are asked
        again when the run resumes.
        """
