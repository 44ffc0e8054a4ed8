"""A home folder of its own for the whole run: nothing is read from, or left in, the user's cache."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """HARNESS_HOME, where truth is built once and scores are kept by content."""
    folder = tmp_path_factory.mktemp("home")
    before = os.environ.get("HARNESS_HOME")
    os.environ["HARNESS_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["HARNESS_HOME"]
    else:
        os.environ["HARNESS_HOME"] = before
