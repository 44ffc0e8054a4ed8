"""Signs that a submission is not what it seems. Flags inform, carry the number that raised them, change no score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness import statistics
from harness.formatting import count
from harness.scoring.metrics import Totals, own_prior, ratio
from reference.task import CLIP_FRAMES

KNOWS_MORE_Z = 3.09
"""Limit of z of `knows_more`, the normal quantile of .999: one honest model in a thousand is flagged."""

PRIOR_ROOM = 0.05
"""Below this distance between prior and ceiling, following the prior is no sign of anything."""
PRIOR_SHARE = 0.95
"""Share of answers that follow T(answered operation) which is flagged whatever else the model does."""
PRIOR_SHARE_WITHOUT_GAIN, GAIN_LIMIT = 0.80, 0.02
"""A smaller share, flagged where the hidden gain over the own prior is below GAIN_LIMIT at its upper limit."""

MIN_ANSWERS = 20
"""Fewer answers may be the same by chance."""
CONSTANT_SHARE = 0.98
EXAMPLE_SEGMENT = (14, 98)
"""The segment of the documented prediction line: a model that copies its prompt's example answers it everywhere."""
EXAMPLE_SHARE = 0.10
FRAME_RATE_ANSWERS, FRAME_RATE_LIMIT = 100, 75

COPY_SHARE = 0.98
"""Share of clips on which two entries must be equal to be called copies."""
COPY_ERRORS, COPY_ERROR_SHARE = 20, 0.90
"""Two good models agree because both are right, so that many shared errors, mostly the same ones, are needed too."""


def flag(name: str, raised: bool | None, number: float | None, limit: float | None, text: str) -> dict[str, Any]:
    """Return one row of the audit. `raised` is None where the check does not apply."""
    return {"flag": name, "raised": raised, "number": number, "limit": limit, "text": text}


def knows_more(totals: Totals) -> dict[str, Any]:
    """Flag a model that is right on hidden clips more often than answers from the frames alone can be.

    D = sum of (right - P(answer | frames)). For answers that depend on the frames alone its mean is 0 and its variance
    the sum of P (1 - P), whatever the skill; an absent answer adds nothing to either. Compares z = D / sqrt(variance)
    with KNOWS_MORE_Z. Where the variance is 0 every answer was certain to be right or wrong, so that any D above 0 is
    knowledge from elsewhere; there is no z then.
    """
    name = "knows_more"
    if np.isnan(totals["hidden_expected_ppm"]) or not totals["n_hidden"]:
        return flag(name, None, None, None, "the world has no process, or the split no hidden clip")
    excess = float(totals["hidden_next_right"] - totals["hidden_expected_ppm"] / 1e6)
    error = math.sqrt(totals["hidden_expected_variance_e12"] / 1e12)
    beyond = f"{excess:+.1f} right answers on hidden clips beyond what the frames allow"
    if not error:
        return flag(name, excess > 0, None, KNOWS_MORE_Z, f"{beyond}; none of the answers is uncertain")
    z = excess / error
    return flag(name, z > KNOWS_MORE_Z, z, KNOWS_MORE_Z, f"{beyond}: z = {z:.2f}, limit {KNOWS_MORE_Z}")


def prior_shaped(sums: Totals, totals: Totals) -> dict[str, Any]:
    """Flag a model whose next operation follows from the answered one by the training transitions alone.

    `sums` [G] per session and `totals` are those of `ClipFacts.sessions` and `ClipFacts.totals`.
    """
    answered = float(totals["pairs_answered"])
    room = (totals["ceiling_ppm"] / 1e6 - totals["prior_right"]) / totals["n"]
    if not answered or np.isnan(room) or room < PRIOR_ROOM:
        text = "prior and ceiling are too close, or there are no answers"
        return flag("prior_shaped", None, None, None, text)
    share = float(totals["pairs_prior"]) / answered
    gain = float(own_prior(totals)["own_prior_gain_hidden"])
    replicates = own_prior({key: totals[key] - sums[key] for key in sums})["own_prior_gain_hidden"][
        sums["n_hidden"] > 0
    ]
    upper = statistics.identity_interval(gain, replicates).high
    no_gain = upper is not None and upper < GAIN_LIMIT
    raised = share >= PRIOR_SHARE or (share >= PRIOR_SHARE_WITHOUT_GAIN and no_gain)
    shown = "not supported" if upper is None else f"{upper:+.3f}"
    text = f"{share:.1%} of answers follow T(answered operation); the upper limit of the hidden gain is {shown}"
    return flag("prior_shaped", raised, share, PRIOR_SHARE, text)


