"""A second answer to every number of a score record: loops, dicts and fractions, nothing shared with the harness.

    facts = make_facts(truth, answers, RULES["standard"])
    expected = record(facts, truth, WEIGHTS)

Written from the definitions, slow on purpose. A point estimate is an exact Fraction; an interval recomputes its metric
from the clips, once with each session deleted, and is a float. None stands for "there is no such thing".

`Truth.clips`, one dict a clip: clip_id, session, clip_index, dominant_operation, start_frame, end_frame (exclusive),
next_operation, next_operations (up to three), previous_operation, cut_kind, domain, worker, randomised, off_script,
ceiling_ppm, later_ceilings_ppm, fold, state_prior, next_ppm (by operation), frames_hit; process_oracle works the last
three out from the grammar. What follows from the segment (next visible, dense) is worked out here. An answer is a dict
with operation, start_frame, end_frame, next_operation (None: abstained), next_operations, confidence, next_confidence,
latency_ms, source, and an outcome: answered, unparseable (it took its time all the same) or invalid. A clip without an
answer is missing. Labels are text; one that the world does not know is a wrong answer like any other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from statistics import variance
from typing import Any

from scipy.special import betainc, stdtr, stdtrit

Fact = dict[str, Any]
Facts = Sequence[Fact]
Metric = Callable[[Facts], Fraction | None]

TOLERANCE = 1e-12
CLIP_FRAMES = 125
WEIGHTS = (Fraction(3, 10), Fraction(3, 10), Fraction(4, 10))
HEADLINE = ("oca", "tiou50", "aa1", "score", "aa1_hidden", "aa1_expected", "aa1_hidden_expected")
ROLES = ("value", "floor", "prior", "state_prior", "prior_frames", "ceiling")
NO_ANSWER, OTHER_LABEL = "(no answer)", "(other label)"
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Rules:
    inclusive: bool = False
    drop_missing: bool = False
    drop_degenerate: bool = False
    one_frame_degenerate: bool = False


RULES = {
    "standard": Rules(),
    "inclusive-ends": Rules(inclusive=True),
    "drop-missing": Rules(drop_missing=True),
    "drop-degenerate": Rules(drop_degenerate=True),
    "one-frame-degenerate": Rules(one_frame_degenerate=True),
    "drop-missing,drop-degenerate": Rules(drop_missing=True, drop_degenerate=True),
    "inclusive-ends,drop-missing": Rules(inclusive=True, drop_missing=True),
    "inclusive-ends,one-frame-degenerate": Rules(inclusive=True, one_frame_degenerate=True),
    "drop-degenerate,one-frame-degenerate": Rules(drop_degenerate=True, one_frame_degenerate=True),
    "inclusive-ends,drop-missing,drop-degenerate,one-frame-degenerate": Rules(True, True, True, True),
}


@dataclass(frozen=True)
class Truth:
    """`constants` (operation, segment, next_operation) and `transition` by fold: see `fit`."""

    operations: tuple[str, ...]
    clips: Sequence[Mapping[str, Any]]
    constants: Mapping[int, Mapping[str, Any]]
    transition: Mapping[int, Mapping[str, str]]
    script: Mapping[str, str]


# What memory achieves

Constants = dict[str, Any]


def fit(clips: Sequence[Mapping[str, Any]], operations: Sequence[str]) -> tuple[Constants, dict[str, str]]:
    """Return best constants and usual successors; ties in canonical order, then lowest start, then lowest end."""
    following = [clip["next_operation"] for clip in clips]
    usual = {}
    for label in operations:
        after = [clip["next_operation"] for clip in clips if clip["dominant_operation"] == label]
        usual[label] = majority(after or following, operations)
    constants = {
        "operation": majority([clip["dominant_operation"] for clip in clips], operations),
        "segment": best_segment([(clip["start_frame"], clip["end_frame"]) for clip in clips]),
        "next_operation": majority(following, operations),
        "later": [
            majority([clip["next_operations"][k] for clip in clips if len(clip["next_operations"]) > k], operations)
            for k in (1, 2)
        ],
    }
    return constants, usual


def majority(labels: Sequence[str], operations: Sequence[str]) -> str:
    return max(operations, key=labels.count)


def best_segment(segments: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the first of those that hit most at tIoU >= 0.5."""
    every = [(start, end) for start in range(CLIP_FRAMES) for end in range(start + 1, CLIP_FRAMES + 1)]
    return max(every, key=lambda constant: sum(hits(constant, segment) for segment in segments))


def hits(one: tuple[int, int], other: tuple[int, int]) -> bool:
    overlap = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return 2 * overlap >= one[1] - one[0] + other[1] - other[0] - overlap


# Per clip


def make_facts(truth: Truth, answers: Mapping[str, Mapping[str, Any]], rules: Rules) -> list[Fact]:
    """Return one fact a clip that counts, in session and time order."""
    return [
        fact(truth, clip, answers.get(clip["clip_id"]), rules)
        for clip in truth.clips
        if clip["clip_id"] in answers or not rules.drop_missing
    ]


