"""The pieces that a plainly good line is made of, for sql/screen.sql: what may stand between two `":` of a line.

Each piece is a value and the name of the key after it, in the two usual styles: with a space after each colon and
comma, and without.
"""

from __future__ import annotations

from typing import Any

from harness.ingestion.submission_file import SubmissionFile
from harness.ingestion.vocabulary import Vocabulary
from reference.task import FPS

SPACES = (" ", "")
NEXT_NAMES = ("next_operation", "anticipated_next_operation")
AFTER_ANSWER = ("", "confidence", "next_confidence", "latency_ms", "source")


def variables(words: Vocabulary, source: SubmissionFile) -> dict[str, Any]:
    """Variables of sql/vocabulary.sql and sql/screen.sql; positions in the lists are decoded there."""
    spellings, frames, rate = words.spellings(), range(len(words.frames)), words.rate
    return {
        "submission": str(source.path),
        "max_line_size": 2 * source.limits.max_line_bytes,
        "operations": len(words.operations),
        "operation_pieces": [f'{s}"{text}",{s}"temporal_segment' for text in spellings for s in SPACES],
        "start_pieces": [f'{s}{frame},{s}"end_frame' for frame in frames for s in SPACES],
        "end_pieces": [f'{s}{frame}}},{s}"{name}' for frame in frames for name in NEXT_NAMES for s in SPACES],
        "next_pieces": [
            f'{s}"{text}",{s}"{key}' if key else f'{s}"{text}"}}'
            for text in spellings
            for key in AFTER_ANSWER
            for s in SPACES
        ],
        # floor(frame x 25 / rate + 1/2) in integers
        "frame_up": 2 * FPS * rate.denominator,
        "frame_half": rate.numerator,
        "frame_down": 2 * rate.numerator,
    }
