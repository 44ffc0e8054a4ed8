"""What is asked before the run, so that no run begins that could not end well; a dozen requests.

Is the model there, is a whole question taken (so many pictures, the form of the answer), are pictures read and their
order kept, does an answer belong to its question, are tokens counted. From the sample's tokens and times follow the
run's tokens, hours and price.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.askers.estimate import estimate
from harness.askers.messages import picture
from harness.askers.reply import is_white_space
from harness.errors import IncompleteError, UsageError
from harness.prediction.asker import AGAIN, NotAnswered, Setting
from harness.prediction.loop.pace import pause
from harness.prediction.predictor import Question, Reply

if TYPE_CHECKING:
    from harness.askers.chat import Chat

TRIES, UNCONNECTED = 6, 3
"""Tries of a question, and those without a connection among them, which are rarely a matter of patience."""
SIDE = 224
RED, BLUE = (200, 30, 30), (30, 60, 200)
COLOURS = "What colour is each of these pictures? Answer with the colours, in their order, and nothing else."
WORDS = ("harbour", "lantern", "meadow", "copper")
REPEAT = "Answer with this word and nothing else: {}"


class Canary:
    """Questions before the run."""

    def __init__(self, chat: Chat, setting: Setting):
        self.chat, self.setting = chat, setting
        self.places = asyncio.Semaphore(setting.connections)
        self.generator = random.Random()
        self.near: list[str] = []  # models that the endpoint lists, where this one is not among them

    async def agree(self) -> dict[str, Any]:
        """Return what was agreed, as the card states it. Raises UsageError where the model should not be asked."""
        await self._check_name()
        replies = await self._answers()
        agreed = self.chat.agreed
        if served := replies[0].served_model:
            agreed["served_model"] = served
            if not _are_alike(served, self.chat.name):
                self.setting.say(f"the endpoint answers as {served}, which the card says; asked was {self.chat.name}")
        if self.near:
            self.setting.say(f"the endpoint does not list {self.chat.name}, it has {', '.join(self.near)}")
        self._say_what_cannot_be_read(replies)
        agreed["usage"] = replies[0].usage is not None
        agreed["pictures"] = await self._pictures()
        agreed["own_answers"] = await self._own_answers()
        found = estimate(replies, self.setting)
        for sentence in found.sentences(self.setting):
            self.setting.say(sentence)
        return agreed | {"estimate": found.table()}

    def _say_what_cannot_be_read(self, replies: list[Reply]) -> None:
        """Say how many of the sample answers hold none: the run will not be better."""
        unread = [reply.text or "" for reply in replies if not self.setting.can_read(reply.text or "")]
        if unread:
            first = f"{self.setting.mask(unread[0]):.80}"
            self.setting.say(f"{len(unread)} of {len(replies)} sample answers hold no answer, such as {first!r}")

    async def _check_name(self) -> None:
        """Note whether the server lists the model. Not all that is served is listed, so that the first answer decides.

        Raises NotAnswered where there is no server, or no access to it.
        """
        try:
            listed = await self._patiently(self.chat.models)
            names = [model["id"] for model in listed["data"]]
        except NotAnswered as error:
            if error.kind == "connection" or error.words.startswith("HTTP 401"):
                raise
            return  # many servers list nothing, or not with this key; the first answer decides
        except (TypeError, KeyError):
            return
        if names and self.chat.name not in names:
            listed = [str(name)[:200] for name in names]
            self.near = difflib.get_close_matches(self.chat.name, listed, 5, 0.3) or listed[:5]
        self.chat.agreed["listed"] = bool(names) and not self.near

    async def _answers(self) -> list[Reply]:
        """Return the answers to the samples, in the strictest form that the server holds to."""
        rungs = self.chat.forms if self.chat.json_mode == "auto" else (self.chat.json_mode,)
        reason = ""
        for rung in rungs:
            self.chat.agreed["json"] = rung
            try:
                first = await self._first_answer()
            except NotAnswered as error:
                reason = str(error)
                continue
            if rung != rungs[-1] and not _is_object(first.text or ""):
                reason = "the answer is no JSON"
                continue
            more = await asyncio.gather(*map(self._sample, self.setting.samples[1:]))
            if rung == rungs[-1] or not any(isinstance(found, NotAnswered) and is_white_space(found) for found in more):
                return [first, *(found for found in more if isinstance(found, Reply))]
        raise UsageError(f"the endpoint takes no question about a clip ({reason})")

    async def _first_answer(self) -> Reply:
        """Return the answer to a whole question. Raises NotAnswered where another form may help, and HarnessError."""
        try:
            return await self._adapted(self.setting.samples[0])
        except NotAnswered as error:
            if self.near and error.kind in ("no access", "bad request", "server error"):
                there = ", ".join(self.near)
                name = self.chat.name
                raise UsageError(f"the endpoint has no model {name!r}; it has {there} ({error})") from None
            if error.kind == "bad request" or is_white_space(error):
                raise
            if error.ends == AGAIN and error.kind not in ("connection", "unreadable reply"):
                raise IncompleteError(f"the first question was not answered ({error}); try again later") from None
            remedy = self._remedy(error)
            raise UsageError(f"the first question was not answered ({error}){remedy}") from None

    def _remedy(self, error: NotAnswered) -> str:
        """Return the end of the sentence about a first question that was not answered."""
        endpoint = self.chat.endpoint
        if error.kind == "cut off":
            return ": --max-tokens allows more"
        if error.words.startswith(("HTTP 401", "HTTP 403")) and endpoint.why_no_key:
            return f"; {endpoint.why_no_key}"
        if error.words.startswith("HTTP 404") and not endpoint.url.endswith("/v1"):
            return f"; does --url {endpoint.url} lack /v1 at its end?"
        return ""

    async def _sample(self, question: Question) -> Reply | NotAnswered:
        """Return the answer about a further clip, or why there is none."""
        try:
            return await self._patiently(self.chat.answer_in, question, self.chat.agreed["json"])
        except NotAnswered as error:
            return error

    async def _adapted(self, question: Question) -> Reply:
        """Return the answer to a whole question, without fields that this server refuses by name."""
        chat = self.chat
        for _ in range(4):
            try:
                return await self._patiently(chat.answer_in, question, chat.agreed["json"])
            except NotAnswered as error:
                if error.kind != "bad request":
                    raise
                if "max_completion_tokens" in error.words and "limit_field" not in chat.agreed:
                    chat.agreed["limit_field"] = "max_completion_tokens"
                    continue
                left_out = chat.agreed.setdefault("left_out", [])
                sent = vars(chat.sampling)
                known = [name for name in ("temperature", "seed") if sent[name] is not None and name not in left_out]
                named = [name for name in known if name in error.words]
                if not named:
                    if not left_out:
                        del chat.agreed["left_out"]
                    raise
                left_out += named
                self.setting.say(f"the endpoint refuses {' and '.join(named)}; left out, and said on the card")
        raise NotAnswered("bad request", "refused also without the fields that it named")

    async def _pictures(self) -> str:
        """Return how far the server reads pictures: two plain ones, swapped, give another answer or more tokens; or it
        takes no question without any.

        Raises UsageError where nothing speaks for it.
        """
        red, blue = (picture(np.full((SIDE, SIDE, 3), colour, np.uint8), "png") for colour in (RED, BLUE))
        shown = [[*parts, _said(COLOURS)] for parts in ([red, red, blue, blue], [blue, blue, red, red], [])]
        one, other, none = await asyncio.gather(*map(self._short, shown))
        if one is None or other is None:
            return "unknown"
        if one.text != other.text:
            return "read in order"
        apart = [await self._short(parts) for parts in shown[:2]]
        if apart[0] and apart[1] and apart[0].text != apart[1].text:
            raise UsageError(
                "two questions with other pictures got one answer when asked at once, and two when asked one by one: "
                "the endpoint mixes pictures up; --connections 1 may help"
            )
        counted = [reply.usage["input_tokens"] for reply in (one, none) if reply and reply.usage]
        if len(counted) == 2 and counted[0] > counted[1] + 4:
            self.setting.say("pictures are counted, but two of plain colours gave the same answer when swapped")
            return "counted"
        if none is None:
            self.setting.say("a question without pictures is refused, but two of plain colours gave the same answer")
            return "needed"
        raise UsageError(
            f"{self.chat.name} gives the same answer for red and for blue pictures ({one.text!r:.80}): the endpoint "
            "seems to drop pictures"
        )

    async def _own_answers(self) -> str:
        """Return whether answers belong to their questions, asked at once. Raises UsageError where one is another's."""
        parts = [[_said(REPEAT.format(word))] for word in WORDS]
        replies = await asyncio.gather(*(self._short(part) for part in parts))
        own, swapped = 0, 0
        for word, reply in zip(WORDS, replies, strict=True):
            text = (reply.text or "").lower() if reply else ""
            own += word in text
            swapped += word not in text and any(other in text for other in WORDS)
        if swapped:
            raise UsageError(
                f"{swapped} of {len(WORDS)} questions that were asked at once got the answer to another one; "
                "--connections 1 may help"
            )
        return "yes" if own == len(WORDS) else "unknown"

    async def _short(self, parts: list[dict[str, Any]]) -> Reply | None:
        """Return the answer to a short question; None where there is none."""
        try:
            return await self._patiently(self.chat.ask, self.chat.request(parts, self.chat.sampling.max_tokens, {}))
        except NotAnswered as error:
            if error.kind == "no access":
                raise
            return None

    async def _patiently(self, call: Any, *arguments: Any) -> Any:
        """Return what a call returns, tried again where that may help. Raises NotAnswered, at the last try."""
        unconnected = 0
        for attempt in range(1, TRIES + 1):
            try:
                async with self.places, asyncio.timeout(self.setting.deadline_s):
                    return await call(*arguments)
            except TimeoutError:
                raise NotAnswered("no reply in time", f"none within {self.setting.deadline_s:.0f} s") from None
            except NotAnswered as error:
                late = (error.retry_after or 0) > self.setting.deadline_s
                unconnected += error.kind == "connection"
                if error.ends != AGAIN or attempt == TRIES or late or unconnected == UNCONNECTED:
                    raise
                await asyncio.sleep(pause(attempt, error.retry_after, self.generator))
        raise AssertionError


def _are_alike(served: str, name: str) -> bool:
    """Return True for names of one model, such as `gpt-4o` and `gpt-4o-2024-08-06`."""
    one, other = served.casefold(), name.casefold()
    return one in other or other in one


def _said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _is_object(text: str) -> bool:
    """Return True for a text that is a JSON object, thoughts before it apart."""
    try:
        return isinstance(json.loads(text.rpartition("</think>")[2]), Mapping)
    except (ValueError, RecursionError):
        return False
