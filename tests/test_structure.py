"""The house in order: who imports whom, what is packaged, what lies where, and that ruff and mypy are content."""

from __future__ import annotations

import configparser
import fnmatch
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SCRIPTS = Path(sys.executable).parent
PACKAGES = ("reference", "harness", "finetune")


def tool(*words):
    return subprocess.run([str(SCRIPTS / words[0]), *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    "words",
    [
        ("lint-imports", "--no-cache"),
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--check", "--no-cache", "."),
        ("mypy",),
    ],
    ids=["imports run one way", "lint", "format", "types"],
)
def test_tools_have_nothing_to_say(words):
    done = tool(*words)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def settings():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_contract_covers_every_package():
    """reference <- harness <- finetune; a package that is there is in the contract."""
    layers = settings()["importlinter:contract:dataflow"]["layers"].split()
    expected = [name for name in reversed(PACKAGES) if (ROOT / name / "__init__.py").exists()]
    assert layers == expected
    assert set(settings()["importlinter"]["root_packages"].split()) == set(expected)


def data_files():
    """Everything in the packages that is no module and no cache."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc") and (ROOT / package / "__init__.py").exists():
                yield package, path.relative_to(ROOT / package).as_posix()


def test_every_data_file_is_packaged():
    """Documentation and its pictures apart, which are read where they lie."""
    patterns = {
        name: [part.strip() for part in line.split(",")] for name, line in settings()["options.package_data"].items()
    }
    left_out = [
        f"{package}/{file}"
        for package, file in data_files()
        if not file.endswith((".md", ".png"))
        and not any(fnmatch.fnmatch(file, pattern) for pattern in patterns.get(package, []))
    ]
    assert left_out == []


def test_every_pattern_matches_something():
    files = list(data_files())
    for package, line in settings()["options.package_data"].items():
        for pattern in (part.strip() for part in line.split(",")):
            assert any(name == package and fnmatch.fnmatch(file, pattern) for name, file in files), (
                f"{package}: {pattern}"
            )


def test_every_folder_with_modules_is_a_package():
    """Or `find:` would leave it out of an installation."""
    folders = {path.parent for name in ("reference", "harness") for path in (ROOT / name).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("folder", ["submissions", "reports"])
def test_artefacts_hold_no_code(folder):
    assert list((ROOT / folder).rglob("*.py")) == []


def test_every_sql_file_is_used():
    """By its name, in quotes, somewhere in its package."""
    unused = []
    for package in ("harness", "reference"):
        code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / package).rglob("*.py"))
        unused += [
            path.name
            for path in (ROOT / package).rglob("*.sql")
            if f'"{path.stem}"' not in code and path.name not in code
        ]
    assert unused == []


def test_what_ships_is_installed_with_its_light_dependencies_only():
    """torch and its kin belong to an extra."""
    required = settings()["options"]["install_requires"].split()
    names = {line.split(">")[0].split("=")[0].split("<")[0] for line in required}
    assert not names & {"torch", "transformers", "peft", "decord", "av", "opencv-python", "bitsandbytes"}
