"""One home folder for a whole run, heavy tests marked, and the order in which workers take the files.

Nothing is read from, or left in, the user's cache. Workers of one run (`pytest -n 2`) share the home, as processes of
one user do: truth, scores and renderings are made once, since every entry of that cache is named by its content. A test
that counts or deletes entries, or registers a world under a name that others use, makes a home of its own.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.workload import LONGEST, is_heavy

GARBAGE = 50_000
"""Objects that are made before garbage is looked for, instead of 700."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER")

# Before BLAS or torch is loaded: the threads of one worker would take the cores of the others.
if WORKER:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave heavy files unread where their tests are not wanted: importing torch takes longer than `make check`."""
    node = collection_path.relative_to(ROOT).as_posix() + "/" * collection_path.is_dir()
    return True if config.option.markexpr == "not heavy" and is_heavy(node) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage less often: with torch and all tests in memory it would take up to half of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(GARBAGE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_heavy(item.nodeid):
            item.add_marker("heavy")
    if WORKER:
        places = {ROOT / name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """Make HARNESS_HOME of this run, which its workers share, and return it."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if WORKER else folder) / "home"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(folder))
        yield folder
