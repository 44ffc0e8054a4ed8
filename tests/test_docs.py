"""Documentation says what is so: commands print what the README shows, links lead somewhere, generated parts are fresh.

`python -m tests.docs` brings what is generated, and the README's outputs, up to date.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import docs
from tests.docs import ROOT

README = ROOT / "README.md"
READMES = sorted(
    path for path in ROOT.rglob("*.md") if not {".venv", ".git", "node_modules"} & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_consoles_show_what_is_printed(home):
    """In the order of the page, since one block may leave a file for the next."""
    steps = docs.consoles(README)
    stale = []
    for command, expected in steps:
        printed = docs.run(command, home)
        if not docs.shown(expected.rstrip("\n") + "\n" if expected.strip() else "", printed):
            stale.append(command)
    assert len(steps) >= 5 and stale == [], "python -m tests.docs brings them up to date"


@pytest.mark.parametrize("name", docs.GENERATED)
def test_generated_parts_are_fresh(name):
    found, expected = docs.generated(name)
    assert found == expected, "python -m tests.docs brings it up to date"


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path):
    """Code spans and blocks hold no links."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", path.read_text(encoding="utf-8")))
    links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith(("#", "mailto:"))]
    assert [link for link in links if not (path.parent / link.split("#")[0]).exists()] == []


def test_every_folder_of_the_house_has_a_readme():
    house = {path.parent for path in READMES}
    folders = {ROOT / name for name in ("reference", "harness", "finetune", "submissions", "reports")}
    assert folders <= house


def blocks(language):
    return [text for name, text in FENCE.findall(README.read_text(encoding="utf-8")) if name == language]


def test_python_lines_evaluate(monkeypatch):
    """A comment that begins with a value is what the line gives; `...` cuts a number short."""
    monkeypatch.chdir(ROOT)
    checked = 0
    for block in blocks("python"):
        names: dict = {}
        for line in block.splitlines():
            code, _, comment = line.partition("  #")
            if not code.strip():
                continue
            if not isinstance(ast.parse(code).body[0], ast.Expr):
                exec(code, names)
                continue
            value = eval(code, names)
            if expected := re.match(r'\s*("[^"]*"|[0-9.]+)', comment):
                shown = repr(value).replace("'", '"')
                assert shown.startswith(expected[1].rstrip(".")), f"{line}: is {shown}"
                checked += 1
    assert checked >= 2


def test_json_lines_are_predictions():
    """The README's example line is valid by the published schema."""
    import jsonschema

    from harness.resources import schema

    validator = jsonschema.Draft202012Validator(schema("prediction"))
    lines = [json.loads(line) for block in blocks("json") for line in block.splitlines()]
    assert lines and all(validator.is_valid(line) for line in lines)


WORDS = re.compile(r"`(harness [^`\n]+)`|^\$? ?(harness [a-z].*)$", re.MULTILINE)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_named_exist(path):
    """Every `harness ...` in a document, with every option it shows."""
    known = {words: options(words) for words in docs.commands()}
    text = path.read_text(encoding="utf-8")
    for quoted, plain in WORDS.findall(text):
        words = shlex.split((quoted or plain).replace("...", ""), comments=True)[1:]
        command = tuple(words[:1]) if words[0] != "world" else tuple(words[:2])
        if command and not command[0].startswith("-") and command[0].isalpha() and command[0].islower():
            assert command in known, f"{quoted or plain}: no such command"
            asked = {word.split("=")[0] for word in words if word.startswith("--")}
            assert asked <= known[command], f"{quoted or plain}: {asked - known[command]}"


def options(words):
    import click

    from harness.cli import cli

    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    return {"--help"} | {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def test_make_targets_of_the_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    code = re.compile(r"`[^`\n]+`|^```[^`]*^```", re.MULTILINE)
    quoted = [text for path in READMES for text in code.findall(path.read_text(encoding="utf-8"))]
    named = {name for text in quoted for name in re.findall(r"\bmake ([a-z]+)\b", text)}
    assert named and named <= targets


def test_the_schema_command_is_the_schema_file():
    for path in sorted((ROOT / "harness" / "schemas").glob("*.json")):
        done = subprocess.run(
            ["bash", "-c", f"harness schema {path.stem}"],
            capture_output=True,
            text=True,
            check=True,
            env=docs.environment(Path("unused")),
        )
        assert json.loads(done.stdout) == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", docs.WORLD_CARDS)
def test_data_cards_are_what_the_worlds_give(name):
    path, made = docs.world_card(name)
    assert path.read_text(encoding="utf-8") == made
