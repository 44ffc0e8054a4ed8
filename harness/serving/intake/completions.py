"""OpenAI's chat completions: a message with the pictures of one clip -> the model's text.

A text such as "<0.68 seconds>" before a picture is its time (`harness predict --show timed-frames`); without such texts
the times are those that the published prompt names, and else the pictures are spread evenly over the clip. All other
text is the prompt. Sampling (`temperature`, `seed`, `max_tokens`) and `response_format` are taken and change nothing:
the model answers as `harness predict` has it answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from harness.serving.intake.clips_in import SECONDS, bytes_of, check_times, invalid
from harness.serving.intake.decoding import ClipIn
from harness.serving.limits import PICTURES
from harness.serving.operations import FIELDS
from harness.serving.refusal import Refusal
from reference.task import CLIP_FRAMES, FPS
from reference.video.samplers import uniform_indices

PROMPT = 64 * 1024
"""Most characters of a prompt."""

_TIME = re.compile(r"\s*<(\d{1,3}(?:\.\d{1,6})?) seconds?>\s*")
_LISTED = re.compile(r"\d+(?:\.\d+)? \(at (\d+(?:\.\d+)?) s\)")


class Url(BaseModel):
    """Data URL; no other one is followed."""

    model_config = ConfigDict(extra="ignore", strict=True)
    url: Annotated[str, Field(min_length=1)]


class TextPart(BaseModel):
    """Words, or the time of the next picture."""

    type: Literal["text"]
    text: str


class PicturePart(BaseModel):
    """Picture of the clip."""

    type: Literal["image_url"]
    image_url: Url


class VideoPart(BaseModel):
    """The clip as an mp4."""

    type: Literal["video_url"]
    video_url: Url


Part = Annotated[TextPart | PicturePart | VideoPart, Field(discriminator="type")]


class SystemMessage(BaseModel):
    """Message before the question; its text is not shown to the model."""

    role: Literal["system", "developer"]
    content: str | list[TextPart]


class UserMessage(BaseModel):
    """The question about one clip."""

    role: Literal["user"]
    content: str | list[Part]


def _true_or_false(value: Any) -> Any:
    """Return the value. Raises ValueError for 0, which Python takes for False and JSON does not."""
    if value is not None and not isinstance(value, bool):
        raise ValueError("expected false")
    return value


def _number(value: Any) -> Any:
    """Return the value. Raises ValueError for true, which Python takes for 1 and JSON does not."""
    if isinstance(value, bool):
        raise ValueError("expected 1")
    return value


class Asked(BaseModel):
    """Chat completion that is asked for: one user message, with the pictures of one clip."""

    model_config = ConfigDict(extra="ignore")
    model: str
    messages: Annotated[
        list[Annotated[SystemMessage | UserMessage, Field(discriminator="role")]], Field(min_length=1, max_length=8)
    ]
    stream: Annotated[Literal[False] | None, BeforeValidator(_true_or_false)] = None
    n: Annotated[Literal[1] | None, BeforeValidator(_number)] = None


class Message(BaseModel):
    """The model's text."""

    role: Literal["assistant"]
    content: str


class Choice(BaseModel):
    """The one answer."""

    index: int
    message: Message
    finish_reason: str


class Completion(BaseModel):
    """Chat completion."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]


class Question(NamedTuple):
    """Clip of a chat completion, and the words that are asked about it; None for the published prompt."""

    clip: ClipIn
    prompt: str | None


_ASKED = TypeAdapter(Asked)


def read(body: bytes, name: str) -> Question:
    """Return the question in a request. Raises Refusal."""
    try:
        asked = _ASKED.validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
    users = [(place, one) for place, one in enumerate(asked.messages) if isinstance(one, UserMessage)]
    if len(users) != 1:
        raise Refusal(422, "expected one user message: the model answers about one clip", "messages")
    place, message = users[0]
    field = f"messages.{place}.content"
    parts = [TextPart(type="text", text=message.content)] if isinstance(message.content, str) else message.content
    return _question(parts, name, field)


def _question(parts: Sequence[Any], name: str, field: str) -> Question:
    words, files, times, pending = list[str](), list[tuple[str, bytes]](), list[float | None](), None
    videos = list[tuple[str, bytes]]()
    for place, part in enumerate(parts):
        at = f"{field}.{place}"
        if isinstance(part, TextPart):
            if time := _TIME.fullmatch(part.text):
                pending = float(time[1])
            else:
                words.append(part.text)
        elif isinstance(part, PicturePart):
            files.append((at, bytes_of(part.image_url.url, f"{at}.image_url.url")))
            times.append(pending)
            pending = None
        else:
            videos.append((at, bytes_of(part.video_url.url, f"{at}.video_url.url")))
    prompt = "\n".join(words)
    if len(prompt) > PROMPT:
        raise Refusal(422, f"expected at most {PROMPT:,} characters of text", field)
    if len(videos) == 1 and not files:
        return Question(ClipIn(name, (videos[0][1],), None, videos[0][0]), prompt or None)
    if videos or not PICTURES[0] <= len(files) <= PICTURES[1]:
        raise Refusal(422, f"expected {PICTURES[0]} to {PICTURES[1]} pictures of one clip, or one video", field)
    return Question(
        ClipIn(name, tuple(content for _, content in files), _seconds(times, prompt, field), field), prompt or None
    )


def _seconds(times: Sequence[float | None], prompt: str, field: str) -> tuple[float, ...]:
    """Return the times of the pictures: stated before each, named by the prompt, or spread evenly."""
    stated = [one for one in times if one is not None]
    if stated and len(stated) < len(times):
        raise Refusal(422, "expected a time before each picture, or before none", field)
    if not stated:
        stated = [float(one) for one in _LISTED.findall(prompt)]
    if len(stated) != len(times) or (stated and max(stated) > SECONDS and times[0] is None):
        stated = [index / FPS for index in uniform_indices(CLIP_FRAMES, len(times))]
    return check_times(stated, field)


def completion(model: str, request_id: str, line: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a prediction line as a chat completion: the model's text, or its fields where they are the answer.

    Where the text holds no answer it stays as the model said it: whoever asked reads it, and decides.
    """
    text = line.get("raw_output")
    if text is None or (line["source"] == "model" and not _says(text, line)):
        text = json.dumps({name: line[name] for name in FIELDS})
    usage = line.get("usage") or {}
    found: dict[str, Any] = {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": int(now),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": line.get("finish_reason") or "stop",
            }
        ],
    }
    if {"input_tokens", "output_tokens"} <= usage.keys():
        read, said = usage["input_tokens"], usage["output_tokens"]
        found["usage"] = {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}
    return found


def _says(text: str, line: Mapping[str, Any]) -> bool:
    """Return False where fields that a model states beside its text differ from it, as a head's answer may."""
    try:
        said = json.loads(text)
    except ValueError:
        return True
    return not isinstance(said, dict) or all(said.get(name, line[name]) == line[name] for name in FIELDS)


def listed(model: str, started: float) -> dict[str, Any]:
    """Return the list of models."""
    return {
        "object": "list",
        "data": [{"id": model, "object": "model", "created": int(started), "owned_by": "warehouse-harness"}],
    }
