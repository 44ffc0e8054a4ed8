"""Package data: SQL files and JSON Schemas, read through importlib.resources, never through the working directory."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

SCHEMAS = ("prediction", "score", "card", "training")


@cache
def sql(name: str) -> str:
    """The text of harness/sql/NAME.sql: one statement, one named result."""
    return resources.files("harness").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema harness/schemas/NAME.json."""
    return json.loads(resources.files("harness").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8"))
