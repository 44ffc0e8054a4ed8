"""Names in truth files: two that merely look alike are refused, as is a word that stands for no name."""

from __future__ import annotations

import json

import pytest

from reference.errors import WorldError
from reference.truth.truth_clips import read_truth

ROW = {"session": "s", "dominant_operation": "Tape", "start_frame": 3, "end_frame": 90, "next_operation": "Label"}


def read(tmp_path, *rows):
    path = tmp_path / "truth.jsonl"
    path.write_text("".join(json.dumps({"clip_id": f"c{n}"} | ROW | row) + "\n" for n, row in enumerate(rows)))
    return read_truth({path: "truth.jsonl"}).clips


ALIKE = [
    # two rows, and what the refusal says
    ({}, {"dominant_operation": "\uff34\uff41\uff50\uff45"}, r"operations '\uff34\uff41\uff50\uff45' and 'Tape' look"),
    ({}, {"dominant_operation": "T\u0430pe"}, "CYRILLIC SMALL LETTER A"),
    ({}, {"next_operation": "L\u0430bel"}, "and 'Label' look alike"),
    ({"dominant_operation": "Glue"}, {"dominant_operation": "Glu\u0435"}, "and 'Glue' look alike"),
    ({}, {"dominant_operation": "Tape\u200b"}, r"U\+200B"),
    ({"session": "s1"}, {"session": "S1"}, "session 'S1' and session 's1' look alike"),
    ({"session": "s1"}, {"session": "s1 "}, "session 's1 ' and session 's1' look alike"),
    ({"session": " s1"}, {"session": "s\uff11"}, "FULLWIDTH DIGIT ONE"),
    ({"worker": "Ann"}, {"worker": "ann"}, "worker 'ann' and worker 'Ann'"),
    ({"domain": "dock 1"}, {"domain": "dock  1"}, "write both alike, or rename one"),
    ({}, {"session": "nan"}, "session is 'nan'.*leave it empty"),
    ({}, {"session": "None"}, "session is 'None'"),
    ({}, {"worker": "<NA>"}, "worker is '<NA>'"),
]


@pytest.mark.parametrize("first, second, message", ALIKE)
def test_names_that_look_alike_are_refused(first, second, message, tmp_path):
    with pytest.raises(WorldError, match=message) as refused:
        read(tmp_path, first, second)
    assert str(refused.value).startswith("truth.jsonl:2: ")


def test_names_that_differ_are_kept(tmp_path):
    rows = [{"session": name, "worker": name} for name in ("s1", "s10", "s-1", "Nancy", "0")]
    assert [clip.session for clip in read(tmp_path, *rows)] == ["s1", "s10", "s-1", "Nancy", "0"]
    spelt = read(
        tmp_path, {}, {"dominant_operation": "TAPE "}, {"dominant_operation": "Klebe", "next_operation": "_klebe2"}
    )
    assert [clip.dominant_operation for clip in spelt] == ["Tape", "Tape", "Klebe"]
