"""One home folder for a whole run, what is heavy, and the order in which workers take the test files.

Nothing is read from, or left in, the user's cache. Workers of one run (`pytest -n 2`) share the home, as processes of a
user do: truth and renderings are made once, and every entry of the cache is named by its content. A test that counts,
deletes or registers things in a home therefore makes one of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import ROOT

WORKER = os.environ.get("PYTEST_XDIST_WORKER")

# Before anything loads BLAS or torch: workers and their threads would take turns on the same cores.
if WORKER:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

HEAVY = (
    "tests/finetune",
    "tests/harness/baselines/test_probe.py",
    "tests/harness/report/test_page.py",
    "tests/harness/report/test_watch.py",
    "tests/reference/drawing",
    "tests/reference/rendering",
    "tests/reference/training",
    "tests/reference/video",
    "tests/support/test_leaks.py",
    "tests/test_docs.py",
)
"""Files and folders that need torch, a browser or pictures. `-m "not heavy"` does not even import them."""

LONGEST = (
    "tests/harness/report/test_page.py",
    "tests/finetune/test_train.py",
    "tests/finetune/test_chain.py",
    "tests/finetune/test_kaggle.py",
    "tests/finetune/test_plan.py",
    "tests/harness/commands/test_cli.py",
    "tests/finetune/test_model.py",
    "tests/harness/scoring/test_oracle.py",
    "tests/harness/baselines/test_probe.py",
    "tests/harness/scoring/test_score.py",
    "tests/harness/comparison/test_pairwise.py",
    "tests/test_docs.py",
)
"""Files that take more than 20 s of a core, longest first: workers take whole files, and a long one that begins last
leaves the others idle."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.option.markexpr == "not heavy" and is_heavy(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_heavy(item.path):
            item.add_marker("heavy")
    if WORKER:
        places = {ROOT / name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


def is_heavy(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / name) for name in HEAVY)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """HARNESS_HOME of this run, shared by its workers."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if WORKER else folder) / "home"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(folder))
        yield folder