def fact(truth: Truth, clip: Mapping[str, Any], line: Mapping[str, Any] | None, rules: Rules) -> Fact:
    line = {"outcome": "missing"} if line is None else line
    outcome = line.get("outcome", "answered")
    answer = line if outcome == "answered" else {}
    operation, following = answer.get("operation"), answer.get("next_operation")
    true, given = (clip["start_frame"], clip["end_frame"]), (answer.get("start_frame"), answer.get("end_frame"))
    has_segment = None not in given
    degenerate = has_segment and is_degenerate(given, rules)
    usable = has_segment and not degenerate
    constant, usual = truth.constants[clip["fold"]], truth.transition[clip["fold"]]
    overlap, union = overlap_and_union(true, given, rules) if usable else (0, None)
    constant_iou = Fraction(*overlap_and_union(true, constant["segment"], rules))
    made: Fact = {
        **clip,
        "next_visible": clip["end_frame"] < CLIP_FRAMES,
        "dense": clip["end_frame"] - clip["start_frame"] <= 62,
        "outcome": outcome,
        "operation": operation,
        "given": given,
        "next": following,
        "named": answer.get("next_operations") or [],
        "constant_later": constant.get("later"),
        "has_segment": has_segment,
        "degenerate": degenerate,
        "usable": usable,
        "confidence": answer.get("confidence"),
        "next_confidence": answer.get("next_confidence"),
        "latency_ms": line.get("latency_ms"),
        "source": line.get("source"),
        "operation_right": operation == clip["dominant_operation"],
        "overlap": overlap,
        "union": union,
        "tiou": Fraction(overlap, union) if usable else Fraction(0),
        "next_right": following == clip["next_operation"],
        "counted": not (rules.drop_degenerate and degenerate),
        "start_error": given[0] - true[0] if has_segment else None,
        "end_error": given[1] - true[1] if has_segment else None,
        "prior_right": usual[clip["dominant_operation"]] == clip["next_operation"],
        "state_prior_right": known(clip["state_prior"], clip["state_prior"] == clip["next_operation"]),
        "chance": chance(clip, following, truth),
        "own_prior": usual.get(operation),
        "own_prior_right": usual.get(operation) == clip["next_operation"],
        "constant_operation_right": constant["operation"] == clip["dominant_operation"],
        "constant_segment_hit": constant_iou >= HALF and not is_degenerate(constant["segment"], rules),
        "constant_next_right": constant["next_operation"] == clip["next_operation"],
        "script_next": truth.script.get(clip["dominant_operation"]),
    }
    made["segment_hit"] = made["tiou"] >= HALF
    made["twentieths"] = math.floor(20 * made["tiou"])
    made["mode"] = mode_of(made, rules)
    return made


def known(fact: Any, value: Any) -> Any:
    """Return the value, or None where the fact behind it is not there."""
    return None if fact is None else value


def chance(clip: Mapping[str, Any], following: str | None, truth: Truth) -> Fraction | None:
    """Return the exact probability of the answered next operation: 0 without one, None without a process."""
    ppm = clip["next_ppm"]
    place = truth.operations.index(following) if following in truth.operations else None
    return known(ppm, Fraction(0) if place is None else Fraction(ppm[place], 1_000_000)) if ppm else None


def is_degenerate(segment: tuple[int, int], rules: Rules) -> bool:
    """Say whether a segment ends before it has begun, or holds a single frame where that is too few."""
    frames = range(*segment)
    return not frames or (rules.one_frame_degenerate and len(frames) == 1)


def overlap_and_union(one: tuple[int, int], other: tuple[int, int], rules: Rules) -> tuple[int, int]:
    """Count the frames in both and in either; an inclusive end belongs to its segment."""
    first, second = (set(range(start, end + rules.inclusive)) for start, end in (one, other))
    return len(first & second), len(first | second)


def mode_of(f: Fact, rules: Rules) -> str:
    """Return the first mode that applies."""
    if f["outcome"] != "answered":
        return f["outcome"]
    if f["operation"] is None or f["next"] is None or not f["has_segment"]:
        return "abstained"
    if not f["operation_right"]:
        if f["operation"] == f["previous_operation"]:
            return "confused_previous"
        return "confused_next" if f["operation"] == f["next_operation"] else "confused_other"
    if not f["segment_hit"]:
        return segment_mode(f, rules)
    if f["next_right"]:
        return "correct"
    if f["off_script"] and f["next"] == f["script_next"]:
        return "next_script"
    return "next_repeats" if f["next"] == f["operation"] else "next_other"


def segment_mode(f: Fact, rules: Rules) -> str:
    if f["degenerate"]:
        return "degenerate"
    answered = f["given"][1] - f["given"][0] + rules.inclusive
    length = f["end_frame"] - f["start_frame"] + rules.inclusive
    if answered >= 120:
        return "whole_clip"
    if not f["overlap"]:
        return "disjoint"
    if Fraction(answered, length) > Fraction(4, 3):
        return "too_long"
    if Fraction(answered, length) < Fraction(3, 4):
        return "too_short"
    if abs(f["end_error"]) > abs(f["start_error"]):
        return "end_early" if f["end_error"] < 0 else "end_late"
    return "start_early" if f["start_error"] < 0 else "start_late"


# Point estimates: facts -> Fraction, None over no clip


def share(facts: Facts, key: str) -> Fraction | None:
    return Fraction(sum(map(bool, map(itemgetter(key), facts))), len(facts)) if facts else None


def mean(values: Iterable[Any]) -> Fraction | None:
    values = list(values)
    return Fraction(sum(values)) / len(values) if values else None


def with_counted_segment(facts: Facts) -> list[Fact]:
    """Return the clips that tIoU counts: all, but for the degenerate answers that a rule set drops."""
    return [f for f in facts if f["counted"]]


def with_hidden_next(facts: Facts) -> list[Fact]:
    return [f for f in facts if not f["next_visible"]]


def weighted_sum(weights: Sequence[Fraction], parts: Iterable[Fraction | None]) -> Fraction | None:
    parts = list(parts)
    return None if None in parts else sum(w * part for w, part in zip(weights, parts, strict=True))


def ceiling(facts: Facts) -> Fraction | None:
    if not facts or any(f["ceiling_ppm"] is None for f in facts):
        return None
    return mean(f["ceiling_ppm"] for f in facts) / 1_000_000


def known_share(key: str) -> Metric:
    """Return the mean of what only a process knows; None over no clip, or where a clip does not know it."""
    return lambda facts: None if not facts or any(f[key] is None for f in facts) else mean(f[key] for f in facts)


def segment_share(facts: Facts) -> Fraction | None:
    return share(with_counted_segment(facts), "segment_hit")


