"""What the server's OpenAPI says of requests and refusals that FastAPI cannot know: bodies are read by hand.

A schema cannot say that bytes are a video, that a name can be printed or that times rise: such a request fits its
schema and gets 422.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from harness.serving.intake import completions
from harness.serving.intake.clips_in import FORM, JSON, NDJSON, ClipBody
from harness.serving.limits import NAME, PICTURES
from harness.serving.schemas import ErrorResponse

Responses = dict[int | str, dict[str, Any]]

TOKEN = "token"
"""Name of the way in which a client shows that it may ask."""
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
"""PNG of one black pixel, for examples that can be sent as they are."""
CLIP = {"clip_id": "dock-1", "pictures": [{"image": PICTURE, "time_s": 0.0}, {"image": PICTURE, "time_s": 4.96}]}
CHAT = {
    "model": "any",
    "messages": [
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}] * 2,
        }
    ],
}
_EITHER = [
    {"required": ["video"], "properties": {"video": {"type": "string"}}},
    {"required": ["pictures"], "properties": {"pictures": {"type": "array"}}},
]


def refusals(*statuses: int) -> Responses:
    """Return the answers of a route that refuses with these statuses."""
    return {status: {"model": ErrorResponse} for status in statuses}


PROBED = refusals(400, 403, 500)
"""Refusals of a route that needs no token."""
SHOWN = refusals(400, 401, 403, 500)
"""Refusals of a route that shows something."""
ASKED = refusals(400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)
"""Refusals of a route that asks the model."""


def text_of(media: str, description: str) -> dict[str, Any]:
    """Return the answer of a route that gives a text."""
    return {"description": description, "content": {media: {"schema": {"type": "string"}}}}


def body_of_clip() -> dict[str, Any]:
    """Return the body of a request about one clip, as a form and as JSON."""
    file = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "clip_id": {"type": "string", "minLength": 1, "maxLength": NAME, "description": "a name of yours"},
            "video": file | {"description": "mp4 of five seconds"},
            "pictures": {
                "type": "array",
                "items": file,
                "minItems": PICTURES[0],
                "maxItems": PICTURES[1],
                "description": "JPEG, PNG or WebP, instead of a video",
            },
            "times_s": {
                "type": "array",
                "items": {"type": "number"},
                "description": "seconds from the clip's beginning, one a picture, rising; also as one text with commas",
            },
        },
        "oneOf": [{"required": each["required"]} for each in _EITHER],
    }
    return _body({FORM: {"schema": form}, JSON: {"schema": _clip(), "example": CLIP}})


def body_of_batch(most: int) -> dict[str, Any]:
    """Return the body of a request about several clips, as a list and as a clip a line."""
    clip = {"anyOf": [_clip(), {"description": "anything else gets an error in its place"}]}
    batch = {"type": "array", "items": clip, "minItems": 1, "maxItems": most}
    return _body({JSON: {"schema": batch, "example": [CLIP, CLIP]}, NDJSON: {"schema": clip, "example": CLIP}})


def body_of_chat() -> dict[str, Any]:
    """Return the body of a chat completion."""
    return _body({JSON: {"schema": _inline(completions.Asked), "example": CHAT}})


def ask_for_token(app: FastAPI, open_paths: tuple[str, ...]) -> None:
    """State in the description of all routes but the open ones that they want the server's token."""
    document = app.openapi()  # FastAPI keeps this object, and answers with it
    document["components"]["securitySchemes"] = {TOKEN: {"type": "http", "scheme": "bearer"}}
    for path, item in document["paths"].items():
        if path not in open_paths:
            for operation in item.values():
                operation["security"] = [{TOKEN: []}]


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def _clip() -> dict[str, Any]:
    return _inline(ClipBody) | {"oneOf": _EITHER}


def _inline(model: Any) -> dict[str, Any]:
    """Return a model's JSON schema without references."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return resolved(definitions[value["$ref"].rpartition("/")[2]])
            return {key: resolved(inner) for key, inner in value.items()}
        return [resolved(inner) for inner in value] if isinstance(value, list) else value

    return resolved(schema)
