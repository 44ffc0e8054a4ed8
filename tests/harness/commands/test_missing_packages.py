"""A package that is not installed is answered with a sentence, the command that installs it, and exit code 2."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys

import pytest

from harness.baselines.write import write_baseline
from reference.extras import EXTRAS, install
from tests.support import ROOT

BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""
RUN = """
import shlex, traceback
from harness.cli import main
for line in {lines!r}:
    sys.argv = ["harness", *shlex.split(line)]
    try:
        main()
    except SystemExit as stopped:
        print("->", stopped.code, file=sys.stderr, flush=True)
    except BaseException:
        traceback.print_exc()
"""
DRAWING = ["world preview", "world render --limit 1 -o clips", "report constant.jsonl --frames -o page.html"]
NEEDED = {
    "PIL": DRAWING,
    "thorvg_python": DRAWING,
    "av": ["world render --limit 1 --as video -o videos"],
    "torch": ["predict --model finetune:run -o entry"],
    "ray": ["predict --model baseline:constant --on ray -o entry", "world render --limit 1 --on ray -o clips"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("missing")
    write_baseline("constant", folder / "constant.jsonl")
    return folder


def blocked(module, code, folder):
    """Run code where a module cannot be imported, in the processes that it starts neither."""
    (folder / "sitecustomize.py").write_text(BLOCK.format(module=module))
    environment = os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}
    command = [sys.executable, "-c", f"import sys\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)


@pytest.mark.parametrize("module", NEEDED)
def test_commands_without_an_optional_package(module, folder):
    done = blocked(module, RUN.format(lines=NEEDED[module]), folder)
    extra = next(extra for extra, modules in EXTRAS.items() if module in modules)
    sentence = rf"harness: .+ needs .*{module}\)?: pip install -e '\.\[{extra}\]'.*\n-> 2\n"
    assert re.fullmatch(f"(?:{sentence}){{{len(NEEDED[module])}}}", done.stderr), done.stderr


@pytest.mark.parametrize("module", ["plan", "train", "merge"])
def test_trainings_without_torch(module, folder):
    """Modules run as `python -m` runs them; most import torch before a command of theirs could answer."""
    (folder / "sitecustomize.py").write_text(BLOCK.format(module="torch"))
    environment = {"PYTHONPATH": f"{folder}:{ROOT}", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", f"finetune.{module}"], capture_output=True, text=True, env=environment, cwd=folder
    )
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"error: this needs torch: pip install -e '\.\[finetune\]'.*\n", done.stderr), done.stderr


def test_every_extra_is_known():
    """Each extra that commands need is one of setup.cfg, and the remedy names no package index."""
    extras = configparser.ConfigParser()
    extras.read(ROOT / "setup.cfg")
    assert set(EXTRAS) <= set(extras["options.extras_require"])
    assert install("video").startswith("pip install -e '.[video]'")
