"""The curl lines of docs/serve.md work as they stand."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests import docs
from tests.support import ROOT
from tests.support.serving import ByColour, picture, pictures, served, video

pytestmark = pytest.mark.heavy
PAGE = ROOT / "docs" / "serve.md"
LINES = [line for block in docs.blocks(PAGE, "sh") for line in re.sub(r"\\\n\s*", "", block).splitlines()]


@pytest.fixture(scope="module")
def server():
    with served(ByColour()) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("lines")
    video(found / "clip.mp4", 77)
    for number in (1, 2):
        (found / f"{number}.png").write_bytes(picture(number))
    clips = [pictures(number) for number in (1, 2)]
    (found / "clips.json").write_text(json.dumps(clips))
    (found / "clips.jsonl").write_text("".join(json.dumps(clip) + "\n" for clip in clips))
    return found


@pytest.mark.parametrize("line", LINES)
def test_a_documented_line_gets_an_answer(server, folder, line):
    command = line.replace("http://127.0.0.1:8000", server.url).replace(
        "curl ", "curl --silent --show-error --fail ", 1
    )
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout, done.stderr
    assert '"error"' not in done.stdout


def test_there_are_lines():
    assert len(LINES) >= 8
