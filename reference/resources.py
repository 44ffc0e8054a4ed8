"""Package data (SQL, templates, maps, prompts), read through importlib.resources wherever the package lies."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def text(package: str, *path: str) -> str:
    """Return the UTF-8 text of a data file below a package: `text("reference.rendering", "prompts", "task.txt")`."""
    return resources.files(package).joinpath(*path).read_text(encoding="utf-8")


def sql(package: str, name: str) -> str:
    """Return the statement in a room's own sql/NAME.sql: `sql(__package__, "digest")`. One statement, one result."""
    return text(package, "sql", f"{name}.sql")
