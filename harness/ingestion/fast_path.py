"""Fast path: the pieces that a plainly good line is made of, for sql/screen.sql, which checks all lines at once.

A piece is the text between two `":` of a line: a value and the name of the key after it, in the two usual styles, with
a space after each colon and comma, or without. sql/screen.sql finds a piece's position in one of the lists here and
decodes value and style from it, so the order of the comprehensions below is part of the format:

    operation_pieces   position = spelling * 2 + style
    start_pieces       position = frame * 2 + style
    end_pieces         position = (frame * 2 + name of the next operation) * 2 + style
    next_pieces        position = (spelling * 5 + key after the answer) * 2 + style

where spelling % operations is the label's code (`Vocabulary.spellings`).
"""

from __future__ import annotations

from typing import Any

from harness.ingestion.submission_file import SubmissionFile
from harness.ingestion.vocabulary import Vocabulary
from harness.usage.fields import FIELDS
from reference.task import FPS

SPACES = (" ", "")
NEXT_NAMES = ("next_operation", "anticipated_next_operation")
AFTER_ANSWER = ("", "confidence", "next_confidence", "latency_ms", "source")

_INTEGER = "(0|[1-9][0-9]{0,8})"
_NUMBER = r"((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?)"
_TEXT = r'"([^"\\\x00-\x1f]+)"'
_FORMS = {
    "usage": rf'\{{"input_tokens": ?{_INTEGER}, ?"output_tokens": ?{_INTEGER}'
    rf'(?:, ?"reasoning_tokens": ?{_INTEGER})?(?:, ?"cached_tokens": ?{_INTEGER})?\}}',
    "attempts": "([1-9][0-9]{0,8})",
    "wait_ms": _NUMBER,
    "finish_reason": _TEXT,
    "served_model": _TEXT,
    "ttft_ms": _NUMBER,
    "model_ms": _NUMBER,
}
USAGE_PATTERN = "".join(f'(?:"{name}": ?{_FORMS[name]}(?:, ?|$))?' for name in FIELDS)
"""The plain form of the fields that say what an answer cost; its groups are named in sql/usage_said.sql."""


def variables(words: Vocabulary, source: SubmissionFile) -> dict[str, Any]:
    """Return the variables of sql/vocabulary.sql and sql/screen.sql by name."""
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
        # floor(frame x 25 / rate + 1/2) in integers, as task.round_half_up: (frame x up + half) // down
        "frame_up": 2 * FPS * rate.denominator,
        "frame_half": rate.numerator,
        "frame_down": 2 * rate.numerator,
    }
