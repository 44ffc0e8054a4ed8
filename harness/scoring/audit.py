"""Signs that a submission is not what it seems. Flags inform, carry the number that raised them, change no score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness import statistics
from harness.scoring.metrics import Totals, own_prior, ratio
from reference.task import CLIP_FRAMES

CEILING_LEVEL = 0.999
PRIOR_ROOM = 0.05
CONSTANT_SHARE = 0.98
EXAMPLE_SEGMENT = (14, 98)
"""The segment of the documented prediction line: a model that copies its prompt's example answers it everywhere."""
EXAMPLE_SHARE = 0.10
FRAME_RATE_ANSWERS, FRAME_RATE_LIMIT = 100, 75


def flag(name: str, raised: bool | None, number: float | None, limit: float | None, text: str) -> dict[str, Any]:
    """One row of the audit; `raised` None: the check does not apply here."""
    return {"flag": name, "raised": raised, "number": number, "limit": limit, "text": text}


def above_the_ceiling(name: str, right: np.ndarray, ceiling_ppm: np.ndarray) -> dict[str, Any]:
    """t of the per-session sums of (right - ceiling) [G] against t(.999, G-1): nobody beats the ceiling but by luck."""
    known = not np.isnan(ceiling_ppm).any() and len(right) >= statistics.MIN_SESSIONS
    if not known:
        return flag(name, None, None, None, "no ceiling, or too few sessions")
    excess = right - ceiling_ppm / 1e6
    error = excess.std(ddof=1) / math.sqrt(len(excess))
    t = float(excess.mean() / error) if error > 0 else 0.0
    limit = statistics.t_quantile(CEILING_LEVEL, len(excess) - 1)
    return flag(name, t > limit, t, limit, f"t = {t:.2f} over the sessions' (right - ceiling), limit {limit:.2f}")


def prior_shaped(sums: Totals, totals: Totals) -> dict[str, Any]:
    """Does the next operation follow from the answered one by the training transitions, and from nothing else?"""
    answered = float(totals["pairs_answered"])
    room = (totals["ceiling_ppm"] / 1e6 - totals["prior_right"]) / totals["n"]
    if not answered or np.isnan(room) or room < PRIOR_ROOM:
        return flag("prior_shaped", None, None, None, "no room between prior and ceiling, or no answers")
    share = float(totals["pairs_prior"]) / answered
    gain = float(own_prior(totals)["context_gain_hidden"])
    replicates = own_prior({key: totals[key] - sums[key] for key in sums})["context_gain_hidden"][sums["n_hidden"] > 0]
    upper = statistics.identity_interval(gain, replicates).high
    raised = share >= 0.95 or (share >= 0.80 and upper is not None and upper < 0.02)
    shown = "not supported" if upper is None else f"{upper:+.3f}"
    text = f"{share:.1%} of answers follow T(answered operation); hidden context gain's upper limit {shown}"
    return flag("prior_shaped", raised, share, 0.95, text)


def constants(counts: dict[str, Any]) -> list[dict[str, Any]]:
    """Same segment, label or confidence on (nearly) every clip; the example's figures; the truth itself."""
    answered = counts["answered"]

    def most(name: str, what: str, n: int, of: int) -> dict[str, Any]:
        share = n / of if of else None
        raised = bool(of >= 20 and n >= CONSTANT_SHARE * of) if of else None
        return flag(name, raised, share, CONSTANT_SHARE, f"{n} of {of} answers hold the same {what}")

    example = counts["example_segment"] / answered if answered else None
    copied = None if example is None else bool(answered >= 20 and example >= EXAMPLE_SHARE)
    equal, n = counts["equal_truth"], counts["n"]
    return [
        most("constant_segment", "segment", counts["same_segment"], answered),
        most("constant_operation", "operation", counts["same_operation"], answered),
        most("constant_next", "next operation", counts["same_next"], answered),
        most("constant_confidence", "confidence", counts["same_confidence"], counts["with_confidence"]),
        flag(
            "example_figures",
            copied,
            example,
            EXAMPLE_SHARE,
            f"{counts['example_segment']} of {answered} answers hold the format example's segment 14-98",
        ),
        _frame_rate(counts["last_frame"], answered),
        flag(
            "copy_of_truth",
            bool(n and equal == n),
            equal / n,
            1.0,
            f"{equal} of {n} clips equal the truth in all three fields, frame by frame",
        ),
    ]


def _frame_rate(last: int | None, answered: int) -> dict[str, Any]:
    """Answers that never reach the last third of a clip were probably counted at another frame rate."""
    raised = None if last is None else bool(answered >= FRAME_RATE_ANSWERS and last <= FRAME_RATE_LIMIT)
    text = f"no answered segment ends after frame {last} of {CLIP_FRAMES}: if frames were counted otherwise, say --fps"
    return flag("frame_rate", raised, last, FRAME_RATE_LIMIT, text)


def copies(answers: np.ndarray, wrong: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Pairs of entries that answer alike.

    `answers` [M, N, 4]: operation, start, end, next as codes, -1 where there is none; `wrong` [M, N]: not fully right.
    Flagged: equal triples on >= 98% of clips, and the same wrong answer on >= 90% of the clips both get wrong (>= 20).
    """
    found = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            same = (answers[i] == answers[j]).all(axis=1)
            both = wrong[i] & wrong[j]
            alike = float(ratio((same & both).sum(), both.sum()))
            if same.mean() >= 0.98 and both.sum() >= 20 and alike >= 0.90:
                text = f"{names[i]} and {names[j]}: equal on {same.mean():.1%} of clips, {alike:.1%} of shared errors"
                pair = {"entries": [names[i], names[j]]}
                found.append(flag("copy_of_entry", True, float(same.mean()), 0.98, text) | pair)
    return found
