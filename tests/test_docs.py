"""Documentation says what is so: commands print what the pages show, links lead somewhere, generated parts are fresh.

`python -m tests.docs` brings what is generated, and the outputs of the pages' commands, up to date.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import docs
from tests.docs import FENCE, PAGES, ROOT

READMES = sorted(
    path for path in ROOT.rglob("*.md") if not {".venv", ".git", "node_modules"} & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if docs.consoles(page)], ids=name_of)
def test_consoles_show_what_is_printed(page, home):
    """In the order of the page, since one block may leave a file for the next."""
    stale = []
    with docs.workspace() as folder:
        for command, expected in docs.consoles(page):
            printed = docs.run(command, home, folder)
            if not docs.shown(expected.rstrip("\n") + "\n" if expected.strip() else "", printed):
                stale.append(command)
    assert stale == [], "python -m tests.docs brings them up to date"


def test_a_line_of_dots_stands_for_output_that_is_left_out():
    assert docs.shown("a\n...\nd\n", "a\nb\nc\nd\n")
    assert not docs.shown("a\n...\nd\n", "a\nb\nc\nd\ne\n")
    assert not docs.shown("a\n", "a\nb\n")


@pytest.mark.parametrize(
    ("expected", "printed", "kept"),
    [
        ("a\n...\nd\n", "a\nb\nc\nd\n", "a\n...\nd\n"),  # still holds
        ("a\n...\nd\n", "A\nb\nc\nd\n", "A\n...\nd\n"),  # a line that is shown has changed
        ("a\n...\nd\n", "a\nb\nc\nd\ne\n", "a\n...\nd\ne\n"),  # a new last line
        ("...\nd\n...\n", "b\nc\nd\n", "...\nd\n...\n"),  # nothing is left to leave out
        ("a\nb\n", "a\nB\nc\n", "a\nB\nc\n"),  # nothing is left out
    ],
)
def test_output_is_renewed_as_it_was_trimmed(expected, printed, kept):
    assert docs.trimmed(expected, printed) == kept


def test_no_command_runs_twice():
    """The README and the pages behind it show each output once."""
    commands = [command for page in PAGES for command, _ in docs.consoles(page)]
    assert len(commands) >= 5
    assert sorted(set(commands)) == sorted(commands)


@pytest.mark.parametrize("name", docs.GENERATED)
def test_generated_parts_are_fresh(name):
    found, expected = docs.generated(name)
    assert found == expected, "python -m tests.docs brings it up to date"


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_relative_links_lead_somewhere(path):
    """Code spans and blocks hold no links."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", path.read_text(encoding="utf-8")))
    links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not leads(path, *link.partition("#")[::2])] == []


def leads(path, file, anchor):
    target = path.parent / file if file else path
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(path):
    """Headings as links name them."""
    headings = HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_folder_of_the_house_has_a_readme():
    house = {path.parent for path in READMES}
    folders = {ROOT / name for name in ("reference", "harness", "finetune", "submissions", "reports", "docs")}
    assert folders <= house


def test_every_page_is_listed():
    listed = set(LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in PAGES if page.name != "README.md"} <= listed


def test_words_of_the_glossary_are_linked():
    """Each word is one heading in the order of the alphabet, and some page links it."""
    page = ROOT / "docs" / "words.md"
    words = HEADING.findall(page.read_text(encoding="utf-8"))[1:]
    linked = {link for page in PAGES for link in re.findall(r"words\.md#([\w-]+)", page.read_text(encoding="utf-8"))}
    assert words == sorted(words, key=str.casefold)
    assert anchors(page) - {"words"} <= linked


@pytest.mark.parametrize("page", [page for page in PAGES if docs.blocks(page, "python")], ids=name_of)
def test_python_lines_evaluate(page, monkeypatch):
    """A comment that begins with a value is what the line gives."""
    with docs.workspace() as folder:
        monkeypatch.chdir(folder)
        checked = 0
        for line, expected, value in docs.statements(page):
            assert repr(value).replace("'", '"').startswith(expected), f"{line}: is {value!r}"
            checked += 1
        monkeypatch.undo()
    assert checked >= 1


def test_json_lines_are_predictions():
    """Every example line is valid by the published schema."""
    import jsonschema

    from harness.resources import schema

    validator = jsonschema.Draft202012Validator(schema("prediction"))
    lines = [json.loads(line) for page in PAGES for block in docs.blocks(page, "json") for line in block.splitlines()]
    assert lines and all(validator.is_valid(line) for line in lines)


WORDS = re.compile(r"`(harness [^`\n]+)`|^\$? ?(harness [a-z].*)$", re.MULTILINE)


@pytest.mark.parametrize("path", READMES, ids=name_of)
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
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    code = re.compile(r"`[^`\n]+`|^```[^`]*^```", re.MULTILINE)
    quoted = [text for path in READMES for text in code.findall(path.read_text(encoding="utf-8"))]
    named = {name for text in quoted for name in re.findall(r"\bmake ([a-z-]+)\b", text)}
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


@pytest.mark.parametrize("name", [name for name in docs.WORLD_CARDS if name != "warehouse-v2"])  # half a minute
def test_data_cards_are_what_the_worlds_give(name):
    path, made = docs.world_card(name)
    assert path.read_text(encoding="utf-8") == made


def test_the_score_schema_lists_the_metrics():
    path, made = docs.score_schema()
    assert path.read_text(encoding="utf-8") == made, "python -m tests.docs brings it up to date"
