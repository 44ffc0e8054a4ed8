"""Documentation that cannot drift: what is generated, and what is run. `python -m tests.docs` rewrites the files.

- A fence ```console in a page holds commands (`$ ...`) and their output, at 80 columns. The commands of a page run in
  their order, in a folder of their own that holds the repository's data folders. A line `...` stands for output that is
  left out.
- A fence ```python holds statements. Where the comment behind an expression begins with a value, the expression has it.
- The data cards of the worlds that ship are what `harness world card` prints.
- Between `<!-- NAME -->` and `<!-- /NAME -->` stands what GENERATED[NAME] returns.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""Pages whose commands and statements are run."""
LINKED = ("reference", "reports", "submissions", "tests")
"""Folders of the repository that the commands of a page may read."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "..."
VALUE = re.compile(r'\s*("[^"]*"|-?[0-9][0-9.]*|True|False|None)')


def environment(home: Path) -> dict[str, str]:
    """Return an environment with plain 80 columns, the interpreter's own commands, and truth and scores in `home`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "COLUMNS": "80", "NO_COLOR": "1", "HARNESS_HOME": str(home)}


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a folder to run a page in. Files that lie in the repository's root are not there, and nothing is left."""
    with tempfile.TemporaryDirectory() as folder:
        for name in LINKED:
            Path(folder, name).symlink_to(ROOT / name)
        yield Path(folder)


def run(command: str, home: Path, folder: Path = ROOT) -> str:
    """Run a command in `folder` and return what it prints on both streams."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(["bash", "-c", f"{command} 2>&1"], cwd=folder, env=environment(home), **options)
    return done.stdout


def steps(block: str) -> list[tuple[str, str]]:
    """Split a console block into pairs of command and output."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def shown(expected: str, printed: str) -> bool:
    """Return whether `expected`, in which a line `...` stands for anything, is what was printed."""
    pattern = "".join(".*?" if line == LEFT_OUT else re.escape(line + "\n") for line in expected.splitlines())
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def trimmed(expected: str, printed: str) -> str:
    """Leave out of `printed` what `expected` leaves out; return `printed` where the two have too little in common."""
    old, new, kept = expected.splitlines(), printed.splitlines(), list[str]()
    for _, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        was, now = old[first:last], new[start:end]
        if LEFT_OUT in was:
            head, tail = was.index(LEFT_OUT), was[::-1].index(LEFT_OUT)
            now = [*now[:head], LEFT_OUT, *now[max(head, len(now) - tail) :]]
        kept += now
    text = "".join(f"{line}\n" for line in kept)
    return text if shown(text, printed) else printed


def consoles(path: Path) -> list[tuple[str, str]]:
    """Return the commands of a page with their outputs, in order."""
    text = path.read_text(encoding="utf-8")
    return [step for block in CONSOLE.findall(text) for step in steps(block)]


def blocks(path: Path, language: str) -> list[str]:
    """Return the contents of a page's fences of one language."""
    return [text for name, text in FENCE.findall(path.read_text(encoding="utf-8")) if name == language]


