"""A tiny world for the tests of asking a model."""

from __future__ import annotations

import pytest

from tests.support import hand


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return the path of a file of a tiny world, as a text."""
    path = tmp_path_factory.mktemp("world") / "tiny.toml"
    path.write_text(hand.tiny_world())
    return str(path)
