"""What the tests of finetune/ share: a Python for commands that need torch."""

from __future__ import annotations

import pytest

from tests.support.warm_python import warm_python


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """Executable that runs Python where torch and its kin are imported."""
    with warm_python(tmp_path_factory.mktemp("python")) as executable:
        yield executable
