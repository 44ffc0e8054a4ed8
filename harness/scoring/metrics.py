"""Metric definitions: from sums over clips to values. Arrays in, arrays out; no SQL, no intervals.

Every function takes *totals*: a mapping of column name (sql/sessions.sql) to an array of any one shape. From the sums
of the whole split it returns the value; from delete-one-session sums `[G]` it returns the `[G]` replicates, of which
`statistics` makes an interval. So each metric is written once. What a single clip contributes is decided before, in
sql/facts.sql: which fields are right, and the tIoU of its segment.

Ratios over an empty denominator are NaN: "there is no such clip". Shares are in [0, 1], edit and F1@k in [0, 100],
errors in frames.

Sources: temporal IoU and mAP as ActivityNet (Heilbron et al. 2015), edit and F1@k as MS-TCN (Farha & Gall 2019),
calibration error as Guo et al. 2017, risk-coverage as Geifman & El-Yaniv 2017.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.metrics_table import COMPOSITE, EXPECTED, METRICS, PARTS, SINGLE, Metric
from harness.rules import Weights

Totals = Mapping[str, np.ndarray]

ROLES = ("value", "floor", "prior", "state_prior", "prior_frames", "ceiling")

IOU_THRESHOLDS = tuple(range(2, 20))
"""Thresholds of the tIoU curve in twentieths: .10, .15, ..., .95."""
MAP_THRESHOLDS = tuple(range(10, 20))
"""Thresholds of mean average precision in twentieths: .50, .55, ..., .95."""

OPERATION, NEXT = 0, 1
"""Numbers of the two labels that an answer holds, as in sql/calibration.sql."""

SKILL_ROOM = 0.05
"""Below this distance between prior (or floor) and ceiling nothing is left to measure, and skill is null."""


def ratio(numerator: Any, denominator: Any, empty: float = np.nan) -> np.ndarray:
    """Divide elementwise; return `empty` where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.full(numerator.shape, empty), where=denominator > 0)


def float_or_none(value: Any) -> float | None:
    """Return a number as Python's float; None for None and NaN."""
    return None if value is None or math.isnan(value) else float(value)


def composite(parts: Sequence[np.ndarray], weights: Weights) -> np.ndarray:
    """Return the weighted mean of OCA, tIoU@0.5 and AA@1, arrays of one shape."""
    # Integer weights, because three ones must give exactly 1: (.7 + .1) + .2 does not.
    a, b, c = weights.integers()
    oca, tiou, aa = parts
    return (a * oca + b * tiou + c * aa) / (a + b + c)


def headline(t: Totals, weights: Weights) -> dict[str, dict[str, np.ndarray]]:
    """Return every role (ROLES) of each headline metric: key -> role -> array.

    The floors of all metrics are those of one constant submission, so that the floor of the composite can be reached.
    """
    table = {metric.key: _single(t, metric) for metric in (*SINGLE, *EXPECTED)}
    parts = [table[metric.key] for metric in PARTS]
    # A perfect recogniser knows the operation; of segment and next operation it knows only what training shows.
    recogniser = [table["oca"]["ceiling"], table["tiou50"]["floor"], table["aa1"]["prior"]]
    roles = {role: composite([part[role] for part in parts], weights) for role in ("value", "floor", "ceiling")}
    # The same recogniser with the segments of its eight frames in place of the constant one: shown, in no formula.
    at_frames = [recogniser[0], table["tiou50"]["prior_frames"], recogniser[2]]
    roles |= {"prior": composite(recogniser, weights), "prior_frames": composite(at_frames, weights)}
    table[COMPOSITE.key] = roles | {"state_prior": np.full_like(roles["value"], np.nan)}
    return {metric.key: table[metric.key] for metric in METRICS}


def _single(t: Totals, metric: Metric) -> dict[str, np.ndarray]:
    """Return the roles of a metric that has columns of its own: 1 for a ceiling that it lacks, NaN for another role."""
    clips = t[metric.clips]
    value = ratio(t[metric.right], t[metric.counted]) / (1e6 if metric.is_expected else 1)
    shares = {role: getattr(metric, role) for role in ("floor", "prior", "state_prior", "prior_frames")}
    return {
        "value": value,
        **{role: ratio(t[name], clips) if name else np.full_like(value, np.nan) for role, name in shares.items()},
        "ceiling": ratio(t[metric.ceiling], clips) / 1e6 if metric.ceiling else np.ones_like(value),
    }