def headline(name: str, weights: Sequence[Fraction]) -> dict[str, Metric]:
    """Return the roles of a headline metric as functions of its clips."""
    nothing: Metric = lambda facts: None  # noqa: E731
    one: Metric = lambda facts: Fraction(1)  # noqa: E731

    def of(key: str) -> Metric:
        return lambda facts: share(facts, key)

    def composite(operation: Metric, segment: Metric, following: Metric) -> Metric:
        return lambda facts: weighted_sum(weights, (operation(facts), segment(facts), following(facts)))

    state, frames = known_share("state_prior_right"), known_share("frames_hit")
    operation = (of("operation_right"), of("constant_operation_right"), nothing, nothing, nothing, one)
    segment = (segment_share, of("constant_segment_hit"), nothing, nothing, frames, one)
    following = (of("next_right"), of("constant_next_right"), of("prior_right"), state, nothing, ceiling)
    expected = (known_share("chance"), *following[1:])
    whole = (
        composite(operation[0], segment[0], following[0]),
        composite(operation[1], segment[1], following[1]),
        composite(one, segment[1], of("prior_right")),
        nothing,
        composite(one, frames, of("prior_right")),
        composite(one, one, ceiling),
    )
    table = {"oca": operation, "tiou50": segment, "aa1": following, "aa1_hidden": following, "score": whole}
    table |= {"aa1_expected": expected, "aa1_hidden_expected": expected}
    return dict(zip(ROLES, table[name], strict=True))


def clips_of(name: str, facts: Facts) -> list[Fact]:
    """Return the clips that a headline metric counts."""
    return with_hidden_next(facts) if name in ("aa1_hidden", "aa1_hidden_expected") else list(facts)


def among_of(name: str) -> Callable[[Facts], Facts]:
    return with_counted_segment if name == "tiou50" else list


def base_of(roles: Mapping[str, Metric]) -> Metric:
    """Return what skill is measured from: the prior, or the floor where there is none."""
    return lambda facts: roles["floor"](facts) if roles["prior"](facts) is None else roles["prior"](facts)


def skill_of(roles: Mapping[str, Metric], above: Metric) -> Metric:
    def skill(facts: Facts) -> Fraction | None:
        value, base, top = roles["value"](facts), above(facts), roles["ceiling"](facts)
        return None if None in (value, base, top) or top <= base else (value - base) / (top - base)

    return skill


def skill_of_ends(roles: Mapping[str, Metric], above: Metric, facts: Facts, interval: Interval) -> Interval:
    """Return the skill that the ends of the value's interval would have."""
    base, top = float(above(facts)), roles["ceiling"](facts)
    low, high = ((end - base) / (float(top) - base) for end in (interval.low, interval.high))
    return Interval(low, high)


def room(roles: Mapping[str, Metric], above: Metric, facts: Facts) -> Fraction | None:
    base, top = above(facts), roles["ceiling"](facts)
    return None if None in (base, top) else top - base


def without_fallbacks(facts: Facts) -> list[Fact]:
    """Return the facts with fallback answers counted as wrong."""
    wrong = {"operation_right": False, "segment_hit": False, "next_right": False}
    return [
        {**f, **wrong, "chance": known(f["chance"], Fraction(0))} if f["source"] == "fallback" else f for f in facts
    ]


def reaches(f: Fact, threshold: Fraction) -> bool:
    """Return whether a clip's tIoU reaches a threshold of whole twentieths, in integers: fractions compare slowly."""
    return f["twentieths"] * threshold.denominator >= 20 * threshold.numerator


def share_reaching(threshold: Fraction) -> Metric:
    return lambda facts: mean(reaches(f, threshold) for f in facts)


THRESHOLDS = [Fraction(k, 20) for k in range(2, 20)]


def mean_over_thresholds(facts: Facts) -> Fraction | None:
    return mean(share_reaching(t)(facts) for t in THRESHOLDS) if facts else None


def class_counts(facts: Facts, labels: Iterable[str], true: str, given: str) -> dict[str, tuple[int, int, int]]:
    """Count true positives, false positives and false negatives of each label."""
    hit, wrong, missed = Counter(), Counter(), Counter()
    for f in facts:
        if f[true] == f[given]:
            hit[f[true]] += 1
        else:
            missed[f[true]] += 1
            wrong[f[given]] += 1
    return {label: (hit[label], wrong[label], missed[label]) for label in labels}


def quotient(numerator: int, denominator: int) -> Fraction:
    return Fraction(numerator, denominator) if denominator else Fraction(0)


def precision_recall_f1(hit: int, wrong: int, missed: int) -> tuple[Fraction, Fraction, Fraction]:
    return quotient(hit, hit + wrong), quotient(hit, hit + missed), quotient(2 * hit, 2 * hit + wrong + missed)


def macro(whole: Facts, true: str, given: str, which: int) -> Metric:
    """Return the mean recall (1) or F1 (2) over the classes of the whole split's truth.

    A class that a deletion leaves without anything to count keeps its full-sample value: F1 where it neither occurs nor
    is answered, recall where it does not occur.
    """
    classes = sorted({f[true] for f in whole})
    counts = class_counts(whole, classes, true, given)
    full = {label: precision_recall_f1(*counts[label])[which] for label in classes}

    def value(facts: Facts) -> Fraction | None:
        values = []
        for label, (hit, wrong, missed) in class_counts(facts, classes, true, given).items():
            exists = hit + missed if which == 1 else hit + wrong + missed
            values.append(precision_recall_f1(hit, wrong, missed)[which] if exists else full[label])
        return mean(values)

    return value


def rank_detections(facts: Facts, label: str) -> list[Fact]:
    """Return the detections of a class, the surest first."""
    found = [f for f in facts if f["operation"] == label and f["has_segment"]]
    return sorted(found, key=lambda f: (-(1 if f["confidence"] is None else f["confidence"]), f["clip_id"]))


