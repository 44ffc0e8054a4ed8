"""JSON Lines: what ends a line, and a line that is no JSON."""

from __future__ import annotations

import json

import pytest

from reference.files import read_json_lines


def test_only_a_line_feed_ends_a_line(tmp_path):
    """Texts may hold characters that str.splitlines takes for line ends."""
    rows = [{"text": f"a{char}b"} for char in "\u2028\u2029\x85\x0b\r"]
    file = tmp_path / "rows.jsonl"
    file.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    assert list(read_json_lines(file)) == rows


def test_a_line_that_is_no_json(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a":\n')
    rows = read_json_lines(file)
    assert next(rows) == {"a": 1}
    with pytest.raises(ValueError, match="Expecting value"):
        next(rows)