def skill(roles: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (value - b) / (ceiling - b), where b is the prior if there is one, else the floor."""
    return skill_above(roles, np.where(np.isnan(roles["prior"]), roles["floor"], roles["prior"]))


def skill_above(roles: Mapping[str, np.ndarray], base: np.ndarray) -> np.ndarray:
    """Return (value - base) / (ceiling - base)."""
    room = roles["ceiling"] - base
    return np.divide(roles["value"] - base, room, out=np.full(room.shape, np.nan), where=room > 0)


def model_only(t: Totals, weights: Weights) -> dict[str, np.ndarray]:
    """Return the headline values with the answers marked `fallback` counted as wrong."""
    model = {metric.right: t[f"model_{metric.right}"] for metric in (*SINGLE, *EXPECTED)}
    return {name: roles["value"] for name, roles in headline({**t, **model}, weights).items()}


def own_prior(t: Totals) -> dict[str, np.ndarray]:
    """Return the accuracy of T(answered operation) and AA@1 minus it, on all and on the hidden clips."""
    everywhere = ratio(t["own_prior_right"], t["n"])
    hidden = ratio(t["hidden_own_prior_right"], t["n_hidden"])
    return {
        "own_prior": everywhere,
        "own_prior_hidden": hidden,
        "own_prior_gain": ratio(t["next_right"], t["n"]) - everywhere,
        "own_prior_gain_hidden": ratio(t["hidden_next_right"], t["n_hidden"]) - hidden,
    }


def context_gain(t: Totals) -> np.ndarray:
    """Return AA@1 minus the second prior on hidden clips: what the model gains from order or motion."""
    return ratio(t["hidden_next_right"] - t["hidden_state_prior_right"], t["n_hidden"])


def further(t: Totals, place: str) -> dict[str, np.ndarray]:
    """Return value, floor and ceiling of AA@2 ("second") or AA@3 ("third"), from the sums of sql/further.sql."""
    n = t[f"n_{place}"]
    return {
        "value": ratio(t[f"{place}_right"], n),
        "floor": ratio(t[f"constant_{place}_right"], n),
        "ceiling": ratio(t[f"{place}_ceiling_ppm"], n) / 1e6,
    }


def brier(t: Totals, field: str) -> np.ndarray:
    """Return the mean squared error of the stated confidence in one label, "operation" or "next"."""
    return ratio(t[f"{field}_brier_e12"] / 1e12, t[f"n_{field}_confidence"])


def overconfidence(t: Totals) -> np.ndarray:
    """Return the mean of stated confidence minus exact probability of the answered next operation, on hidden clips."""
    return ratio((t["hidden_confidence_ppm"] - t["confident_expected_ppm"]) / 1e6, t["n_hidden_confidence"])


def tiou_curve(levels: np.ndarray) -> np.ndarray:
    """Return the share of clips with tIoU >= k/20 `[..., 18]` from the histogram of tIoU in twentieths `[..., 21]`."""
    reached = np.cumsum(levels[..., ::-1], axis=-1)[..., ::-1]
    return ratio(reached[..., IOU_THRESHOLDS], reached[..., :1])


def mean_tiou(t: Totals) -> np.ndarray:
    """Return the mean tIoU over the clips whose segment counts."""
    return ratio(t["iou_e12"] / 1e12, t["n_segment"])


def boundary_errors(t: Totals) -> dict[str, np.ndarray]:
    """Return signed and absolute mean error in frames and the share within 10 frames, over answers with start < end."""
    n = t["n_segment_answered"]
    return {
        f"{edge}_{name}": ratio(t[column.format(edge)], n)
        for edge in ("start", "end")
        for name, column in (("mean", "{}_error"), ("mean_abs", "{}_error_abs"), ("within_10", "{}_within_10"))
    }


def segmental_f1(t: Totals, k: int) -> np.ndarray:
    """Return F1@k in percent."""
    # A clip holds one true and at most one answered segment, so that matching needs no search.
    return 100 * ratio(2 * t[f"segments_matched_{k}"], t["segments_answered"] + t["n"])


def per_class(hit: np.ndarray, answered: np.ndarray, support: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 `[..., C]` from true positives, answers and support; 0 / 0 is 0."""
    return {
        "precision": ratio(hit, answered, empty=0.0),
        "recall": ratio(hit, support, empty=0.0),
        "f1": ratio(2 * hit, answered + support, empty=0.0),
    }


def macro(values: np.ndarray, occurs: np.ndarray, present: np.ndarray, full: np.ndarray | None = None) -> np.ndarray:
    """Return the mean over the classes `present` [C].

    `occurs` and `full`: a class that does not occur in a replicate keeps its value on the full split, because a 0 there
    would pass for an error of the model.
    """
    if full is not None:
        values = np.where(occurs, values, full)
    return values[..., present].mean(axis=-1)


def average_precision(matched: np.ndarray, support: float, thresholds: tuple[int, ...] = MAP_THRESHOLDS) -> np.ndarray:
    """Return the all-points interpolated AP of one class at each threshold, [thresholds].

    `matched` [D]: largest matched twentieth of each detection, best first; `support`: true clips of the class.
    """
    hit = matched >= np.array(thresholds)[:, None]
    precision = np.cumsum(hit, axis=1) / np.arange(1, len(matched) + 1)
    # All-points interpolation (PASCAL VOC since 2010, ActivityNet): the precision at a recall is the best precision at
    # that recall or a larger one, summed over the detections that raise the recall.
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return (envelope * hit).sum(axis=1) / support


def calibration(ppm: np.ndarray, n: np.ndarray, right: np.ndarray, bins: int = 15) -> dict:
    """Return ECE over equal-width bins and the risk-coverage curve from counts by confidence.

    `ppm` [V]: distinct confidences in millionths, descending; `n`, `right` [V]: answers and right answers there.
    Risk at a coverage is the error among the most confident answers, equal confidences together; the area is the mean
    risk over the answers.
    """
    total, confidence = n.sum(), ppm / 1e6
    which = np.minimum(ppm * bins // 1_000_000, bins - 1).astype(int)
    count, hits, mass = (np.bincount(which, weights, bins) for weights in (n, right, n * confidence))
    covered, errors = np.cumsum(n), np.cumsum(n - right)
    risk = errors / covered
    # One mark for each twentieth of coverage; the small offset keeps a share that is exactly reached from rounding up.
    marks = np.unique(np.searchsorted(covered, total * np.arange(1, 21) / 20 - 1e-9))
    return {
        "n": int(total),
        "ece": float(np.abs(hits - mass).sum() / total),
        "risk_coverage_area": float((risk * n).sum() / total),
        "bins": [
            {"low": i / bins, "n": int(count[i]), "confidence": mass[i] / count[i], "accuracy": hits[i] / count[i]}
            for i in range(bins)
            if count[i]
        ],
        "risk_coverage": [{"coverage": float(covered[i] / total), "risk": float(risk[i])} for i in marks],
    }