def average_precisions(facts: Facts, label: str, thresholds: Sequence[Fraction]) -> list[Fraction]:
    """Return the area under the interpolated precision-recall curve of a class that the truth holds."""
    support, detections = sum(f["dominant_operation"] == label for f in facts), rank_detections(facts, label)
    return [
        area([f["operation_right"] and reaches(f, threshold) for f in detections]) / support for threshold in thresholds
    ]


def area(hits: Sequence[bool]) -> Fraction:
    """Add up over the hits, the surest first, the best precision from there on."""
    precisions = [Fraction(sum(hits[:rank]), rank) for rank in range(1, len(hits) + 1)]
    best, total = Fraction(0), Fraction(0)
    for precision, hit in zip(reversed(precisions), reversed(hits), strict=True):
        best = max(best, precision)
        total += best * hit
    return total


def mean_average_precision(facts: Facts, thresholds: Sequence[Fraction]) -> Fraction | None:
    return mean(
        mean(average_precisions(facts, label, thresholds)) for label in {f["dominant_operation"] for f in facts}
    )


def by_session(facts: Facts) -> dict[str, list[Fact]]:
    sessions: dict[str, list[Fact]] = {}
    for f in facts:
        sessions.setdefault(f["session"], []).append(f)
    return sessions


def has_answered_segment(f: Fact) -> bool:
    return f["operation"] is not None and f["has_segment"]


def edit(facts: Facts) -> Fraction | None:
    """Return the mean over sessions, in percent."""
    return mean(session_edit(members) for members in by_session(facts).values())


def session_edit(members: Facts) -> Fraction:
    members = sorted(members, key=lambda f: f["clip_index"])
    true = [f["dominant_operation"] for f in members]
    given = [f["operation"] for f in members if has_answered_segment(f)]
    return 100 * (1 - Fraction(levenshtein(true, given), max(len(true), len(given))))


def levenshtein(one: Sequence[str], other: Sequence[str]) -> int:
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(other) + 1)}
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            change = table[i - 1, j - 1] + (one[i - 1] != other[j - 1])
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, change)
    return table[len(one), len(other)]


def segmental_f1(k: int) -> Metric:
    """Return F1@k. A clip's only true segment can be matched by its only answered one alone."""

    def value(facts: Facts) -> Fraction | None:
        answered = [f for f in facts if has_answered_segment(f)]
        hit = sum(f["operation_right"] and reaches(f, Fraction(k, 100)) for f in answered)
        return 100 * precision_recall_f1(hit, len(answered) - hit, len(facts) - hit)[2]

    return value


def nearest_rank(values: Iterable[Any], share_below: Fraction) -> Any:
    """Return the smallest value that at least this share of the values does not exceed."""
    values = sorted(values)
    return next((v for i, v in enumerate(values, 1) if i >= share_below * len(values)), None)


# Intervals: the metric again with each session deleted


@dataclass(frozen=True)
class Interval:
    low: float | None = None
    high: float | None = None
    one_sided: bool = False


def sessions_of(facts: Facts) -> list[str]:
    return list(dict.fromkeys(f["session"] for f in facts))


Among = Callable[[Facts], Facts]
"""The clips that a metric counts among those that it is given; the sessions that hold one are its clusters."""


def sizes_of(facts: Facts) -> list[int]:
    """Return the clips of each session."""
    return [len(members) for members in by_session(facts).values()]


def replicates_of(metric: Metric, facts: Facts, among: Among) -> list[Fraction | None]:
    return [metric([f for f in facts if f["session"] != session]) for session in sessions_of(among(facts))]


def standard_error(value: Fraction, replicates: Sequence[Fraction]) -> float:
    """Return the CR3 error: delete-one-session, centred on the full estimate."""
    sessions = len(replicates)
    return math.sqrt(Fraction(sessions - 1, sessions) * sum((r - value) ** 2 for r in replicates))


def t_quantile(df: float) -> float:
    return float(stdtrit(df, 0.975))


def degrees_of_freedom(sizes: Sequence[int]) -> Fraction:
    """Return Bell and McCaffrey's degrees of freedom of a mean over sessions of these sizes, as a sum over pairs.

    1 / v is the sum of w^2 and, over all pairs of different sessions, of q x q.
    """
    shares = [Fraction(size, sum(sizes)) for size in sizes]
    q = [w * w / (1 - w) for w in shares]
    total = sum(q)
    pairs = sum(a * (total - a) for a in q)
    return 1 / (sum(w * w for w in shares) + pairs)


def domains_of(facts: Facts) -> dict[str, list[str]] | None:
    """Return the sessions of each domain; None without a process, for one domain, or where one has a single session."""
    if any(f["domain"] is None or f["ceiling_ppm"] is None for f in facts):
        return None
    domains: dict[str, list[str]] = {}
    for session, members in by_session(facts).items():
        domains.setdefault(members[0]["domain"], []).append(session)
    return domains if len(domains) >= 2 and all(len(sessions) >= 2 for sessions in domains.values()) else None


def error_and_df(
    value: Fraction, replicates: Sequence[Fraction], facts: Facts, stratified: bool
) -> tuple[float, float]:
    """Return the standard error and its degrees of freedom; `facts`: the clips that are counted.

    Stratified: K times the sample variance of a domain's K sessions, summed over the domains.
    """
    sizes = dict(zip(sessions_of(facts), sizes_of(facts), strict=True))
    domains = domains_of(facts) if stratified else None
    if domains is None:
        return standard_error(value, replicates), float(degrees_of_freedom(list(sizes.values())))
    shrink = Fraction(len(replicates) - 1, len(replicates))
    part = {session: shrink * (r - value) for session, r in zip(sizes, replicates, strict=True)}
    variances = {name: len(own) * variance([part[one] for one in own]) for name, own in domains.items()}
    squares = sum(
        variances[name] ** 2 / degrees_of_freedom([sizes[one] for one in own]) for name, own in domains.items()
    )
    total = sum(variances.values())
    return math.sqrt(total), float(total**2 / squares) if squares else 1.0


