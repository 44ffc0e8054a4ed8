"""JSON Lines: what ends a line, and a line that is no JSON."""

from __future__ import annotations

import json

import pytest

from reference.errors import HarnessError
from reference.outside_files import json_lines


def test_only_a_line_feed_ends_a_line(tmp_path):
    """Texts may hold characters that str.splitlines takes for line ends."""
    rows = [{"text": f"a{char}b"} for char in "\u2028\u2029\x85\x0b\r"]
    file = tmp_path / "rows.jsonl"
    file.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    assert [row for _, _, row in json_lines(file, HarnessError)] == rows


def test_a_line_that_is_no_json(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a":\n')
    rows = json_lines(file, HarnessError)
    assert next(rows) == (0, f"{file}:1", {"a": 1})
    with pytest.raises(HarnessError, match=r"rows\.jsonl:2: not JSON \(Expecting value"):
        next(rows)
