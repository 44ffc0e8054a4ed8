"""Answers of the server, as its OpenAPI describes them."""

from __future__ import annotations

from typing import Annotated, Literal

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