def value_and_replicates(metric: Metric, facts: Facts, among: Among = list) -> tuple[Fraction, list[Fraction]] | None:
    """Return value and replicates; None below five sessions, or where one session holds all that is counted."""
    if len(sessions_of(among(facts))) < 5:
        return None
    value, replicates = metric(facts), replicates_of(metric, facts, among)
    return None if None in (value, *replicates) else (value, replicates)


def logit_interval(
    metric: Metric,
    facts: Facts,
    scale: int = 1,
    among: Among = list,
    right: str | None = None,
    stratified: bool = False,
) -> Interval:
    """Return the interval of a statistic in [0, scale]; `right`: the field that is 1 on a right clip of a share."""
    found = value_and_replicates(metric, facts, among)
    if found is None:
        return Interval()
    value, replicates = found[0] / scale, [r / scale for r in found[1]]
    counted = among(facts)
    few = right is not None and fewest_carriers(counted, right) < 5
    exact = clopper_pearson(value, effective_size(sizes_of(counted))) if few or value in (0, 1) else Interval()
    if value in (0, 1):
        return Interval(scale * exact.low, scale * exact.high, True)
    centre = math.log(value / (1 - value))
    error, df = error_and_df(value, replicates, counted, stratified)
    half = t_quantile(df) * error / float(value * (1 - value))
    low, high = (1 / (1 + math.exp(-(centre + side * half))) for side in (-1, 1))
    if few:
        low, high = min(low, exact.low), max(high, exact.high)
    return Interval(scale * low, scale * high)


def fewest_carriers(facts: Facts, right: str) -> int:
    """Return how many sessions hold a right clip, or a wrong one, whichever are fewer."""
    return min(
        sum(any(bool(f[right]) is kind for f in members) for members in by_session(facts).values())
        for kind in (True, False)
    )


def effective_size(sizes: Sequence[int]) -> Fraction:
    """Return n / (1 + .2 (m - 1)), where m is the size of the session in which a clip lies, on average over clips."""
    m = Fraction(sum(size * size for size in sizes), sum(sizes))
    return sum(sizes) / (1 + Fraction(1, 5) * (m - 1))


def clopper_pearson(share: Fraction, n: Fraction) -> Interval:
    """Return the shares at which so many right clips or more, and so many or fewer, have a chance of 2.5%.

    The chance of k or more of n is the incomplete beta function I_x(k, n - k + 1), which continues it to any k and n.
    """
    right = share * n
    low = 0.0 if share == 0 else bisected(lambda x: float(betainc(float(right), float(n - right + 1), x)), 0.025)
    high = 1.0 if share == 1 else bisected(lambda x: float(betainc(float(right + 1), float(n - right), x)), 0.975)
    return Interval(low, high)


def bisected(rising: Callable[[float], float], target: float) -> float:
    """Return where a rising function on [0, 1] reaches the target."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return middle


def identity_interval(
    metric: Metric, facts: Facts, cut: bool = False, among: Among = list, stratified: bool = False
) -> Interval:
    found = value_and_replicates(metric, facts, among)
    if found is None:
        return Interval()
    error, df = error_and_df(*found, among(facts), stratified)
    half = t_quantile(df) * error
    low, high = float(found[0]) - half, float(found[0]) + half
    return Interval(max(low, 0.0), high) if cut else Interval(low, high)


def estimate(metric: Metric, facts: Facts, scale: int = 1) -> dict[str, Any]:
    interval = logit_interval(metric, facts, scale)
    return {"value": metric(facts), "low": interval.low, "high": interval.high}


def difference(metric: Metric, facts: Facts) -> dict[str, Any]:
    """Return value and interval of frames and differences, on their own scale."""
    interval = identity_interval(metric, facts)
    return {"value": metric(facts), "low": interval.low, "high": interval.high}


# The record


def record(facts: Facts, truth: Truth, weights: Sequence[Fraction] = WEIGHTS) -> dict[str, Any]:
    """Return the sections of a score record that are computed from facts, under the record's own names."""
    return {
        "metrics": {name: metric(name, facts, weights) for name in HEADLINE},
        "own_prior": own_prior(facts),
        "context_gain": difference(context_gain, with_hidden_next(facts)),
        "further": {"aa2": further(facts, 1), "aa3": further(facts, 2)},
        "model_only": model_only(facts, weights),
        "temporal": temporal(facts),
        "operation": classification(facts, truth, "dominant_operation", "operation"),
        "next": classification(facts, truth, "next_operation", "next"),
        "detection": detection(facts),
        "segmental": {"edit": estimate(edit, facts, 100)}
        | {f"f1@{k}": estimate(segmental_f1(k), facts, 100) for k in (10, 25, 50)},
        "calibration": {
            "operation": calibration(facts, "confidence", "operation_right"),
            "next": calibration(facts, "next_confidence", "next_right"),
            "overconfidence": overconfidence(facts),
        },
        "latency": latency(facts),
        "funnel": funnel(facts),
        "modes": modes(facts, weights),
        "slices": slice_table(facts, weights),
        "audit": {
            "knows_more": knows_more(with_hidden_next(facts)),
            "prior_shaped": prior_shaped(facts),
            "copy_of_truth": copy_of_truth(facts),
        },
    }


RIGHT = {
    "oca": "operation_right",
    "tiou50": "segment_hit",
    "aa1": "next_right",
    "aa1_hidden": "next_right",
    "score": None,
}
"""The field that says whether a clip is right, of the metrics for which it is right or wrong."""


