"""Refusals: why a request, or one clip of a batch, gets no answer, in words that are meant for the client.

What is refused is a `Refusal`; it says nothing of this machine: no path, no traceback, no environment.
"""

from __future__ import annotations

from typing import Any

KINDS = {
    400: "bad request",
    401: "no access",
    403: "no access",
    404: "not found",
    405: "not found",
    408: "too slow",
    413: "too large",
    415: "unsupported media type",
    422: "invalid",
    429: "too many requests",
    499: "client gone",
    500: "model failed",
    503: "not ready",
    504: "too late",
}
"""Kinds of refusal by HTTP status."""


class Refusal(Exception):
    """Request that gets no answer. `field`: which part of it is wrong; `retry_after_s`: when to come again."""

    def __init__(self, status: int, message: str, field: str | None = None, retry_after_s: int | None = None):
        super().__init__(message)
        self.status, self.message, self.field, self.retry_after_s = status, message, field, retry_after_s

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the JSON object that says so, in the form of OpenAI's errors."""
        error = {
            "message": self.message,
            "type": KINDS.get(self.status, "error"),
            "param": self.field,
            "code": self.status,
        }
        return {"error": error} | ({"request_id": request_id} if request_id else {})

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to it."""
        found = {}
        if self.retry_after_s is not None:
            found["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            found["WWW-Authenticate"] = "Bearer"
        return found
