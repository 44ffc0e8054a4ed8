"""Files from outside: what is refused, in which words, and that nothing hangs; JSON Lines and what ends a line."""

from __future__ import annotations

import errno
import json
import os
import socket

import pytest

from reference.errors import HarnessError
from reference.outside_files import json_lines, read_bytes, read_json, read_object, read_text


class Mine(HarnessError):
    pass


def bind(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def a_terabyte(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


STRANGE = [
    ("nothing", lambda path: None, "No such file"),
    ("a folder", lambda path: path.mkdir(), "is a directory"),
    ("a pipe", os.mkfifo, "not a regular file"),
    ("a device", lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    ("a socket", bind, "not a regular file"),
    ("a link to itself", lambda path: path.symlink_to(path), "symbolic links"),
    ("11 bytes", lambda path: path.write_bytes(b"[" + b" " * 9 + b"]"), "has more than 10 bytes, which are not read"),
    ("a terabyte", a_terabyte, "has more than 10 bytes, which are not read"),
    ("Latin-1", lambda path: path.write_bytes(b'"a\n\xe9"'), ":2: not UTF-8 (invalid continuation"),
    ("UTF-16", lambda path: path.write_bytes("[]".encode("utf-16")), "not UTF-8 but UTF-16"),
    ("cut off", lambda path: path.write_bytes(b"[1,"), "not JSON (Expecting value"),
    ("NaN", lambda path: path.write_bytes(b"[NaN]"), "not JSON that is read here (NaN is no JSON)"),
]


@pytest.mark.parametrize(("what", "make", "message"), STRANGE, ids=[case[0] for case in STRANGE])
def test_what_is_refused(what, make, message, tmp_path, monkeypatch):
    """Every fault begins with the file, or with the name by which its user knows it."""
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes
    path = (tmp_path / "x.json").relative_to(tmp_path)
    make(path)
    for place, begins in ((None, "x.json:"), ("the card", "the card:")):
        with pytest.raises(Mine) as caught:
            read_json(path, Mine, 10, place)
        assert str(caught.value).startswith(begins) and message in str(caught.value)


def test_a_file_of_exactly_the_limit(tmp_path):
    (tmp_path / "x.json").write_bytes(b'{"a": "b"}')
    assert read_object(tmp_path / "x.json", Mine, 10) == {"a": "b"}
    assert read_text(tmp_path / "x.json", Mine, 10) == '{"a": "b"}'


@pytest.mark.parametrize(("depth", "good"), [(64, True), (65, False), (100_000, False)])
def test_depth(depth, good, tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[" * depth + '"]["' + "]" * depth)
    if good:
        assert read_json(path, Mine)
    else:
        with pytest.raises(Mine, match="nested deeper than 64"):
            read_json(path, Mine)


def test_no_object(tmp_path):
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(Mine, match=r"x\.json: not a JSON object"):
        read_object(tmp_path / "x.json", Mine)


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(Mine, match="no file can have this name"):
        read_bytes(tmp_path / "a\0b", Mine)


def test_a_machine_without_open_files_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="Too many open files"):
        read_bytes(tmp_path / "x", Mine)


def test_only_a_line_feed_ends_a_line(tmp_path):
    """Texts may hold characters that str.splitlines takes for line ends."""
    rows = [{"text": f"a{char}b"} for char in "\u2028\u2029\x85\x0b\r"]
    file = tmp_path / "rows.jsonl"
    file.write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    assert [row for _, _, row in json_lines(file, Mine)] == rows


def test_a_line_that_is_no_json(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a":\n')
    rows = json_lines(file, Mine)
    assert next(rows) == (0, f"{file}:1", {"a": 1})
    with pytest.raises(Mine, match=r"rows\.jsonl:2: not JSON \(Expecting value"):
        next(rows)