def metric(name: str, facts: Facts, weights: Sequence[Fraction]) -> dict[str, Any]:
    roles, facts, among = headline(name, weights), clips_of(name, facts), among_of(name)
    interval = logit_interval(roles["value"], facts, among=among, right=RIGHT.get(name), stratified=True)
    skills: dict[str, Any] = {}
    for key, above in (("skill", base_of(roles)), ("skill_state", roles["state_prior"])):
        space = room(roles, above, facts) if facts else None
        skill = skill_of(roles, above) if space is not None and space >= Fraction(1, 20) else lambda facts: None
        around = identity_interval(skill, facts, among=among, stratified=True)
        if interval.one_sided and skill(facts) is not None:
            around = skill_of_ends(roles, above, facts, interval)
        skills |= {key: skill(facts), f"{key}_low": around.low, f"{key}_high": around.high}
    return {
        **{role: roles[role](facts) if facts else None for role in ROLES[:-1]},
        "ceiling": roles["ceiling"](facts),
        "low": interval.low,
        "high": interval.high,
        "one_sided": interval.one_sided,
        "strata": None if interval.low is None or interval.one_sided or domains_of(among(facts)) is None else "domain",
        **skills,
        "n": len(among(facts)),
        "sessions": len(sessions_of(among(facts))),
    }


def own_accuracy(facts: Facts) -> Fraction | None:
    return share(facts, "own_prior_right")


def own_gain(facts: Facts) -> Fraction | None:
    return share(facts, "next_right") - own_accuracy(facts) if facts else None


def context_gain(facts: Facts) -> Fraction | None:
    base = known_share("state_prior_right")(facts)
    return None if base is None else share(facts, "next_right") - base


def own_prior(facts: Facts) -> dict[str, Any]:
    return {
        "own_prior": estimate(own_accuracy, facts),
        "own_prior_hidden": estimate(own_accuracy, with_hidden_next(facts)),
        "own_prior_gain": difference(own_gain, facts),
        "own_prior_gain_hidden": difference(own_gain, with_hidden_next(facts)),
    }


def further(facts: Facts, k: int) -> dict[str, Any]:
    """Return AA@2 (k = 1) or AA@3 (k = 2) over the clips that have so many operations after them."""
    answered = sum(len(f["named"]) > k for f in facts)
    if not answered:
        return dict.fromkeys(("value", "low", "high", "floor", "ceiling", "n")) | {"answered": 0}
    having = [f for f in facts if len(f["next_operations"]) > k]

    def right(facts: Facts) -> Fraction | None:
        return mean(f["named"][k : k + 1] == f["next_operations"][k : k + 1] for f in facts)

    known = having and all(f["later_ceilings_ppm"] for f in having)
    return {
        **estimate(right, having),
        "floor": mean(f["constant_later"][k - 1] == f["next_operations"][k] for f in having),
        "ceiling": mean(Fraction(f["later_ceilings_ppm"][k - 1], 1_000_000) for f in having) if known else None,
        "n": len(having),
        "answered": answered,
    }


def model_only(facts: Facts, weights: Sequence[Fraction]) -> dict[str, Any]:
    facts = without_fallbacks(facts)
    return {name: headline(name, weights)["value"](clips_of(name, facts)) for name in HEADLINE}


def temporal(facts: Facts) -> dict[str, Any]:
    counted, usable = with_counted_segment(facts), [f for f in facts if f["usable"]]
    errors: dict[str, Any] = {"n": len(usable)}
    for edge in ("start", "end"):
        key = f"{edge}_error"
        errors[f"{edge}_mean"] = difference(lambda facts, key=key: mean(f[key] for f in facts), usable)
        errors[f"{edge}_mean_abs"] = difference(lambda facts, key=key: mean(abs(f[key]) for f in facts), usable)
        errors[f"{edge}_within_10"] = estimate(lambda facts, key=key: mean(abs(f[key]) <= 10 for f in facts), usable)
        for name, rank in (("median", HALF), ("p90", Fraction(9, 10))):
            errors[f"{edge}_{name}_abs"] = nearest_rank((abs(f[key]) for f in usable), rank)
    return {
        "thresholds": [{"tiou": t, **estimate(share_reaching(t), counted)} for t in THRESHOLDS],
        "mean_over_thresholds": estimate(mean_over_thresholds, counted),
        "mean_tiou": estimate(lambda facts: mean(f["tiou"] for f in facts), counted),
        "boundary_errors": errors,
    }


def classification(facts: Facts, truth: Truth, true: str, given: str) -> dict[str, Any]:
    table = class_counts(facts, truth.operations, true, given)
    scores = {label: precision_recall_f1(*counts) for label, counts in table.items()}
    answers = [*truth.operations, NO_ANSWER, OTHER_LABEL]
    cells = Counter((f[true], shown_label(f[given], truth)) for f in facts)
    return {
        "accuracy": mean(f[true] == f[given] for f in facts),
        "macro_f1": estimate(macro(facts, true, given, 2), facts),
        "balanced_accuracy": estimate(macro(facts, true, given, 1), facts),
        "weighted_f1": mean(scores[f[true]][2] for f in facts),
        "per_class": [
            {
                "label": label,
                "support": hit + missed,
                "answered": hit + wrong,
                **dict(zip(("precision", "recall", "f1"), scores[label], strict=True)),
            }
            for label, (hit, wrong, missed) in table.items()
            if hit + wrong + missed
        ],
        "confusion": {
            "truth": list(truth.operations),
            "answer": answers,
            "counts": [[cells[label, answer] for answer in answers] for label in truth.operations],
        },
    }


def shown_label(label: str | None, truth: Truth) -> str:
    return NO_ANSWER if label is None else label if label in truth.operations else OTHER_LABEL


def detection(facts: Facts) -> dict[str, Any]:
    thresholds = [Fraction(k, 20) for k in range(10, 20)]
    return {
        "map": {"value": mean_average_precision(facts, thresholds), "low": None, "high": None},
        "ap": [{"tiou": t, "value": mean_average_precision(facts, [t])} for t in thresholds],
    }


