"""Figures of the house: `python -m tests.support.structure` prints what to look at before a change of rooms.

A room is a package. An arrow is an import from one room into another, a circle a set of modules that import each other;
imports inside functions count, those for type checkers alone do not. Verbs are found by a heuristic: a docstring whose
first word is one of NO_VERB is listed as no sentence, and any other passes.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.support import ROOT

PACKAGES = ("reference", "harness", "finetune")
NO_VERB = re.compile(
    "(Of|As|What|Where|Whether|With|Without|How|Also|And|Or|For|From|In|On|At|By|To|When|Which|Who|Not|The same)[ :,]"
)


@cache
def modules() -> dict[str, Path]:
    """Return the files of the packages by dotted name; a package is called as its folder."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room(module: str) -> str:
    return module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]


def rooms() -> dict[str, list[Path]]:
    """Return the files of every room, its `__init__` apart."""
    found = defaultdict(list)
    for module, path in modules().items():
        found[room(module)] += [path] if path.name != "__init__.py" else []
    return found


def imports() -> dict[str, set[str]]:
    """Return the modules that each module imports, at the top or inside a function."""
    return {module: set(_imported(tree(path))) & modules().keys() - {module} for module, path in modules().items()}


def _imported(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            names = (f"{child.module}.{alias.name}" for alias in child.names)
            yield from (name if name in modules() else child.module for name in names)
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _imported(child)


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Return the nodes of a circle, the first one also as the last; an empty list if there is no circle."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def definitions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Yield every function and class with its place, such as `harness/cli.py:12 main`."""
    for path, node in ((file, node) for file in modules().values() for node in ast.walk(tree(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}", node


def parameters() -> dict[str, int]:
    """Return how many parameters each function takes; `self`, `cls`, `*rest` and `**options` do not count."""
    takes = [(name, node.args) for name, node in definitions() if not isinstance(node, ast.ClassDef)]
    lists = [(name, [*args.posonlyargs, *args.args, *args.kwonlyargs]) for name, args in takes]
    return {name: sum(one.arg not in ("self", "cls") for one in listed) for name, listed in lists}


def comment_lines(path: Path) -> int:
    """Return the number of lines that hold a comment alone and speak to a reader."""
    with tokenize.open(path) as file:
        marks = [mark for mark in tokenize.generate_tokens(file.readline) if mark.type == tokenize.COMMENT]
    return sum(bool(re.match(" *# (?!type:|noqa|fmt:)", mark.line)) for mark in marks)


def report() -> Iterator[str]:
    for name, files in sorted(rooms().items()):
        yield f"{name:30}{len(files):3} files {sum(len(path.read_text().splitlines()) for path in files):6,} lines"
    between = sorted({(room(a), room(b)) for a, names in imports().items() for b in names if room(a) != room(b)})
    arrows = [f"{a} -> {', '.join(d for c, d in between if c == a)}" for a in dict.fromkeys(a for a, _ in between)]
    functions = [(name, node) for name, node in definitions() if not isinstance(node, ast.ClassDef)]
    longest = sorted(((node.end_lineno - node.lineno + 1, name) for name, node in functions), reverse=True)[:20]
    many = sorted(((count, name) for name, count in parameters().items() if count > 7), reverse=True)
    texts = [(name, (ast.get_docstring(node) or "").partition("\n")[0]) for name, node in definitions()]
    tables = {
        "rooms import rooms": arrows,
        "modules of a circle": circle(imports()),
        "longest functions": [f"{length:3} {name}" for length, name in longest],
        "functions of more than seven parameters": [f"{count:3} {name}" for count, name in many],
        "docstrings without a verb, by their first word": [f"{a}: {b}" for a, b in texts if NO_VERB.match(b)],
    }
    yield from (text for title, lines in tables.items() for text in (f"\n{title}: {len(lines)}", *lines))
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    yield f"\nlines of comments alone: {sum(map(comment_lines, modules().values()))}, of the README: {len(readme)}"


if __name__ == "__main__":
    print(*report(), sep="\n")
