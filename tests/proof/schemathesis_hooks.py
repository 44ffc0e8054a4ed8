"""Types of body that schemathesis cannot send by itself."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """Return a drawn value as the one line of a body."""
    return json.dumps(value).encode() + b"\n"