def calibration(facts: Facts, key: str, right: str) -> dict[str, Any] | None:
    """Return calibration error over 15 bins [i/15, (i+1)/15), the last one closed, Brier score, risk-coverage."""
    sure = [f for f in facts if f[key] is not None]
    pairs = [(f[key], bool(f[right])) for f in sure]
    if not pairs:
        return None
    bins: dict[int, list] = {}
    for confidence, hit in pairs:
        bins.setdefault(min(int(confidence * 15), 14), []).append((confidence, hit))
    risks = risks_of(pairs)
    gaps = {i: abs(mean(h for _, h in members) - mean(c for c, _ in members)) for i, members in bins.items()}
    return {
        "n": len(pairs),
        "ece": sum(Fraction(len(bins[i]), len(pairs)) * gap for i, gap in gaps.items()),
        "brier": estimate(lambda facts: mean((f[key] - bool(f[right])) ** 2 for f in facts), sure),
        "risk_coverage_area": mean(risks[confidence][1] for confidence, _ in pairs),
        "bins": [
            {
                "low": Fraction(i, 15),
                "n": len(bins[i]),
                "confidence": mean(c for c, _ in bins[i]),
                "accuracy": mean(h for _, h in bins[i]),
            }
            for i in sorted(bins)
        ],
        "curve": set(risks.values()),
    }


def overconfidence(facts: Facts) -> dict[str, Any] | None:
    """Return the mean of stated confidence minus exact probability over the hidden clips that state one."""
    sure = [f for f in with_hidden_next(facts) if f["next_confidence"] is not None]
    if not sure or any(f["chance"] is None for f in sure):
        return None
    return {"n": len(sure)} | difference(lambda facts: mean(f["next_confidence"] - f["chance"] for f in facts), sure)


def risks_of(pairs: Sequence[tuple[Fraction, bool]]) -> dict[Fraction, tuple[Fraction, Fraction]]:
    """Return coverage and error of the answers that are at least as sure, by confidence."""
    risks, taken, right = {}, 0, 0
    for confidence, hit in sorted(pairs, key=itemgetter(0), reverse=True):
        taken, right = taken + 1, right + hit
        risks[confidence] = Fraction(taken, len(pairs)), 1 - Fraction(right, taken)  # the last of equals counts
    return risks


def latency(facts: Facts) -> dict[str, Any] | None:
    values = [f["latency_ms"] for f in facts if f["latency_ms"] is not None]
    if not values:
        return None
    return {
        "n": len(values),
        "p50_ms": nearest_rank(values, HALF),
        "p95_ms": nearest_rank(values, Fraction(95, 100)),
        "share_above_10s": mean(value > 10_000 for value in values),
    }


def funnel(facts: Facts) -> list[dict[str, Any]]:
    """Return the stages; each keeps a part of the one before."""
    conditions: list[tuple[str, Callable[[Fact], bool]]] = [
        ("expected", lambda f: True),
        ("present", lambda f: f["outcome"] != "missing"),
        ("parsed", lambda f: f["outcome"] != "unparseable"),
        ("valid", lambda f: f["outcome"] == "answered"),
        ("operation", lambda f: f["operation_right"]),
        ("segment", lambda f: f["segment_hit"]),
        ("next", lambda f: f["next_right"]),
    ]
    left, stages = list(facts), []
    for stage, passes in conditions:
        remaining = [f for f in left if passes(f)]
        stages.append({"stage": stage, "passed": len(remaining), "lost": len(left) - len(remaining)})
        left = remaining
    return stages


FIELD_OF_MODE = {
    **dict.fromkeys(("missing", "unparseable", "invalid", "abstained"), "all"),
    **dict.fromkeys(("confused_previous", "confused_next", "confused_other"), "operation"),
    **dict.fromkeys(("degenerate", "whole_clip", "disjoint", "too_long", "too_short"), "segment"),
    **dict.fromkeys(("start_early", "start_late", "end_early", "end_late"), "segment"),
    **dict.fromkeys(("next_script", "next_repeats", "next_other"), "next"),
}


def modes(facts: Facts, weights: Sequence[Fraction]) -> dict[str, Any]:
    return {name: mode(name, facts, weights) for name in {f["mode"] for f in facts} if name != "correct"}


def mode(name: str, facts: Facts, weights: Sequence[Fraction]) -> dict[str, Any]:
    """Return the gain in score if this mode's clips were right in all fields, and if only the naming field were."""
    field = FIELD_OF_MODE[name]

    def gain(facts: Facts) -> Fraction:
        return sum(losses(name, facts, weights).values())

    interval = identity_interval(gain, facts, cut=True)
    lost = losses(name, facts, weights)
    return {
        "n": sum(f["mode"] == name for f in facts),
        "gain": gain(facts),
        "gain_low": interval.low,
        "gain_high": interval.high,
        "field": field,
        "field_gain": sum(lost.values()) if field == "all" else lost[field],
        "clips": [f["clip_id"] for f in facts if f["mode"] == name],
    }


def losses(name: str, facts: Facts, weights: Sequence[Fraction]) -> dict[str, Fraction]:
    """Return the weight lost on a mode's clips by field, over the clips that the field counts."""
    mine = [f for f in facts if f["mode"] == name]
    parts = {
        "operation": (sum(not f["operation_right"] for f in mine), len(facts)),
        "segment": (sum(f["counted"] and not f["segment_hit"] for f in mine), len(with_counted_segment(facts))),
        "next": (sum(not f["next_right"] for f in mine), len(facts)),
    }
    return {field: w * quotient(*part) for w, (field, part) in zip(weights, parts.items(), strict=True)}


