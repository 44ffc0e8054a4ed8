"""A digest of the code that a derived file depends on, so that no file outlives the definitions behind it.

The code of an entry module is its import closure: the module, all of our own modules that it or they import (at the top
or inside a function; not for type checkers only), the packages they lie in, and the data files beside them (SQL,
schemas, operation maps, prompts, worlds: whatever lies in a subfolder that is no package). Documentation is no code.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OURS = ("reference", "harness", "finetune")
NO_CODE = (".py", ".pyc", ".md", ".png")

# By lines, not by `ast`: parsing a hundred modules would double the time of a score that is looked up. A pattern that
# begins with a newline, not with `^`, is searched for from line to line instead of from character to character.
IMPORT = re.compile(rf"\n *(?:from +((?:{'|'.join(OURS)})\b[\w.]*) +import +(\([^)]*\)|[^\n#]*)|import +([\w., ]+))")
TYPES_ONLY = re.compile(r"\nif TYPE_CHECKING:\n(?: +.*\n|\n)+")


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
    files = {name: path for package in OURS for name, path in _package_files(package)}
    code: set[str] = set()
    seen, waiting = set(), list(entries)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        stem = module.replace(".", "/")
        name = next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if name in files), None)
        if name is not None:
            code.add(name)
            waiting += [module.rpartition(".")[0], *_imports(files[name])]
        elif module in entries:
            raise KeyError(f"no module {module} in {', '.join(OURS)}")
    folders = {_folder(name) for name in code}
    return {name: path for name, path in files.items() if name in code or _is_data(name, folders, files)}


def _package_files(package: str) -> Iterator[tuple[str, Path]]:
    """Yield every file of a package: its name, such as `reference/task.py`, and its path."""
    root = _root(package)
    for folder, below, names in os.walk(root):
        if "__pycache__" in below:
            below.remove("__pycache__")
        path = Path(folder)
        shown = Path(package, path.relative_to(root)).as_posix()
        yield from ((f"{shown}/{name}", path / name) for name in names)


def _root(package: str) -> Path:
    return Path(__file__).parent.parent / package


def _is_data(name: str, folders: set[str], files: dict[str, Path]) -> bool:
    """Return whether a file lies in a subfolder (no package) of one of the folders and is no documentation."""
    folder = _folder(name)
    return _folder(folder) in folders and f"{folder}/__init__.py" not in files and not name.endswith(NO_CODE)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return the dotted names that a module imports; `from a import b` may name the module a.b or something in a."""
    found: list[str] = []
    for module, names, plain in IMPORT.findall(TYPES_ONLY.sub("\n", "\n" + path.read_text(encoding="utf-8"))):
        found += re.findall(r"[\w.]+", plain)
        found += [module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))] if module else []
    return tuple(found)
