"""Contract of a model that answers many questions at once: an endpoint, a script, an asynchronous function.

A Predictor (`predictor`) answers batch by batch inside this process. An Asker is asked about one clip at a time, by as
many requests at once as it has connections, and may fail to answer: it then raises NotAnswered, which never becomes an
answer. What follows from a failure is decided by its kind, once, in `KINDS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.prediction.predictor import Answer, Question, Wants

if TYPE_CHECKING:
    from typing_extensions import TypeIs

AGAIN, CLIP, RUN = "again", "clip", "run"
"""What a failure ends: this attempt, the questions about this clip, or the run."""

KINDS: Mapping[str, str] = {
    "rate limit": AGAIN,  # 429
    "server error": AGAIN,  # 5xx, 408, 409, 425
    "connection": AGAIN,  # refused, reset, half a body
    "no reply in time": AGAIN,
    "unreadable reply": AGAIN,  # what came is no reply of the protocol
    "bad request": CLIP,  # 400, 413, 422: three in a row, or before any answer, end the run
    "refused by the provider": CLIP,  # a content filter
    "cut off": CLIP,  # at the limit of tokens
    "expired": AGAIN,  # the time of a provider's batch was over
    "cancelled": AGAIN,  # a provider's batch was cancelled
    "no access": RUN,  # 401, 403, 404, no quota left
    "another model": RUN,  # the server answers as another model than before
}
"""Kinds of failure, and what each ends."""

FINISH: Mapping[str, str] = {
    "length": "cut off",
    "content_filter": "refused by the provider",
    "error": "server error",
    "abort": "server error",
    "insufficient_system_resource": "server error",
}
"""Reasons to finish with which a text is no answer, as OpenAI, vLLM and others name them, and the kind of failure."""

WORDS = 300
"""Characters of a server's words that are kept. Whoever has them masks them before they are cut."""


class NotAnswered(Exception):
    """A clip that got no answer. `kind`: of `KINDS`; `words`: what the server said; `retry_after`: seconds."""

    def __init__(self, kind: str, words: str = "", retry_after: float | None = None):
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r}, expected one of {', '.join(KINDS)}")
        super().__init__(kind, words)
        self.kind, self.words, self.retry_after = kind, str(words), retry_after

    def __str__(self) -> str:
        words = " ".join(self.words.split())
        return f"{self.kind}: {words[:WORDS]}" if words else self.kind

    @property
    def ends(self) -> str:
        """Return what the failure ends: AGAIN, CLIP or RUN."""
        return KINDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an Asker prepares for: the run as far as a model may know it.

    `samples`: a few questions of the run, to try. `agreed`: what was agreed before, None at the first time; afterwards
    there are no samples. `clips`: questions still to be asked. `deadline_s`: seconds a clip. `price`: dollars per
    million tokens in and out, where given. `in_batches`: a provider's batches ask them, and no connection of its own.
    """

    operations: tuple[str, ...]
    samples: tuple[Question, ...]
    agreed: Mapping[str, Any] | None
    clips: int
    connections: int
    deadline_s: float
    price: tuple[float, float] | None
    say: Callable[[str], object]
    in_batches: bool = False
    can_read: Callable[[str], bool] = bool  # says whether a text holds a whole answer
    mask: Callable[[str], str] = str  # hides secrets in words of whoever answers, before they are cut


class Asker(Protocol):
    """Contract of a model that is asked clip by clip, many at once."""

    @property
    def wants(self) -> Wants | None:
        """Return the pictures that the model wants; None where it needs no pictures."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Return fields of the entry's card, as of a Predictor. What changes the answers is in it, or two runs that
        answer differently are taken for one; what does not (URL, connections, price, key) is not."""

    @property
    def training(self) -> Mapping[str, Any] | None:
        """Return a training record for training.json, or None."""

    @property
    def connections(self) -> int:
        """Return the most questions to ask at once, where the user does not choose a number."""

    async def prepare(self, setting: Setting) -> Mapping[str, Any]:
        """Return what was agreed with the model before the run (plain TOML values, for card and resume).

        Called before the first question of each start, and once more before that to agree; `close` ends each. Raises
        UsageError where the model cannot be asked.
        """

    async def answer(self, question: Question) -> Answer:
        """Return the answer about one clip. Raises NotAnswered; any other exception stops the run."""

    async def close(self) -> None:
        """Release what `prepare` opened."""


def check_finished(reply: Any) -> None:
    """Raise NotAnswered for a Reply whose reason to finish says that its text is no answer."""
    finish = getattr(reply, "finish_reason", None)
    if isinstance(finish, str) and finish in FINISH:
        raise NotAnswered(FINISH[finish], f"finish_reason {finish}, after {str(reply.text or '')!r}")


def is_asker(model: Any) -> TypeIs[Asker]:
    """Return True for an object with the coroutine methods of an Asker."""
    return all(inspect.iscoroutinefunction(getattr(model, name, None)) for name in ("prepare", "answer", "close"))


def is_async_function(model: Any) -> bool:
    """Return True for a coroutine function, or an object whose call is one."""
    return inspect.iscoroutinefunction(model) or (
        not isinstance(model, type) and inspect.iscoroutinefunction(getattr(model, "__call__", None))  # noqa: B004
    )
