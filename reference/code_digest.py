"""A digest of the code that a derived file depends on, so that no file outlives the definitions behind it.

The code of an entry module is its import closure: the module, all of our own modules that it or they import (at the top
or inside a function; not for type checkers only), the packages they lie in, and the data files beside them (SQL,
schemas, operation maps, prompts, worlds: whatever lies in a subfolder that is no package). Documentation is no code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

OURS = ("reference", "harness", "finetune")
NO_CODE = {".py", ".pyc", ".md", ".png"}

# By lines, not by `ast`: parsing a hundred modules would double the time of a score that is looked up.
IMPORT = re.compile(r"^ *(?:from +([\w.]+) +import +(\([^)]*\)|[^\n#]*)|import +([\w., ]+))", re.M)
TYPES_ONLY = re.compile(r"^if TYPE_CHECKING:\n(?: +.*\n|\n)+", re.M)


@cache
def code_digest(*entries: str) -> str:
    """Return the SHA-256, hexadecimal, of the code of the entry modules (dotted names): paths and contents."""
    total = hashlib.sha256()
    for name, path in sorted(code_files(*entries).items()):
        content = path.read_bytes()
        total.update(f"{name} {len(content)}\n".encode() + content)
    return total.hexdigest()


def code_files(*entries: str) -> dict[str, Path]:
    """Return the files of the import closure by name, such as `reference/task.py`. Raises KeyError for no module."""
    modules: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        path = _module_file(name)
        if path is None and name in entries:
            raise KeyError(f"no module {name} in {', '.join(OURS)}")
        if path is None or name in modules:
            continue
        modules[name] = path
        waiting += [name.rpartition(".")[0], *_imports(path)]
    data = (file for folder in {path.parent for path in modules.values()} for file in _data_files(folder))
    return {_display_name(path): path for path in (*modules.values(), *data)}


def _module_file(name: str) -> Path | None:
    """Return the file of one of our modules or packages; None for anything else (a class, say, or a library)."""
    top, *rest = name.split(".")
    if top not in OURS:
        return None
    path = _root(top).joinpath(*rest)
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _root(package: str) -> Path:
    return Path(str(resources.files(package)))


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return the dotted names that a module imports; `from a import b` may name the module a.b or something in a."""
    found: list[str] = []
    for module, names, plain in IMPORT.findall(TYPES_ONLY.sub("", path.read_text(encoding="utf-8"))):
        found += re.findall(r"[\w.]+", plain)
        found += [module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))] if module else []
    return tuple(found)


def _data_files(folder: Path) -> Iterator[Path]:
    for below in folder.iterdir():
        if below.is_dir() and not (below / "__init__.py").exists():
            yield from (path for path in below.iterdir() if path.is_file() and path.suffix not in NO_CODE)


def _display_name(path: Path) -> str:
    package = next(package for package in OURS if path.is_relative_to(_root(package)))
    return f"{package}/{path.relative_to(_root(package)).as_posix()}"
