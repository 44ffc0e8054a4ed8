"""`openai:NAME`, a model behind an endpoint that speaks OpenAI's chat completions: hosted, vLLM, SGLang, Ollama, ...

    harness predict --model openai:NAME --url http://localhost:8000/v1 -o submissions/name/

One POST a clip. What the server cannot do is found by a canary before the run (`canary`), and stands on the card.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.askers.batches.openai import OpenAIBatches
from harness.askers.canary import Canary
from harness.askers.endpoint import OPENAI, Api, Endpoint
from harness.askers.http import Server
from harness.askers.messages import IMAGE, JSON, SHOW, Prompt, content, fields_of_show, response_format
from harness.askers.options import Options
from harness.askers.reply import is_white_space, to_reply
from harness.errors import UsageError
from harness.prediction.asker import NotAnswered, Setting
from harness.prediction.predictor import Question, Reply, Wants
from harness.prediction.provider_batches.provider import Provider, Times

CONNECTIONS = 16
MAX_TOKENS = 1024
SETTLE_S, POLL_S = 60.0, 15.0
"""Seconds until a provider lists a batch whose reply was lost, and between the first two looks at one."""
SMALL = 100_000
"""Bytes of pictures that are encoded at once, without a thread."""


@dataclass(frozen=True)
class Sampling:
    """Sampling of an answer, None where the server's own default counts."""

    temperature: float | None
    seed: int | None
    max_tokens: int


class Chat:
    """Asker of one model behind an endpoint."""

    connections, training = CONNECTIONS, None
    path: ClassVar[str] = "/chat/completions"
    forms: ClassVar[tuple[str, ...]] = JSON  # of an answer, the strictest first
    shows: ClassVar[tuple[str, ...]] = SHOW

    def __init__(
        self, name: str, endpoint: Endpoint, sampling: Sampling, show: str, image: str, json_mode: str, prompt: Prompt
    ):
        self.name, self.endpoint, self.sampling, self.prompt = name, endpoint, sampling, prompt
        self.show, self.image, self.json_mode = show, image, json_mode
        self.wants: Wants | None = Wants()
        self.environment = False
        self.agreed: dict[str, Any] = {}
        self.batch_size: int | None = None  # requests a batch, where the provider takes more
        self.times = Times(SETTLE_S, POLL_S)
        self._operations: tuple[str, ...] = ()
        self._mask: Callable[[str], str] = str
        self._server: Server | None = None

    @property
    def card(self) -> dict[str, Any]:
        """Return what decides the answers; neither where the server is nor how many connections it gets."""
        run: dict[str, Any] = {
            "show": self.show,
            "image": self.image,
            "json": self.json_mode,
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "prompt_sha256": self.prompt.digest,
        }
        known = {name: value for name, value in run.items() if value is not None}
        return {"description": f"{self.name} behind an endpoint", "model": self.name, "run": known}

    async def prepare(self, setting: Setting) -> Mapping[str, Any]:
        """Return what an earlier start agreed with the server, or ask the canary. Raises UsageError, NotAnswered."""
        self._operations, self._mask = setting.operations, setting.mask
        self._server = Server(self.endpoint, environment=self.environment)
        if setting.agreed is None:
            self.agreed = {"json": self.forms[0] if self.json_mode == "auto" else self.json_mode}
            self.agreed = await Canary(self, setting).agree()
        else:
            self.agreed = dict(setting.agreed)
        return self.agreed

    async def answer(self, question: Question) -> Reply:
        """Return the answer about one clip. Raises NotAnswered."""
        rung = self.agreed["json"]
        weaker = self.forms[self.forms.index(rung) + 1 :] if self.json_mode == "auto" else ()
        reply = await self._held_to(question, (rung, *weaker))
        return self.checked(reply)

    def checked(self, reply: Reply) -> Reply:
        """Return a reply of the model with which the run began. Raises NotAnswered for one of another."""
        before = self.agreed.get("served_model")
        if before and reply.served_model and reply.served_model != before:
            raise NotAnswered("another model", f"{reply.served_model} answers, the run began with {before}")
        return reply

    def batches(self) -> Provider:
        """Return the provider's batches; after `prepare`."""
        assert self._server is not None
        return OpenAIBatches(self, self._server)

    async def _held_to(self, question: Question, rungs: Sequence[str]) -> Reply:
        """Return the answer in the first of these forms in which the server does not write white space for ever."""
        for rung in rungs[:-1]:
            try:
                return await self.answer_in(question, rung)
            except NotAnswered as error:
                if not is_white_space(error):
                    raise
        return await self.answer_in(question, rungs[-1])

    async def answer_in(self, question: Question, rung: str) -> Reply:
        """Return the answer about one clip in this form. Raises NotAnswered."""
        if question.frames.nbytes > SMALL:
            return await self.ask(await asyncio.to_thread(self.body, question, rung))
        return await self.ask(self.body(question, rung))

    async def ask(self, body: bytes) -> Reply:
        """Return the reply to a request. Raises NotAnswered."""
        assert self._server is not None
        begun = time.perf_counter()
        try:
            received = await self._server.post(self.path, body)
            latency_ms = (time.perf_counter() - begun) * 1000
            return self.to_reply(received.value, latency_ms)._replace(model_ms=received.model_ms)
        except NotAnswered as failure:
            raise NotAnswered(failure.kind, self._mask(failure.words), failure.retry_after) from None

    async def models(self) -> Any:
        """Return what the endpoint says of its models. Raises NotAnswered."""
        assert self._server is not None
        try:
            return await self._server.get("/models")
        except NotAnswered as failure:
            raise NotAnswered(failure.kind, self._mask(failure.words), failure.retry_after) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._server is not None:
            await self._server.close()

    def to_reply(self, value: Any, latency_ms: float | None) -> Reply:
        """Return the reply in what the server sent. Raises NotAnswered where it is none."""
        return to_reply(value, latency_ms)

    def body(self, question: Question, rung: str) -> bytes:
        """Return the request about a clip, as JSON, for an answer of this form."""
        parts = content(question, self.prompt.text(question, self._operations), self.show, self.image)
        more = fields_of_show(self.show, question.times) | self.form(rung)
        return self.request(parts, self.sampling.max_tokens, more)

    def form(self, rung: str) -> dict[str, Any]:
        """Return the fields of a request that hold the server to this form of answer."""
        form = response_format(rung, self._operations)
        return {"response_format": form} if form else {}

    def request(self, parts: list[dict[str, Any]], max_tokens: int, more: Mapping[str, Any]) -> bytes:
        """Return a request with a message of these parts, as JSON; `more`: further fields."""
        sampling = {"temperature": self.sampling.temperature, "seed": self.sampling.seed}
        left_out = self.agreed.get("left_out", [])
        fields = {
            "model": self.name,
            "messages": [{"role": "user", "content": parts}],
            self.agreed.get("limit_field", "max_tokens"): max_tokens,
            **{name: value for name, value in sampling.items() if value is not None and name not in left_out},
            **more,
        }
        return json.dumps(fields).encode()


