"""Requests about clips: an mp4, or pictures with their times, as multipart form or as JSON with base64.

What is read here is bytes and numbers alone; pictures are decoded in child processes (`decoding`). A name is a label:
no file is opened by it. Addresses are never followed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from harness.serving.intake.decoding import ClipIn
from harness.serving.limits import MIB, NAME, PICTURES, Limits
from harness.serving.refusal import Refusal
from reference.task import CLIP_MS

JSON, NDJSON, FORM = "application/json", "application/x-ndjson", "multipart/form-data"
SECONDS = CLIP_MS / 1000
FORM_FIELDS = ("clip_id", "video", "pictures", "times_s")


class PictureIn(BaseModel):
    """Picture of a clip, with its time."""

    model_config = ConfigDict(extra="forbid", strict=True)
    image: Annotated[str, Field(min_length=1, description="JPEG, PNG or WebP, as base64")]
    time_s: Annotated[float, Field(ge=0, le=SECONDS, description="seconds from the clip's beginning")]


class ClipBody(BaseModel):
    """Clip of five seconds: an mp4, or 2 to 32 pictures with their times."""

    model_config = ConfigDict(extra="forbid", strict=True)
    clip_id: Annotated[str, Field(min_length=1, max_length=NAME, description="a name of yours")] | None = None
    video: Annotated[str, Field(min_length=1, description="mp4 of five seconds, as base64")] | None = None
    pictures: (
        Annotated[
            list[PictureIn],
            Field(min_length=PICTURES[0], max_length=PICTURES[1], description="in order, instead of a video"),
        ]
        | None
    ) = None


_CLIP = TypeAdapter(ClipBody)


def media_type(request: Request) -> str:
    """Return the type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_clip(request: Request, name: str, limits: Limits) -> ClipIn:
    """Return the clip of a request; `name` where it gives none. Raises Refusal."""
    kind = media_type(request)
    if kind == FORM:
        return await _from_form(request, name, limits)
    if kind != JSON:
        raise Refusal(415, f"expected {FORM} or {JSON}", "content-type")
    body = await request.body()
    if len(body) > MIB:
        return await asyncio.to_thread(clip_of, body, name)
    return clip_of(body, name)


def clip_of(body: bytes | str, name: str, place: str = "") -> ClipIn:
    """Return the clip in a JSON text. Raises Refusal."""
    try:
        found = _CLIP.validate_json(body)
    except ValidationError as error:
        raise invalid(error, place) from None
    return _checked(found, name, place)


def clip_of_value(value: Any, name: str, place: str) -> ClipIn:
    """Return the clip in a JSON value. Raises Refusal."""
    try:
        found = _CLIP.validate_python(value)
    except ValidationError as error:
        raise invalid(error, place) from None
    return _checked(found, name, place)


def invalid(error: ValidationError, place: str = "") -> Refusal:
    """Return what pydantic finds wrong, with the field, and without the value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join([*([place] if place else []), *(str(part) for part in first["loc"])])[:NAME] or None
    return Refusal(422, printable_words(str(first["msg"])), _plain(field))


def printable_words(text: str) -> str:
    """Return words for a client in one short line."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:300]).split())


def bytes_of(text: str, field: str) -> bytes:
    """Return what a base64 text stands for; it may be a data URL. Raises Refusal for any other address, or none."""
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise Refusal(422, "expected data:TYPE;base64,...", field)
    elif "://" in text[:32]:
        raise Refusal(422, "no address is followed: send the content, as base64", field)
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, "is no base64", field) from None
    if not found:
        raise Refusal(422, "is empty", field)
    return found


def check_name(name: str, field: str = "clip_id") -> str:
    """Return a clip's name. Raises Refusal for one that is too long or cannot be printed."""
    if not 0 < len(name) <= NAME or not name.isprintable():
        raise Refusal(422, f"expected 1 to {NAME} printable characters", field)
    return name


