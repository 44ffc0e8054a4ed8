"""Documentation that cannot drift: what is generated, and what is run. `python -m tests.docs` rewrites the files.

- A fence ```console in README.md holds commands (`$ ...`) and their output: it is what the commands print, at 80
  columns, in the repository's root. Lines `...` stand for output that is left out.
- The data cards of the worlds that ship are what `harness world card` prints.
- Between `<!-- NAME -->` and `<!-- /NAME -->` stands what GENERATED[NAME] returns.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def environment(home: Path) -> dict[str, str]:
    """Plain 80 columns, commands from the running interpreter's environment, truth and scores in `home`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "COLUMNS": "80", "NO_COLOR": "1", "HARNESS_HOME": str(home)}


def run(command: str, home: Path) -> str:
    """What a command prints on both streams."""
    done = subprocess.run(
        ["bash", "-c", f"{command} 2>&1"],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def steps(block: str) -> list[tuple[str, str]]:
    """(command, output) pairs of a console block."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def shown(expected: str, printed: str) -> bool:
    """Whether `expected`, with `...` lines for anything, is what was printed."""
    pattern = "".join(".*?" if line.strip() == "..." else re.escape(line + "\n") for line in expected.splitlines())
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def consoles(path: Path) -> list[tuple[str, str]]:
    text = path.read_text(encoding="utf-8")
    return [step for block in CONSOLE.findall(text) for step in steps(block)]


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand by its words, `()` being `harness` itself."""
    import click

    from harness.cli import cli

    found: list[tuple[str, ...]] = []

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        found.append(words)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                walk(command.get_command(context, name), (*words, name))

    walk(cli, ())
    return found


def command_reference() -> str:
    """Every command's help, at 80 columns."""
    parts = []
    for words in commands():
        name = " ".join(("harness", *words))
        parts.append(f"## {name}\n\n```\n{run(f'{shlex.join(name.split())} --help', ROOT)}```\n")
    return "\n".join(parts)


def mode_table() -> str:
    from harness.scoring.failure_modes import MODES

    rows = [f"| `{mode.name}` | {mode.title} | {mode.meaning} | {mode.field or '-'} |" for mode in MODES]
    return (
        "| mode | shown as | holds when, and no earlier one does | field gain mends |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def adapter_table() -> str:
    from harness.ingestion.formats.registry import ADAPTERS

    rows = [f"| `{adapter.name}` | {adapter.description} |" for adapter in ADAPTERS.values()]
    return "| `--adapter` | reads |\n|---|---|\n" + "\n".join(rows) + "\n"


GENERATED: dict[str, tuple[str, Callable[[], str]]] = {
    "modes": ("harness/README.md", mode_table),
    "adapters": ("harness/README.md", adapter_table),
    "commands": ("harness/commands/README.md", command_reference),
}
"""Marker -> the file that holds it, and what belongs there."""


WORLD_CARDS = ("warehouse-v1", "canonical-v1")


def world_card(name: str) -> tuple[Path, str]:
    """Where the data card of a world that ships stands, and what it says."""
    from harness.worlds.data_card import card

    return ROOT / "reference" / "worlds" / f"{name}.md", card(name)


def generated(name: str) -> tuple[str, str]:
    """The text that stands between the markers, and the one that belongs there."""
    file, make = GENERATED[name]
    found = re.search(
        f"<!-- {name} -->\n\n(.*?)\n<!-- /{name} -->", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL
    )
    assert found, f"{file}: no markers for {name}"
    return found[1], make()


def update(home: Path) -> None:
    for name, (file, _) in GENERATED.items():
        path = ROOT / file
        before, after = (f"<!-- {name} -->\n\n{part}\n<!-- /{name} -->" for part in generated(name))
        path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    for path, text in map(world_card, WORLD_CARDS):
        path.write_text(text, encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(
        CONSOLE.sub(lambda match: _rerun(match[1], home), readme.read_text(encoding="utf-8")), encoding="utf-8"
    )


def _rerun(block: str, home: Path) -> str:
    """Blocks with left-out lines are kept where they still hold."""
    parts = []
    for command, output in steps(block):
        printed = run(command, home)
        parts.append(f"$ {command}\n{output if shown(output.rstrip() + chr(10), printed) else printed}")
    return "```console\n" + "".join(part.rstrip("\n") + "\n\n" for part in parts).rstrip("\n") + "\n```"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        update(Path(folder))
