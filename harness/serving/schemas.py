"""Answers of the server, as its OpenAPI describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from harness.usage.fields import TOKENS
from reference.task import CLIP_FRAMES

Frame = Annotated[int, Field(ge=0, le=CLIP_FRAMES)]
Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0)]


class SegmentOut(BaseModel):
    """Part of the clip, end-exclusive."""

    start_frame: Frame
    end_frame: Frame


class UsageOut(BaseModel):
    """Tokens, where the model counts them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


assert tuple(UsageOut.model_fields) == TOKENS


class PredictionResponse(BaseModel):
    """Prediction line (`harness schema prediction`), with what tells the request and the model."""

    clip_id: str
    dominant_operation: str | None
    temporal_segment: SegmentOut | None
    next_operation: str | None
    confidence: Share | None = None
    next_confidence: Share | None = None
    latency_ms: Milliseconds
    raw_output: str | None = None
    source: Literal["model", "repaired", "fallback"]
    usage: UsageOut | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    ttft_ms: Milliseconds | None = None
    model_ms: Milliseconds | None = None
    request_id: str
    card_sha256: Annotated[str, Field(description="digest of the model's card, which /info shows")]


class ErrorOut(BaseModel):
    """What is wrong, in the form of OpenAI's errors."""

    message: str
    type: str
    param: str | None
    code: int


class ErrorResponse(BaseModel):
    """Refusal of a request."""

    error: ErrorOut
    request_id: str | None = None


class BatchError(BaseModel):
    """Clip of a batch that got no answer."""

    clip_id: str
    error: ErrorOut
    request_id: str


class Alive(BaseModel):
    """Probe of the process."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Probe of the service: `ready`, or why no further request is taken."""

    status: str


class Health(BaseModel):
    """Both probes in one."""

    status: Literal["healthy", "unhealthy"]
    state: Literal["loading", "ready", "draining"]
    reason: str | None
    model_loaded: bool


class WantsOut(BaseModel):
    """Pictures that the model wants to see."""

    frames: int
    size: int
    sampler: str


class LimitsOut(BaseModel):
    """How much is taken in, and for how long it is worked on."""

    requests: int
    body_bytes: int
    batch_clips: int
    pictures: list[int]
    deadline_s: float


class Info(BaseModel):
    """What is served."""

    model: str
    card: dict[str, Any]
    card_sha256: str
    operations: list[str]
    meanings: dict[str, str]
    wants: WantsOut | None
    batch_size: int
    limits: LimitsOut
    version: str


class Model(BaseModel):
    """Model, in the form of OpenAI's list."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """The one model, in a list."""

    object: Literal["list"]
    data: list[Model]
