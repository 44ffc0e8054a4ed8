"""JSON Schemas of the file formats, as package data."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from reference.resources import text

SCHEMAS = ("prediction", "score", "card", "training")


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema harness/schemas/NAME.json."""
    return json.loads(text(__package__, "schemas", f"{name}.json"))