SLICES: dict[str, Callable[[Fact], str | None]] = {
    "operation": lambda f: f["dominant_operation"],
    "next_operation": lambda f: f["next_operation"],
    "cut": lambda f: f["cut_kind"] if f["cut_kind"] in ("mid", "boundary", "dense") else None,
    "next_visible": lambda f: "visible" if f["next_visible"] else "hidden",
    "dense": lambda f: "dense" if f["dense"] else "sparse",
    "script": lambda f: {True: "off-script", False: "on-script", None: None}[f["off_script"]],
    "session_kind": lambda f: {True: "randomised", False: "regular", None: None}[f["randomised"]],
    "domain": lambda f: f["domain"],
    "worker": lambda f: f["worker"],
    "session": lambda f: f["session"],
}


def slice_table(facts: Facts, weights: Sequence[Fraction]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return (dimension, level) -> n, sessions, and each metric's value, interval, difference and raw p."""
    table = {}
    for dimension, level_of in SLICES.items():
        known = [f for f in facts if level_of(f) is not None]
        for level in sorted({level_of(f) for f in known}):
            inside = {f["clip_id"] for f in known if level_of(f) == level}
            table[dimension, level] = slice_cell(known, inside, weights)
    p_values = [cell["p"] for row in table.values() for cell in row["metrics"].values() if cell["p"] is not None]
    for row in table.values():
        for cell in row["metrics"].values():
            cell["p_adjusted"] = None if cell["p"] is None else holm(cell["p"], p_values)
    return table


def slice_cell(known: Facts, inside: set[str], weights: Sequence[Fraction]) -> dict[str, Any]:
    here = [f for f in known if f["clip_id"] in inside]
    there = [f for f in known if f["clip_id"] not in inside]
    n, sessions, rest = len(here), len(sessions_of(here)), len(there)
    fewer = min(sessions, len(sessions_of(there)))
    metrics = {}
    for name in ("oca", "tiou50", "aa1", "score"):
        value = headline(name, weights)["value"]

        def gap(facts: Facts, value: Metric = value) -> Fraction | None:
            parts = [f for f in facts if f["clip_id"] in inside], [f for f in facts if f["clip_id"] not in inside]
            one, other = (value(part) if part else None for part in parts)
            return None if None in (one, other) else one - other

        enough = n >= 20 and sessions >= 5
        interval = logit_interval(value, here, among=among_of(name), right=RIGHT[name]) if enough else Interval()
        tested = n >= 20 and rest >= 20 and sessions >= 8
        around = t_interval(gap, known, fewer) if tested else Interval()
        metrics[name] = {
            "value": value(here),
            "low": interval.low,
            "high": interval.high,
            "difference": gap(known),
            "difference_low": around.low,
            "difference_high": around.high,
            "p": t_test(gap, known, fewer) if tested else None,
        }
    return {"n": n, "sessions": sessions, "metrics": metrics}


def knows_more(hidden: Facts) -> dict[str, Any]:
    """Compare z of the right answers beyond their exact probabilities with 3.09."""
    if not hidden or any(f["chance"] is None for f in hidden):
        return {"raised": None, "number": None}
    excess = sum(f["next_right"] - f["chance"] for f in hidden)
    variance = sum(f["chance"] * (1 - f["chance"]) for f in hidden)
    if not variance:
        return {"raised": excess > 0, "number": None}
    z = float(excess) / math.sqrt(variance)
    return {"raised": z > 3.09, "number": z}


def prior_shaped(facts: Facts) -> dict[str, Any]:
    """Check whether the answered next operation follows from the answered operation alone."""
    answered = [f for f in facts if f["operation"] is not None and f["next"] is not None]
    top = ceiling(facts)
    if not answered or top is None or top - share(facts, "prior_right") < Fraction(1, 20):
        return {"raised": None, "number": None}
    alike = mean(f["own_prior"] == f["next"] for f in answered)
    upper = identity_interval(own_gain, with_hidden_next(facts)).high
    no_gain = upper is not None and upper < 0.02
    return {"raised": alike >= Fraction(95, 100) or (alike >= Fraction(80, 100) and no_gain), "number": alike}


def copy_of_truth(facts: Facts) -> dict[str, Any]:
    equal = mean(
        f["operation_right"] and f["given"] == (f["start_frame"], f["end_frame"]) and f["next_right"] for f in facts
    )
    return {"raised": equal == 1, "number": equal}


def t_test(metric: Metric, facts: Facts, sessions: int) -> float | None:
    """Return the two-sided p of "no difference", t with the degrees of freedom of `sessions` sessions."""
    found = value_and_replicates(metric, facts)
    if found is None:
        return None
    error = standard_error(*found)
    return 2 * float(stdtr(sessions - 1, -abs(float(found[0])) / error)) if error else float(found[0] == 0)


def t_interval(metric: Metric, facts: Facts, sessions: int) -> Interval:
    """Return the interval of a difference by the t of its test."""
    found = value_and_replicates(metric, facts)
    if found is None:
        return Interval()
    half = t_quantile(sessions - 1) * standard_error(*found)
    return Interval(float(found[0]) - half, float(found[0]) + half)


def holm(p: float, family: Sequence[float]) -> float:
    """Return the largest of (m - rank + 1) times the p values up to this one, at most 1."""
    ordered = sorted(family)
    return min(1.0, max((len(ordered) - i) * q for i, q in enumerate(ordered) if q <= p))


# Agreement


def compare(expected: Any, got: Any, place: str) -> None:
    """Assert equality to 1e-12 in all keys that are expected; None, NaN and NaT are one thing."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(value, got[key], f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(expected) == len(got), place
        for i, pair in enumerate(zip(expected, got, strict=True)):
            compare(*pair, f"{place}[{i}]")
    elif isinstance(expected, (Fraction, float)):
        assert got is not None, f"{place}: expected {float(expected)}, got nothing"
        assert math.isclose(float(expected), got, rel_tol=TOLERANCE, abs_tol=TOLERANCE), (
            f"{place}: expected {float(expected)!r}, got {got!r}"
        )
    elif expected is None:
        assert got is None or got != got, f"{place}: expected nothing, got {got!r}"
    else:
        assert expected == got, f"{place}: expected {expected!r}, got {got!r}"