def load(name: str, options: Mapping[str, str]) -> Chat:
    """Return the model of `openai:NAME`. Raises UsageError."""
    return load_as(Chat, OPENAI, f"openai:{name}", options)


def load_as(kind: type[Chat], api: Api, named: str, options: Mapping[str, str]) -> Chat:
    """Return the model of `PROVIDER:NAME` that is asked in this way. Raises UsageError."""
    provider, _, name = named.partition(":")
    if not name.strip() or not name.isprintable() or "://" in name:
        raise UsageError(
            f"{provider}:NAME needs the name of a model, as the endpoint calls it; --url says where that is"
        )
    given = Options(named, options)
    path = given.text("prompt", None)
    sampling = Sampling(
        temperature=given.number("temperature", 0.0, least=0, most=10),
        seed=given.integer("seed", None, least=0, most=2**53),
        max_tokens=given.integer("max_tokens", MAX_TOKENS, least=1, most=1_000_000),
    )
    chat = kind(
        name,
        Endpoint.of(given.text("url", None), given.text("key_env", None), api),
        sampling,
        given.choice("show", SHOW[0], kind.shows),
        given.choice("image", IMAGE[0], IMAGE),
        given.choice("json", "auto", (*kind.forms, "auto")),
        Prompt(Path(path) if path else None),
    )
    chat.wants = given.wants()
    chat.environment = given.choice("trust_env", "no", ("yes", "no")) == "yes"
    chat.batch_size = given.integer("requests_a_batch", None, least=1)
    settle, poll = given.number("settle", SETTLE_S, least=0), given.number("poll", POLL_S, least=0.01)
    chat.times = Times(settle, poll)
    given.done()
    return chat
