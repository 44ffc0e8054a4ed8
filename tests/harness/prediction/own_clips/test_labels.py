"""Operations of a file: every form that one writes them in, and what cannot be a list of operations."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.prediction.own_clips.labels import labels_of_world, read_labels
from reference.task import MEANINGS, OPERATIONS

TWO = ("Tape", "Drive Off")
FORMS = [
    ("Tape\nDrive Off\n", {}, "one a line"),
    ("\ufeffTape\r\n\r\n  Drive Off  ", {}, "by an editor of another system, with an empty line and spaces"),
    ("- Tape: closed: so\n- Drive Off: it leaves", {"Tape": "closed: so", "Drive Off": "it leaves"}, "as prompts do"),
    ("Tape\tclosed  with tape\nDrive Off\t\n", {"Tape": "closed with tape"}, "behind tabs"),
    ('["Tape", "Drive Off: it leaves"]', {"Drive Off": "it leaves"}, "a JSON array"),
    ('{"Tape": null, "Drive Off": "it\\nleaves"}', {"Drive Off": "it leaves"}, "a JSON object"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meanings", "why"), FORMS, ids=[case[2] for case in FORMS])
def test_forms(text, meanings, why, tmp_path):
    path = tmp_path / "operations.txt"
    path.write_bytes(text.encode())
    found = read_labels(path)
    assert (found.operations, dict(found.meanings)) == (TWO, meanings)


def test_a_list_or_dict_is_read_alike():
    assert read_labels(["Tape", "Drive Off: it leaves"]) == read_labels({"Tape": "", "Drive Off": "it leaves"})


REFUSED = [
    ("Tape\n", ": 1 operations, expected 2 to 254", "one alone"),
    ("", ": 0 operations", "none"),
    ("Tape\nPack\ntape\n", ":3: 'tape' cannot be told from the operation of .*:1", "twice, but for case"),
    ("Tape\nPack\nТape\n", ":3: .* cannot be told from the operation of .*:1", "a Cyrillic letter"),
    ("Tape\nPa\u200bck\n", r":2: the operation hides characters: U\+200B", "a character of no width"),
    (f"Tape\n{'x' * 101}\n", ":2: an operation has 1 to 100 characters, not 101", "too long"),
    ("Tape\n- : what\n", ":2: an operation has 1 to 100 characters, not 0", "a description alone"),
    ('["Tape", 7]', r": \[1\]: is 7, expected a text", "a number"),
    ('{"Tape": ["x"]}', ": 'Tape': is an array of 1, expected a text", "an array as description"),
    ('["Tape", "Pack"', ": not JSON", "cut off"),
]


@pytest.mark.parametrize(("text", "message", "why"), REFUSED, ids=[case[2] for case in REFUSED])
def test_refused(text, message, why, tmp_path):
    path = tmp_path / "operations.txt"
    path.write_bytes(text.encode())
    with pytest.raises(UsageError, match=rf"operations\.txt{message}"):
        read_labels(path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes("Tape\nÖffnen".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.txt:2: not UTF-8"):
        read_labels(tmp_path / "latin.txt")
    with pytest.raises(UsageError, match="nowhere: No such file"):
        read_labels(tmp_path / "nowhere")


def test_of_a_world():
    found = labels_of_world("warehouse-v2")
    assert found.operations == OPERATIONS and found.meanings == MEANINGS


def test_a_digest_tells_lists_apart():
    lists = (["Tape", "Pack"], ["Pack", "Tape"], ["Tape: closed", "Pack"], ["Tape", "Wrap"])
    assert len({read_labels(one).digest for one in lists}) == len(lists)
