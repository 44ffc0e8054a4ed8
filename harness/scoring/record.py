"""The score record: one JSON object that holds all results on one submission (schemas/score.json).

Made from the clip facts alone, in the order in which a reader asks: how good, how certain, where, why, is it genuine.
Values are floats or null, never rounded; the same signature has the same bytes.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness import statistics
from harness.formatting import plural
from harness.metrics_table import FURTHER, METRICS
from harness.rules import Weights
from harness.scoring import audit, failure_modes, metrics, slices
from harness.scoring.metrics import Totals, float_or_none
from harness.scoring.transfer import gaps
from reference.task import saturation_note

if TYPE_CHECKING:
    from harness.scoring.clip_facts import ClipFacts

FORMAT = "warehouse-harness/score-1"
RIGHT_OR_WRONG = ("oca", "tiou50", "aa1", "aa1_hidden")
"""Metrics in which a clip is right or wrong: their intervals are widened where few sessions hold either."""
PLACES = ("second", "third")
"""Operations after the next, as sql/further.sql names them, in the order of FURTHER."""
NO_MAP_INTERVAL = "no interval, it is biased in samples of this size: 95% intervals held 68 to 79%"
"""Note beside mAP: interpolated precision lies above its value on many clips, by .06, .03 and .02 in simulations of 8,
24 and 72 sessions, and delete-one-session intervals do not allow for that."""
NO_PROCESS = "not known, because this world has no process"
"""Note beside an expected metric of an imported world."""
SKILLS = ("skill", "skill_low", "skill_high", "skill_state", "skill_state_low", "skill_state_high")
FIELDS = (("operation", metrics.OPERATION), ("next", metrics.NEXT))


def measure(facts: ClipFacts, weights: Weights) -> dict[str, Any]:
    """Return every section that is computed from the facts; the caller adds what identifies the submission."""
    sums = facts.sessions
    totals = facts.totals()
    if not totals["n"]:
        return _empty_sections()
    replicates = {name: totals[name] - sums[name] for name in sums}
    table = headline(sums, totals, replicates, weights, facts.session_domains)
    # 1 where a segment is longer than DENSE_FRAMES, which is where the whole clip hits it
    note_saturation(table, float(facts.codes["dense"].mean()))
    names = slices.levels(facts.truth.operations, facts.domains, facts.workers, facts.session_names)
    cells = slices.Cells(facts.codes, names, len(sums["n"]))
    return {
        "metrics": table,
        "own_prior": own_prior(sums, totals, replicates),
        "context_gain": context_gain(sums, totals, replicates),
        "further": further(facts),
        "model_only": {name: float_or_none(value) for name, value in metrics.model_only(totals, weights).items()},
        "temporal": temporal(facts, totals, replicates),
        **{name: classification(facts, field) for name, field in FIELDS},
        "detection": detection(facts),
        "segmental": segmental(facts, totals, replicates),
        "calibration": {name: calibration(facts, name, field) for name, field in FIELDS}
        | {"overconfidence": overconfidence(sums, totals, replicates)},
        "latency": latency(facts),
        "funnel": failure_modes.funnel(totals),
        "modes": failure_modes.modes(cells["mode"], facts.examples(), weights, sums),
        "slices": slices.table(cells, weights),
        "transfer": transfer(facts, cells, weights),
        "audit": audit_flags(facts, sums, totals),
    }


def transfer(facts: ClipFacts, cells: slices.Cells, weights: Weights) -> dict[str, Any] | None:
    """Return the gap of each domain to the clean one, or None where the split does not hold both."""
    domains = cells.get("domain", {})
    if gaps.CLEAN not in domains or len(domains) < 2:
        return None
    return gaps.transfer(domains, facts.timelines(), facts.unseen_domains(), weights)


def headline(
    sums: Totals, totals: Totals, replicates: Totals, weights: Weights, domains: np.ndarray | None
) -> dict[str, Any]:
    """Return every headline metric with its interval, what it is measured against, and its skill.

    `domains` [G]: the sessions' domains as integers, which are strata of the intervals where each has two or more of
    the sessions that the metric counts; None where the split has no such parts.
    """
    values, deleted = metrics.headline(totals, weights), metrics.headline(replicates, weights)
    table = {}
    for metric in METRICS:
        name, clips = metric.key, sums[metric.counted]
        holds = clips > 0
        counted = Counted(
            clips[holds],
            sums[metric.right][holds] if name in RIGHT_OR_WRONG else None,
            None if domains is None else strata_of(domains[holds]),
        )
        roles = {role: values[name][role] for role in metrics.ROLES}
        others = {role: deleted[name][role][holds] for role in metrics.ROLES}
        table[name] = _metric(metric.title, roles, others, counted)
        if metric.is_expected and holds.any() and table[name]["value"] is None:
            table[name]["note"] = NO_PROCESS
    return table


class Counted(NamedTuple):
    """Sessions that a metric counts: their clips [G], right clips [G] where a clip is right or wrong, strata [G]."""

    clips: np.ndarray
    right: np.ndarray | None
    strata: np.ndarray | None


def strata_of(domains: np.ndarray) -> np.ndarray | None:
    """Return the domains [G] as strata; None where there is one only, or one has a single session and so no spread."""
    sessions = np.unique(domains, return_counts=True)[1]
    return domains if len(sessions) > 1 and sessions.min() > 1 else None


def note_saturation(table: dict[str, Any], whole_clip_share: float) -> None:
    """Add a warning to tIoU@0.5 where the whole clip as answer hits nearly every clip."""
    notes = (saturation_note(whole_clip_share), table["tiou50"]["note"])
    table["tiou50"]["note"] = "; ".join(note for note in notes if note) or None


def _metric(title: str, roles: dict, others: dict, counted: Counted) -> dict[str, Any]:
    """Return one metric from its roles, their delete-one-session replicates, and the sessions that it counts."""
    interval = statistics.NOT_SUPPORTED
    if len(counted.clips):
        interval = statistics.proportion_interval(roles["value"], others["value"], *counted)
    row = {"value": float_or_none(roles["value"]), "low": interval.low, "high": interval.high}
    row |= {role: float_or_none(roles[role]) for role in metrics.ROLES[1:]}
    base = "floor" if np.isnan(roles["prior"]) else "prior"
    return row | {
        **_skill("skill", base, roles, others, counted, interval),
        **_skill("skill_state", "state_prior", roles, others, counted, interval),
        "n": int(counted.clips.sum()),
        "sessions": len(counted.clips),
        "one_sided": interval.one_sided,
        "strata": "domain" if interval.supported and not interval.one_sided and counted.strata is not None else None,
        "note": _note(title, roles["value"], interval, counted),
    }


def _skill(
    name: str, base: str, roles: dict, others: dict, counted: Counted, interval: statistics.Interval
) -> dict[str, Any]:
    """Return skill above the role `base` with its interval; None where base and ceiling leave no room, or no base."""
    value, around = None, statistics.NOT_SUPPORTED
    if roles["ceiling"] - roles[base] >= metrics.SKILL_ROOM:
        value = float_or_none(metrics.skill_above(roles, roles[base]))
    if value is not None:
        replicates = metrics.skill_above(others, others[base])
        around = _skill_interval(value, replicates, counted, interval, (roles[base], roles["ceiling"]))
    return {name: value, f"{name}_low": around.low, f"{name}_high": around.high}


def _skill_interval(
    skill: float, replicates: np.ndarray, counted: Counted, interval: statistics.Interval, room: tuple[Any, Any]
) -> statistics.Interval:
    """Return the CR3 interval of the whole ratio.

    `interval` is that of the metric's value; `room`: prior or floor, and ceiling.
    """
    # At 0 or 1 no replicate shows an error, so that the ends of the value's one-sided interval are carried over.
    if not interval.one_sided:
        return statistics.identity_interval(skill, replicates, counted.clips, strata=counted.strata)
    base, ceiling = room
    low, high = (float((end - base) / (ceiling - base)) for end in (interval.low, interval.high))
    return interval._replace(low=low, high=high)


def _note(title: str, value: Any, interval: statistics.Interval, counted: Counted) -> str | None:
    """Return what a reader of the interval must know, sentences with "; " between; None for nothing."""
    sessions = len(counted.clips)
    if np.isnan(value):
        return "there is no clip that it counts"
    if not interval.supported and sessions >= statistics.MIN_SESSIONS:
        return "interval not supported: one session holds all that it counts"
    if not interval.supported:
        return f"interval not supported: {plural(sessions, 'session')}, at least {statistics.MIN_SESSIONS} are needed"
    few = f"only {sessions} sessions: take the interval with care" if interval.few_sessions else None
    widened = _few_carriers(title, counted) if interval.widened else None
    return "; ".join(note for note in (few, widened) if note) or None


def _few_carriers(title: str, counted: Counted) -> str:
    """Return the sentence that says how many sessions hold a wrong clip, or a right one, if those are fewer."""
    assert counted.right is not None
    wrong, right = int((counted.right < counted.clips).sum()), int((counted.right > 0).sum())
    holders, kind = (wrong, "wrong") if wrong <= right else (right, "right")
    hold = "holds" if holders == 1 else "hold"
    return f"{title}: only {holders} of {len(counted.clips)} sessions {hold} a {kind} answer, so the interval is wider"


def with_interval(value: Any, replicates: np.ndarray, clips: np.ndarray, scale: float | None = 1.0) -> dict[str, Any]:
    """Return a value with its interval, on the logit scale for a statistic in [0, scale], on its own for None.

    `clips` [G]: how many the statistic counts in each session; a session with none is no cluster of it.
    """
    holds = clips > 0
    replicates, clips = replicates[holds], clips[holds]
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    if scale is None:
        interval = statistics.identity_interval(value, replicates, clips)
        return {"value": float(value), "low": interval.low, "high": interval.high}
    interval = statistics.proportion_interval(value / scale, replicates / scale, clips)
    low, high = (None if end is None else end * scale for end in (interval.low, interval.high))
    return {"value": float(value), "low": low, "high": high}


def own_prior(sums: Totals, totals: Totals, replicates: Totals) -> dict[str, Any]:
    """Return the accuracy of T(answered operation), and AA@1 minus it, on all and on the hidden clips."""
    values, deleted = metrics.own_prior(totals), metrics.own_prior(replicates)
    return {
        name: with_interval(
            values[name],
            deleted[name],
            sums["n_hidden" if "hidden" in name else "n"],
            scale=None if "gain" in name else 1.0,
        )
        for name in values
    }


def context_gain(sums: Totals, totals: Totals, replicates: Totals) -> dict[str, Any]:
    """Return AA@1 minus the second prior on hidden clips, with interval; null for a world without a process."""
    gain, deleted = metrics.context_gain(totals), metrics.context_gain(replicates)
    return with_interval(gain, deleted, sums["n_hidden"], scale=None)


def further(facts: ClipFacts) -> dict[str, Any]:
    """Return AA@2 and AA@3 of the answers that name them; nulls for a place that no answer names."""
    answered = facts.single_row("further_answered")
    sums = facts.further() if any(answered.values()) else {}  # nearly every file has none
    return {key: _further(sums, place, answered[place]) for key, place in zip(FURTHER, PLACES, strict=True)}


def _further(sums: Totals, place: str, answered: int) -> dict[str, Any]:
    if not answered:
        return dict.fromkeys(("value", "low", "high", "floor", "ceiling", "n")) | {"answered": 0}
    totals = {name: column.sum() for name, column in sums.items()}
    replicates = {name: totals[name] - column for name, column in sums.items()}
    roles, n = metrics.further(totals, place), sums[f"n_{place}"]
    row = with_interval(roles["value"], metrics.further(replicates, place)["value"], n)
    bounds = {role: float_or_none(roles[role]) for role in ("floor", "ceiling")}
    return row | bounds | {"n": int(n.sum()), "answered": answered}


def overconfidence(sums: Totals, totals: Totals, replicates: Totals) -> dict[str, Any] | None:
    """Return the mean of stated confidence minus exact probability on hidden clips; None where it is not known."""
    value = metrics.overconfidence(totals)
    if np.isnan(value):
        return None
    row = with_interval(value, metrics.overconfidence(replicates), sums["n_hidden_confidence"], scale=None)
    return {"n": int(totals["n_hidden_confidence"])} | row


def temporal(facts: ClipFacts, totals: Totals, replicates: Totals) -> dict[str, Any]:
    """Return the share of clips above each tIoU threshold, the mean tIoU and the boundary errors in frames."""
    levels = facts.levels()
    whole, n, answered = levels.sum(axis=0), facts.sessions["n_segment"], facts.sessions["n_segment_answered"]
    curve, deleted = metrics.tiou_curve(whole), metrics.tiou_curve(whole - levels)
    edges, edge_replicates = metrics.boundary_errors(totals), metrics.boundary_errors(replicates)
    return {
        "thresholds": [
            {"tiou": k / 20} | with_interval(curve[i], deleted[:, i], n) for i, k in enumerate(metrics.IOU_THRESHOLDS)
        ],
        "mean_over_thresholds": with_interval(curve.mean(), deleted.mean(axis=-1), n),
        "mean_tiou": with_interval(metrics.mean_tiou(totals), metrics.mean_tiou(replicates), n),
        "boundary_errors": {
            "n": int(totals["n_segment_answered"]),
            **{
                name: with_interval(
                    value, edge_replicates[name], answered, scale=1.0 if name.endswith("within_10") else None
                )
                for name, value in edges.items()
            },
            **{f"{name}_abs": value for name, value in facts.single_row("endpoints").items()},
        },
    }


def classification(facts: ClipFacts, field: int) -> dict[str, Any]:
    """Return precision, recall and F1 per class, their means and the confusion matrix of one label (OPERATION or NEXT).

    The means run over the classes that the split's truth holds.
    """
    counts, matrix = facts.confusion(field)
    whole = counts.sum(axis=1)
    hit, answered, support = whole
    present = support > 0
    full = metrics.per_class(hit, answered, support)
    rest = whole[:, None] - counts
    deleted = metrics.per_class(*rest)
    occurs, n = rest[1] + rest[2] > 0, counts[2].sum(axis=1)

    def mean(name: str, seen: np.ndarray) -> dict[str, Any]:
        value = metrics.macro(full[name], seen, present)
        return with_interval(value, metrics.macro(deleted[name], seen, present, full[name]), n)

    labels = facts.truth.operations
    shown = [code for code in range(len(labels)) if present[code] or answered[code]]
    return {
        "accuracy": float(hit.sum() / support.sum()),
        "macro_f1": mean("f1", occurs),
        "balanced_accuracy": mean("recall", rest[2] > 0),
        "weighted_f1": float((full["f1"] * support).sum() / support.sum()),
        "per_class": [
            {"label": labels[code], "support": int(support[code]), "answered": int(answered[code])}
            | {name: float(full[name][code]) for name in full}
            for code in shown
        ],
        "confusion": {
            "truth": list(labels),
            "answer": [*labels, "(no answer)", "(other label)"],
            "counts": matrix.astype(int).tolist(),
        },
    }


def detection(facts: ClipFacts) -> dict[str, Any]:
    """Return mAP over tIoU .5 to .95 without an interval, and the AP at each threshold.

    A clip is one truth and one detection.
    """
    rows = facts.detections()
    counts, _ = facts.confusion(metrics.OPERATION)
    support = counts[2].sum(axis=0)
    edges = np.searchsorted(rows["class"], np.arange(len(support) + 1))
    table = np.stack(
        [
            metrics.average_precision(rows["matched_level"][edges[code] : edges[code + 1]], support[code])
            for code in np.flatnonzero(support)
        ]
    )
    by_threshold = table.mean(axis=0)
    return {
        "map": {"value": float(table.mean(axis=1).mean()), "low": None, "high": None, "note": NO_MAP_INTERVAL},
        "ap": [{"tiou": k / 20, "value": float(by_threshold[i])} for i, k in enumerate(metrics.MAP_THRESHOLDS)],
    }


def segmental(facts: ClipFacts, totals: Totals, replicates: Totals) -> dict[str, Any]:
    """Return the edit score and F1@10, 25, 50 in percent."""
    edit, n = facts.edit(), facts.sessions["n"]
    deleted = (edit.sum() - edit) / max(len(edit) - 1, 1)
    table = {"edit": with_interval(edit.mean(), deleted, n, 100.0)}
    for k in (10, 25, 50):
        value = metrics.segmental_f1(totals, k)
        table[f"f1@{k}"] = with_interval(value, metrics.segmental_f1(replicates, k), n, 100.0)
    return table


def calibration(facts: ClipFacts, name: str, field: int) -> dict[str, Any] | None:
    """Return the calibration of one label of FIELDS; None where no answer states a confidence."""
    rows, sums, totals = facts.calibration_counts(field), facts.sessions, facts.totals()
    if not len(rows["n"]):
        return None
    n = sums[f"n_{name}_confidence"]
    replicates = {column: totals[column] - sums[column] for column in (f"{name}_brier_e12", f"n_{name}_confidence")}
    brier = with_interval(metrics.brier(totals, name), metrics.brier(replicates, name), n)
    return metrics.calibration(rows["ppm"], rows["n"], rows["n_right"]) | {"brier": brier}


def latency(facts: ClipFacts) -> dict[str, Any] | None:
    """Return percentiles of the latency in milliseconds; None where no answer states one."""
    row = facts.single_row("latency")
    if not row["n"]:
        return None
    return {
        "n": row["n"],
        "p50_ms": float(row["p50_ms"]),
        "p95_ms": float(row["p95_ms"]),
        "share_above_10s": row["above_10s"] / row["n"],
    }


def audit_flags(facts: ClipFacts, sums: Totals, totals: Totals) -> list[dict[str, Any]]:
    """Return all checks of a single submission, raised or not."""
    return [
        audit.knows_more(totals),
        audit.prior_shaped(sums, totals),
        *audit.constants(facts.audit_counts()),
    ]


def _empty_sections() -> dict[str, Any]:
    """Return the sections of a rule set that drops every clip: nulls with a note, instead of a division by zero."""
    empty: dict[str, Any] = dict.fromkeys((*metrics.ROLES, "low", "high", *SKILLS))
    metric = empty | {"n": 0, "sessions": 0, "one_sided": False, "strata": None, "note": "the rule set leaves no clip"}
    return {
        "metrics": {each.key: dict(metric) for each in METRICS},
        "funnel": [],
        "modes": [],
        "slices": [],
        "transfer": None,
        "audit": [],
    }


def to_bytes(record: dict[str, Any]) -> bytes:
    """Return a record as UTF-8 JSON, a line a section, in the order of its keys."""
    # Not json's own indentation, with which it takes ten times as long.
    sections = (f"{json.dumps(key)}: {_line(value)}" for key, value in clean(record).items())
    return ("{\n" + ",\n".join(sections) + "\n}\n").encode()


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def clean(value: Any) -> Any:
    """Return a value that JSON can hold: None for NaN, Python's numbers for numpy's."""
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
