"""What an endpoint of the OpenAI protocol is sent: pictures as data URLs, the prompt, the form of the answer.

`show` is how a clip's frames are shown, and part of an entry's identity, since it decides what a model sees of time:

    timed-frames    before each picture a text with its time, "<0.68 seconds>"
    frames          pictures, then the prompt, which names their times
    video           one mp4 of the frames; the server is told its rate, and not to sample again (vLLM's own fields)

Documented by OpenAI (image_url, response_format) and vLLM (video_url, mm_processor_kwargs, media_io_kwargs).
"""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.prediction.predictor import Question
from reference.outside_files import read_text

SHOW = ("timed-frames", "frames", "video")
IMAGE = ("jpeg", "png")
JSON = ("schema", "object", "none")
"""Forms of an answer that a server can be held to, the strictest first."""
JPEG_QUALITY = 95
PROMPT_BYTES = 64 * 1024


def content(question: Question, text: str, show: str, image: str) -> list[dict[str, Any]]:
    """Return the parts of the message about a clip."""
    if show == "video":
        return [_video(question), {"type": "text", "text": text}]
    parts = list[dict[str, Any]]()
    for frame, seconds in zip(question.frames, question.times, strict=True):
        if show == "timed-frames":
            parts.append({"type": "text", "text": f"<{seconds:.2f} seconds>"})
        parts.append(picture(frame, image))
    return [*parts, {"type": "text", "text": text}]


def picture(frame: NDArray[np.uint8], image: str) -> dict[str, Any]:
    """Return a picture [h, w, 3] as a part of a message."""
    return {"type": "image_url", "image_url": {"url": _data_url(f"image/{image}", picture_file(frame, image))}}


def picture_file(frame: NDArray[np.uint8], image: str) -> bytes:
    """Return a picture [h, w, 3] as the content of a file, `image` being one of IMAGE."""
    from PIL import Image

    file = io.BytesIO()
    options = {"quality": JPEG_QUALITY, "subsampling": 0} if image == "jpeg" else {"compress_level": 1}
    Image.fromarray(frame).save(file, image, **options)
    return file.getvalue()


def _video(question: Question) -> dict[str, Any]:
    """Return the frames of a clip as one mp4, at the rate at which they were taken."""
    from reference.video.encode import encode

    height, width = question.frames.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode(path, question.frames, (width, height), rate(question.times))
        return {"type": "video_url", "video_url": {"url": _data_url("video/mp4", path.read_bytes())}}


def rate(times: Sequence[float] | NDArray[np.float64]) -> Fraction:
    """Return the frames a second of pictures at these times, in seconds."""
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return Fraction((len(times) - 1) / span).limit_denominator(1000) if span > 0 else Fraction(1)


def fields_of_show(show: str, times: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
    """Return the fields of a request that a way of showing needs besides its message."""
    if show != "video":
        return {}
    return {
        "mm_processor_kwargs": {"fps": round(float(rate(times)), 4), "do_sample_frames": False},
        "media_io_kwargs": {"video": {"num_frames": -1}},
    }


def response_format(mode: str, operations: Sequence[str]) -> dict[str, Any] | None:
    """Return the field that holds a server to a form of answer: operations are an enumeration, frames integers."""
    if mode == "none":
        return None
    if mode == "object":
        return {"type": "json_object"}
    label = {"type": "string", "enum": list(operations)}
    frames = {"start_frame": {"type": "integer"}, "end_frame": {"type": "integer"}}
    answer = {
        "dominant_operation": label,
        "temporal_segment": _object(frames),
        "next_operation": label,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": _object(answer)}}


class Prompt:
    """Words of the question: the published prompt, or a template of the user's (Jinja2, sandboxed).

    A template has `prompt` (the published one), `frames` (each with `index` and `seconds`) and `operations`.
    """

    def __init__(self, path: Path | None):
        self.digest: str | None = None
        self._template: Any = None
        if path is not None:
            self._template, self.digest = _template(path)

    def text(self, question: Question, operations: Sequence[str]) -> str:
        """Return the words about a clip. Raises UsageError where the template fails."""
        if self._template is None:
            return question.prompt
        frames = [
            {"index": int(index), "seconds": float(seconds)}
            for index, seconds in zip(question.indices, question.times, strict=True)
        ]
        try:
            return self._template.render(prompt=question.prompt, frames=frames, operations=list(operations))
        except Exception as error:
            raise UsageError(f"--prompt: the template fails on {question.clip_id}: {error!s:.200}") from None


def _template(path: Path) -> tuple[Any, str]:
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    text = read_text(path, UsageError, PROMPT_BYTES, f"--prompt {path}")
    try:
        template = ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(text)
    except TemplateError as error:
        raise UsageError(f"--prompt {path}: {error!s:.200}") from None
    return template, hashlib.sha256(text.encode()).hexdigest()


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