def statements(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Run a page's Python blocks as one program; yield line, expected value and value of each expression that has one.

    `...` cuts an expected number short.
    """
    names: dict[str, Any] = {"__name__": path.stem}
    for block in blocks(path, "python"):
        lines = block.splitlines()
        for statement in ast.parse(block).body:
            if not isinstance(statement, ast.Expr):
                exec(compile(ast.Module([statement], []), str(path), "exec"), names)
                continue
            value = eval(compile(ast.Expression(statement.value), str(path), "eval"), names)
            line = lines[(statement.end_lineno or 1) - 1]
            if expected := VALUE.match(line.partition("  #")[2]):
                yield line, expected[1].rstrip("."), value


def commands() -> list[tuple[str, ...]]:
    """Return every command and subcommand by its words; `()` is `harness` itself."""
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
    """Return every command's help, at 80 columns."""
    from click.testing import CliRunner

    from harness.cli import cli

    parts = []
    for words in commands():
        shown = CliRunner().invoke(cli, [*words, "--help"], prog_name="harness", terminal_width=78)  # click's, of 80
        parts.append(f"## {' '.join(('harness', *words))}\n\n```\n{shown.output}```\n")
    return "\n".join(parts)


def metric_table() -> str:
    """Return the table of the headline metrics."""
    from harness.metrics_table import METRICS

    rows = [
        f"| `{metric.key}` | {metric.title} | {metric.definition} | {metric.formula} | {list(metric.range)} "
        f"| {'larger' if metric.larger_is_better else 'smaller'} is better "
        f"| {'-' if metric.is_composite else _yes_or_no(metric.in_composite)} | {_yes_or_no(metric.leaves_sealed)} |"
        for metric in METRICS
    ]
    return (
        "| key | title | definition | formula | range | direction | in the score? | may leave a sealed split? |\n"
        "|---|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def mode_table() -> str:
    """Return the table of the failure modes."""
    from harness.scoring.failure_modes import MODES

    rows = [f"| `{mode.name}` | {mode.title} | {mode.meaning} | {mode.field or '-'} |" for mode in MODES]
    return (
        "| mode | shown as | holds when, and no earlier one does | field gain repairs |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def adapter_table() -> str:
    """Return the table of the adapters."""
    from harness.ingestion.formats.registry import ADAPTERS

    rows = [f"| `{adapter.name}` | {adapter.description} |" for adapter in ADAPTERS.values()]
    return "| `--adapter` | reads |\n|---|---|\n" + "\n".join(rows) + "\n"


def gate_section(title: str, start: str) -> str:
    """Return the tables of a section of the page that `make gates` writes, from the line that begins so."""
    page = (ROOT / "tests" / "gates" / "README.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n**The gate")[0]
    return section[section.index(f"\n{start}") + 1 :].rstrip("\n") + "\n"


def gate_demands(title: str) -> str:
    """Return the first table of a section of the page that `make gates` writes: demands, and what was found."""
    page = (ROOT / "tests" / "gates" / "README.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    return (
        table[0] if table else f"Not measured yet with the pictures of this world: `python -m tests.gates {title}`.\n"
    )


def gate_tables() -> str:
    """Return the coverage of the interval gate, a row for sessions alike and a column for a p, and that with domains.

    Taken from the page that `make gates` writes.
    """
    page = (ROOT / "tests" / "gates" / "README.md").read_text(encoding="utf-8")
    section = page.partition("\n## Intervals\n")[2].partition("\n## ")[0]
    gate, domains = (section.partition(f"{title}:\n\n")[2].partition("\n\n")[0] for title in ("Gate", "Domains"))
    coverage: dict[tuple[str, ...], dict[str, str]] = {}
    for row in gate.splitlines()[2:]:
        sessions, clips, correlation, p, covered, *_ = (cell.strip() for cell in row.strip("|").split("|"))
        coverage.setdefault((sessions, clips, correlation), {})[p] = covered
    ps = list(next(iter(coverage.values())))
    header = ["sessions", "clips in one", "correlation", *(f"p = {p}" for p in ps)]
    rows = [header, ["---:"] * len(header), *([*alike, *found.values()] for alike, found in coverage.items())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + f"\n{domains}\n"


def glossary() -> str:
    """Return the words with their explanations, as sections of a page."""
    from harness.words import GLOSSARY

    wrapped = [textwrap.fill(word.text, 120, break_long_words=False, break_on_hyphens=False) for word in GLOSSARY]
    return "\n".join(f"## {word.name}\n\n{text}\n" for word, text in zip(GLOSSARY, wrapped, strict=True))


GENERATED: dict[str, tuple[str, Callable[[], str]]] = {
    "metrics": ("docs/metrics.md", metric_table),
    "modes": ("docs/predictions.md", mode_table),
    "adapters": ("docs/predictions.md", adapter_table),
    "commands": ("docs/commands.md", command_reference),
    "words": ("docs/words.md", glossary),
    "coverage": ("docs/intervals.md", gate_tables),
    "boards": ("docs/intervals.md", partial(gate_section, "Boards and pairs", 'False "below"')),
    "sight": ("docs/worlds.md", partial(gate_demands, "Sight")),
    "validity": ("docs/worlds.md", partial(gate_demands, "Validity")),
    "foresight": ("docs/worlds.md", partial(gate_section, "Foresight", "|")),
}
"""Marker -> the file that holds it, and what belongs there."""

WORLD_CARDS = ("warehouse-v2", "canonical-v1")


def world_card(name: str) -> tuple[Path, str]:
    """Return the path of a shipped world's data card, and what the card says."""
    from harness.worlds.data_card import card

    return ROOT / "reference" / "worlds" / f"{name}.md", card(name)


def score_schema() -> tuple[Path, str]:
    """Return the path of the score record's JSON Schema, and its text with the metrics of METRICS."""
    from harness.metrics_table import METRICS

    path = ROOT / "harness" / "schemas" / "score.json"
    keys = [metric.key for metric in METRICS]
    rows = ",\n".join(f'        "{key}": {{"$ref": "#/$defs/metric"}}' for key in keys)
    fields = f'"required": {json.dumps(keys)},\n      "properties": {{\n{rows}\n      }}'
    text = re.sub(
        r'(    "metrics": \{\n.*?\n      )"required".*?\n      \}',
        lambda match: match[1] + fields,
        path.read_text(encoding="utf-8"),
        count=1,
        flags=re.DOTALL,
    )
    return path, text


def generated(name: str) -> tuple[str, str]:
    """Return the text that stands between the markers, and the text that belongs there."""
    file, make = GENERATED[name]
    found = re.search(
        f"<!-- {name} -->\n\n(.*?)\n<!-- /{name} -->", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL
    )
    assert found, f"{file}: no markers for {name}"
    return found[1], make()


def update(home: Path) -> None:
    """Bring generated parts, data cards and the outputs of commands up to date."""
    for name, (file, _) in GENERATED.items():
        path = ROOT / file
        before, after = (f"<!-- {name} -->\n\n{part}\n<!-- /{name} -->" for part in generated(name))
        path.write_text(path.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    for path, text in (*map(world_card, WORLD_CARDS), score_schema()):
        path.write_text(text, encoding="utf-8")
    for page in PAGES:
        with workspace() as folder:
            text = CONSOLE.sub(lambda match: _rerun(match[1], home, folder), page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")


def _rerun(block: str, home: Path, folder: Path) -> str:
    """Run a block's commands again; what a block leaves out stays left out."""
    parts = [f"$ {command}\n{trimmed(output.rstrip(), run(command, home, folder))}" for command, output in steps(block)]
    return "```console\n" + "".join(part.rstrip("\n") + "\n\n" for part in parts).rstrip("\n") + "\n```"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        update(Path(folder))
