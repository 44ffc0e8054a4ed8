"""What rows say of how their frames are counted: refused where frames are read otherwise, in answers and in truth."""

from __future__ import annotations

import json

import pytest

from harness.errors import SubmissionError
from harness.ingestion.formats.documents import array
from harness.ingestion.formats.records import Options
from harness.ingestion.lines.line_checker import check
from harness.ingestion.submission_file import open_submission
from harness.ingestion.vocabulary import Vocabulary
from reference.errors import WorldError
from reference.task import OPERATIONS
from reference.truth.truth_clips import read_truth

ROW = {
    "clip_id": "a",
    "dominant_operation": "Tape",
    "temporal_segment": {"start_frame": 0, "end_frame": 40},
    "next_operation": "Pack",
}
CASES = [
    # what stands in the row, what in its segment, --fps, what the refusal says or nothing
    ({"fps": 10}, {}, None, "give --fps 10"),
    ({"Frame Rate": "30 fps"}, {}, None, "give --fps 30"),
    ({}, {"fps": 29.97}, None, "give --fps 29.97"),
    ({"fps": 25.0, "unit": "frames"}, {"unit": "frame"}, None, ""),
    ({"fps": 30}, {}, 30, ""),
    ({"fps": 25}, {}, 30, "give --fps 25"),
    ({"clip_frames": 150}, {}, None, "give --clip-frames 150"),
    ({}, {"unit": "seconds"}, None, "seconds x 25"),
    ({"units": "ms"}, {}, None, "seconds x 25"),
    ({"in_seconds": True}, {}, None, "seconds x 25"),
    ({"end_inclusive": True}, {}, None, "the frame after the last one"),
    ({}, {"inclusive": "true"}, None, "the frame after the last one"),
    ({"one_based": True}, {}, None, "count the first frame as 0"),
    ({"end_inclusive": False, "zero_based": True, "seconds": 5, "exclusive": "yes"}, {}, None, ""),
    ({"video_fps": 60, "fps": None, "model": "fps"}, {}, None, ""),
]


@pytest.mark.parametrize("beside, inside, fps, says", CASES)
def test_a_row_that_counts_frames_otherwise_is_refused(beside, inside, fps, says, tmp_path):
    row = ROW | beside | {"temporal_segment": ROW["temporal_segment"] | inside}
    problems = check(Vocabulary(OPERATIONS, fps), 1, row, [], json.dumps(row)).problems
    assert says in "".join(problem.sentence for problem in problems) and bool(problems) == bool(says)
    (tmp_path / "truth.jsonl").write_text(json.dumps(row | {"session": "s"}) + "\n")
    if not says:
        assert len(read_truth({tmp_path / "truth.jsonl": "truth.jsonl"}, fps).clips) == 1
        return
    with pytest.raises(WorldError) as refused:
        read_truth({tmp_path / "truth.jsonl": "truth.jsonl"}, fps)
    assert says in str(refused.value)


def test_a_texts_own_words_on_units_refuse_no_line():
    said = json.dumps(ROW | {"fps": 10})
    checked = check(Vocabulary(OPERATIONS), 1, {"clip_id": "a", "raw_output": said}, [])
    assert (checked.problems, checked.row.operation) == ([], OPERATIONS.index("Tape"))


@pytest.mark.parametrize("beside, fps, says", [({"fps": 10}, None, "give --fps 10"), ({"fps": 10}, 10, "")])
def test_a_document_that_counts_frames_otherwise_is_refused(beside, fps, says, tmp_path):
    (tmp_path / "file.json").write_text(json.dumps(beside | {"predictions": [ROW]}))
    with open_submission(tmp_path / "file.json", tmp_path) as source:
        if not says:
            assert len(list(array(source, Options(None, fps)))) == 1
            return
        with pytest.raises(SubmissionError, match=says):
            list(array(source, Options(None)))
