"""Clips whose ids are whole numbers: tables of all kinds name them, and JSON is told to quote them."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.ingestion.cells import from_text, from_value
from harness.ingestion.lines.line_checker import check
from harness.ingestion.rows import write_rows
from harness.ingestion.submission_file import Limits
from harness.ingestion.vocabulary import Vocabulary
from reference.task import OPERATIONS


@pytest.mark.parametrize("value", [from_text("clip_id", "7"), from_value(7, "clip_id")])
def test_a_cell_of_ids_is_a_text(value):
    assert value == "7"


@pytest.mark.parametrize("as_index", [False, True])
def test_a_data_frame_names_clips_by_integers(as_index, tmp_path):
    frame = pd.DataFrame({"clip_id": [7, 8], "raw_output": ["a", "b"]})
    path = write_rows(frame.set_index("clip_id") if as_index else frame, tmp_path / "rows", Limits())
    assert path.read_text().splitlines() == [
        '{"clip_id": "7", "raw_output": "a"}',
        '{"clip_id": "8", "raw_output": "b"}',
    ]


def test_an_integer_in_json_is_met_with_its_text():
    problems = check(Vocabulary(OPERATIONS), 1, {"clip_id": 7, "raw_output": "x"}, []).problems
    assert [(problem.code, problem.suggestion) for problem in problems] == [("TYPE", 'write "7", in quotes')]
