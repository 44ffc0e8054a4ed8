"""Generate notebook.ipynb from finetune/runs/t4.sh, its only source: `python -m finetune.kaggle.notebook`.

The script is a header and blocks. A block begins with `# %% Title`; the comment lines right after it are its text, in
Markdown, the rest is its code. The first block holds the settings. In the notebook it writes them to a file, and a cell
magic runs each of the others in bash after sourcing that file.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")
BLOCK = re.compile(r"^# %% (.+)\n((?:#.*\n)*)", re.MULTILINE)
SETTINGS = "settings.sh"
# %%bash of IPython 7, which the image has, shows its output at the end: here after hours.
MAGIC = f'''\
import subprocess

from IPython.core.magic import register_cell_magic


@register_cell_magic
def step(line, cell):
    """Run a cell with bash after the settings, print its output line by line, and stop the notebook if it fails."""
    words = ["bash", "-c", "source {SETTINGS}\\n" + cell]
    both = {{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}}
    with subprocess.Popen(words, text=True, errors="replace", **both) as process:
        for printed in process.stdout:
            print(printed, end="", flush=True)
    if process.returncode:
        raise RuntimeError(f"this step failed with exit code {{process.returncode}}; its output is above")
'''


class Block(NamedTuple):
    """Block of the script: a title, its text in Markdown, its code in bash."""

    title: str
    text: str
    code: str


def parse(script: str) -> tuple[str, list[Block]]:
    """Return the header's text and the blocks of a script."""
    header, *parts = BLOCK.split(script)
    blocks = [Block(title, prose(text), code.strip("\n")) for title, text, code in zip(*[iter(parts)] * 3, strict=True)]
    return prose(header.partition("\n")[2]), blocks


def prose(comments: str) -> str:
    """Return comment lines without their marks."""
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in comments.strip().splitlines())


def notebook(script: str) -> dict[str, Any]:
    """Return the notebook of a script in nbformat 4.5."""
    header, (settings, *steps) = parse(script)
    cells = [markdown(header), code(MAGIC)]
    cells += [markdown(heading(settings)), code(f"%%writefile {SETTINGS}\n{settings.code}")]
    for step in steps:
        cells += [markdown(heading(step)), code(f"%%step\n{step.code}")]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [cell | {"id": f"cell-{number:02}"} for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def heading(block: Block) -> str:
    """Return the Markdown of a block: title and text."""
    return f"## {block.title}\n\n{block.text}"


def markdown(text: str) -> dict[str, Any]:
    """Return a cell of Markdown."""
    return {"cell_type": "markdown", "metadata": {}, "source": lines(text)}


def code(text: str) -> dict[str, Any]:
    """Return a cell of code."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines(text)}


def lines(text: str) -> list[str]:
    """Return a cell's text as nbformat keeps it: lines with their ends."""
    return text.strip("\n").splitlines(keepends=True)


def text() -> str:
    """Return the content of notebook.ipynb."""
    script = resources.files("finetune").joinpath("runs", "t4.sh").read_text(encoding="utf-8")
    return json.dumps(notebook(script), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write notebook.ipynb."""
    NOTEBOOK.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