def check_times(times: list[float], field: str) -> tuple[float, ...]:
    """Return the times of pictures. Raises Refusal unless they rise, from 0 to the clip's end."""
    if any(not 0 <= one <= SECONDS for one in times) or any(a >= b for a, b in pairwise(times)):
        raise Refusal(422, f"expected times that rise, from 0 to {SECONDS:g} seconds", field)
    return tuple(times)


def _checked(found: ClipBody, name: str, place: str) -> ClipIn:
    def at(field: str) -> str:
        return f"{place}.{field}" if place else field

    name = check_name(found.clip_id, at("clip_id")) if found.clip_id is not None else name
    if (found.video is None) == (found.pictures is None):
        raise Refusal(422, "expected either a video or pictures", at("video"))
    if found.video is not None:
        return ClipIn(name, (bytes_of(found.video, at("video")),), None, at("video"))
    assert found.pictures is not None
    parts = tuple(bytes_of(one.image, at(f"pictures.{place}.image")) for place, one in enumerate(found.pictures))
    return ClipIn(name, parts, check_times([one.time_s for one in found.pictures], at("pictures")), at("pictures"))


async def _from_form(request: Request, name: str, limits: Limits) -> ClipIn:
    try:
        form = await request.form(max_files=PICTURES[1] + 1, max_fields=PICTURES[1] + 8, max_part_size=MIB)
    except (MultiPartException, ValueError, KeyError, AssertionError) as error:
        words = error.message if isinstance(error, MultiPartException) else "is no multipart form"
        raise Refusal(422, printable_words(words), "body") from None
    except Exception as error:
        if isinstance(error, Refusal):
            raise
        if type(error).__name__ == "HTTPException":  # what starlette makes of a form that it cannot read
            raise Refusal(422, "is no multipart form that can be read", "body") from None
        raise
    try:
        return await _clip_of_form(form, name)
    finally:
        await form.close()


async def _clip_of_form(form: FormData, name: str) -> ClipIn:
    if unknown := sorted(set(form) - set(FORM_FIELDS)):
        raise Refusal(422, f"unknown; there are {', '.join(FORM_FIELDS)}", _plain(unknown[0]))
    for field in FORM_FIELDS:
        texts = field in ("clip_id", "times_s")
        if any(isinstance(one, str) != texts for one in form.getlist(field)):
            raise Refusal(422, "expected a text" if texts else "expected a file", field)
    for field in ("clip_id", "video"):
        if len(form.getlist(field)) > 1:
            raise Refusal(422, "stands more than once", field)
    if "clip_id" in form:
        name = check_name(str(form["clip_id"]))
    videos, pictures = await _files(form, "video"), await _files(form, "pictures")
    if bool(videos) == bool(pictures):
        raise Refusal(422, "expected either a video or pictures", "video")
    if videos:
        if not videos[0]:
            raise Refusal(422, "is empty", "video")
        return ClipIn(name, (videos[0],), None, "video")
    if not PICTURES[0] <= len(pictures) <= PICTURES[1]:
        raise Refusal(422, f"expected {PICTURES[0]} to {PICTURES[1]} pictures", "pictures")
    times = _times([str(one) for one in form.getlist("times_s")])
    if len(times) != len(pictures):
        raise Refusal(422, f"expected {len(pictures)} times, one a picture", "times_s")
    return ClipIn(name, tuple(pictures), check_times(times, "times_s"), "pictures")


async def _files(form: FormData, field: str) -> list[bytes]:
    return [await one.read() for one in form.getlist(field) if isinstance(one, UploadFile)]


def _times(texts: list[str]) -> list[float]:
    """Return times from one text a time, or from one text with commas."""
    parts = texts[0].split(",") if len(texts) == 1 else texts
    try:
        return [float(one) for one in parts if len(one) <= 32]
    except ValueError:
        raise Refusal(422, "expected seconds", "times_s") from None


def _plain(field: str | None) -> str | None:
    return None if field is None else printable_words(field)[:NAME]