def constants(counts: dict[str, Any]) -> list[dict[str, Any]]:
    """Flag answers that are the same on (nearly) every clip, the format example's, or the truth itself.

    `counts`: the row of sql/audit.sql.
    """
    answered, equal, n = counts["answered"], counts["equal_truth"], counts["n"]
    return [
        _constant("constant_segment", "segment", counts["same_segment"], answered),
        _constant("constant_operation", "operation", counts["same_operation"], answered),
        _constant("constant_next", "next operation", counts["same_next"], answered),
        _constant("constant_confidence", "confidence", counts["same_confidence"], counts["with_confidence"]),
        _example(counts["example_segment"], answered),
        _frame_rate(counts["last_frame"], answered),
        flag(
            "copy_of_truth",
            bool(n and equal == n),
            equal / n,
            1.0,
            f"{equal} of {n} clips equal the truth in all three fields, frame by frame",
        ),
    ]


def _constant(name: str, what: str, n: int, of: int) -> dict[str, Any]:
    share = n / of if of else None
    raised = bool(of >= MIN_ANSWERS and n >= CONSTANT_SHARE * of) if of else None
    return flag(name, raised, share, CONSTANT_SHARE, f"{count(n)} of {count(of)} answers hold the same {what}")


def _example(n: int, answered: int) -> dict[str, Any]:
    share = n / answered if answered else None
    raised = None if share is None else bool(answered >= MIN_ANSWERS and share >= EXAMPLE_SHARE)
    start, end = EXAMPLE_SEGMENT
    text = f"{count(n)} of {count(answered)} answers hold the format example's segment {start}-{end}"
    return flag("example_figures", raised, share, EXAMPLE_SHARE, text)


def _frame_rate(last: int | None, answered: int) -> dict[str, Any]:
    """Flag answers that never reach the last third of a clip: their frames probably count another frame rate."""
    raised = None if last is None else bool(answered >= FRAME_RATE_ANSWERS and last <= FRAME_RATE_LIMIT)
    text = f"no answered segment ends after frame {last} of {CLIP_FRAMES}: if frames were counted otherwise, say --fps"
    return flag("frame_rate", raised, last, FRAME_RATE_LIMIT, text)


def copies(answers: np.ndarray, wrong: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Flag pairs of entries whose answers are nearly all equal, errors included. No answer is like none.

    `answers` [M, N, 4]: operation, start, end, next as integers; `wrong` [M, N]: not fully right. Returns the flagged
    pairs, each with the names in `entries`.
    """
    flagged = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            answered = (answers[[i, j]] >= 0).any(axis=(0, 2))
            same = answered & (answers[i] == answers[j]).all(axis=1)
            both = answered & wrong[i] & wrong[j]
            share = float(ratio(same.sum(), answered.sum()))
            alike = float(ratio((same & both).sum(), both.sum()))
            if share >= COPY_SHARE and both.sum() >= COPY_ERRORS and alike >= COPY_ERROR_SHARE:
                text = f"{names[i]} and {names[j]}: equal on {share:.1%} of clips, {alike:.1%} of shared errors"
                pair = {"entries": [names[i], names[j]]}
                flagged.append(flag("copy_of_entry", True, share, COPY_SHARE, text) | pair)
    return flagged
