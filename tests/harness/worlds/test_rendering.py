"""Summary lines of a rendering: the files, the number of clips in words, and the next step."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.worlds.rendering import render, summary_lines
from reference.errors import RenderError

RENDERING = {
    "world": "tiny", "split": "test", "form": "frames", "folder": "out", "clips": 24, "rendered": 24, "left_out": 0,
    "bytes": 1_250_000, "scored": True, "whole": True, "list": "out/clips.jsonl", "truth": None,
    "shard": None,
}  # fmt: skip

LINES = [
    ({}, 0, "tiny / test: 24 clips as frames, 1.2 MB", "a whole split"),
    ({}, -1, "  harness score predictions.jsonl --world tiny --split test", "which can be scored"),
    ({"clips": 1, "rendered": 1, "whole": False}, 0, "tiny / test: 1 clip as frames, 1.2 MB", "--limit 1"),
    ({"rendered": 23}, 0, "tiny / test: 24 clips as frames, 1.2 MB (1 was there already)", "resumed at the last clip"),
    ({"rendered": 4}, 0, "tiny / test: 24 clips as frames, 1.2 MB (20 were there already)", "resumed"),
    ({"left_out": 1}, 2, "  left out, because they lie outside the video: 1 clip", "a short recording"),
    ({"left_out": 160, "scored": False, "whole": False}, 2,
     "  left out, because drawn so they would show what is hidden in them: 160 clips", "--as-domain"),
    ({"whole": False}, -1, "  a part of the split: a score counts the clips that have no answer as wrong", "--limit"),
    ({"truth": "out/truth.jsonl"}, -1, "  out/truth.jsonl: their truth, to learn from", "an open split"),
    ({"scored": False, "whole": False}, -1,
     "  not as the split is judged: every line is marked, use it for comparisons", "--as-domain"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "place", "expected", "why"), LINES, ids=[case[3] for case in LINES])
def test_summary_lines(changes, place, expected, why):
    assert summary_lines(RENDERING | changes)[place] == expected, why


def test_names_are_a_list_or_a_text_with_commas(tmp_path):
    """Both reach the check of the world's domains; a number does not."""
    for names in (["nowhere", " "], "nowhere,", ("nowhere",)):
        with pytest.raises(RenderError, match="has no domain 'nowhere'"):
            render("warehouse-v2", tmp_path / "out", domains=names)
    with pytest.raises(UsageError, match="domains: expected names"):
        render("warehouse-v2", tmp_path / "out", domains=[1])
