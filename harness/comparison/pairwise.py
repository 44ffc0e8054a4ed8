"""Is A better than B? Paired over sessions: differences, exact p, verdicts, and the clips that flip.

Two Holm families: the composite of all pairs (it decides the verdicts), and all pairs times OCA, tIoU@0.5, AA@1 and
AA@1 hidden. Every p is given raw and adjusted, with the family's size m. The expected metrics, for close calls, belong
to no family: they have an interval and a raw p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import disclosure, statistics
from harness.baselines.write import BASELINES, answers, uses_truth, write_lines
from harness.cards import PREDICTIONS, RUN_FILE, RUNS, entry_folder, predictions_of, read_card
from harness.comparison.paired import PAIRED_METRICS, PairedClips, need_every_clip, pair_scores, whole_truth
from harness.errors import UsageError
from harness.formatting import in_words
from harness.ingestion.rows import NAME, is_path
from harness.ingestion.submission_file import shown_name, split_ending
from harness.metrics_table import EXPECTED
from harness.scoring.metrics import float_or_none
from harness.scoring.request import INGESTION, Request
from harness.scoring.result import Score
from harness.scoring.score import score
from reference.files import scratch
from reference.home import cache_home

if TYPE_CHECKING:
    from harness.ingestion.rows import Rows

FORMAT = "warehouse-harness/comparison-1"
MARGIN, ALPHA = 0.03, statistics.ALPHA
METHOD_OF_RUNS = "t, sessions and runs"
"""How a pair with several runs is tested: the sign flip knows sessions only."""
RUNS_FOR_A_CLAIM = 3
"""Runs on both sides that a statement about methods takes."""
FIELDS = ("operation", "segment", "next", "all")


def compare(
    *submissions: str | Path | Rows,
    margin: float = MARGIN,
    training: str | Path | None = None,
    request: Request | None = None,
    **choices: Any,
) -> dict[str, Any]:
    """Score two or more submissions and compare every pair.

    `submissions`: files, entries' folders, names of baselines or entries, lists of dicts, or DataFrames; `margin`: the
    largest difference in score that counts as none; `training`: "none" where a training.json beside a file is not about
    its model; `choices`: fields of a Request. Returns one JSON object with
    `entries`, `pairs` (verdict, differences, counts, flips) and the families' sizes. Raises UsageError, SubmissionError
    and TruthError.
    """
    if len(submissions) < 2:
        raise UsageError("compare needs at least two submissions")
    if not 0 < margin < 1:
        raise UsageError(f"--margin {margin}: expected a share between 0 and 1")
    request = Request.of(request, **choices)
    disclosure.refuse(request.world, "a comparison clip by clip", organiser=request.organiser, home=request.home)
    need_every_clip(request.rules)
    scores = [score_operand(submission, request, training) for submission in submissions]
    paired = pair_scores(scores, distinct_names(_names(submissions)))
    first = scores[0].record
    pairs = list(combinations(range(len(scores)), 2))
    return {
        "format": FORMAT,
        "world": first["world"],
        "split": first["split"],
        "truth_digest": whole_truth(scores[0]),
        "n": len(paired.clip_ids),
        "sessions": len(paired.clips),
        "weights": first["weights"],
        "rules": first["rules"],
        "margin": margin,
        "alpha": ALPHA,
        "m": len(pairs),
        "m_metrics": len(pairs) * len(PAIRED_METRICS),
        "entries": [_entry(name, score) for name, score in zip(paired.names, scores, strict=True)],
        "pairs": compare_pairs(paired, pairs, margin),
    }


def _names(submissions: Sequence[str | Path | Rows]) -> list[str]:
    """Return the paths as names; rows are called by their place among the submissions."""
    return [
        shown_name(submission) if is_path(submission) else f"{NAME} {place}"
        for place, submission in enumerate(submissions, start=1)
    ]


def score_operand(submission: str | Path | Rows, request: Request, training: str | Path | None = None) -> Score:
    """Score a file, rows, an entry's folder, or a name: that of a baseline, else of an entry in submissions/.

    Choices on how to read a file do not apply to a baseline, whose lines are canonical, or to an entry, whose card
    makes them.
    """
    if not is_path(submission):
        return score(submission, training=training, request=request)
    name = str(submission)
    one_world: dict[str, Any] = {"world": request.world, "split": request.split}  # for all, whatever a card says
    is_baseline = name in BASELINES and not Path(name).exists()
    if not is_baseline and (entry := entry_folder(name)):
        card = read_card(entry)
        reading = card.ingestion(entry)
        file = entry if card.runs_sha256 else predictions_of(entry, card)
        return score(file, training=training, request=request, **reading, **one_world)
    if not is_baseline:
        return score(submission, training=training, request=request, **one_world)
    with scratch(cache_home(request.home)) as folder:
        path = folder / f"{name}.jsonl"
        as_given = {name: getattr(Request(), name) for name in INGESTION}
        canonical = replace(request, **as_given)
        uses_truth(name, request)
        with canonical.open_for_many([path]) as truth:  # for the answers and for their score
            write_lines(path, answers(truth, name))
            return score(path, request=canonical, opened=truth)


def compare_pairs(
    paired: PairedClips,
    pairs: list[tuple[int, int]],
    margin: float,
    family: dict[tuple[int, int], dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Return verdict, tests, counts and flips of each pair of entries.

    `family`: tests in score of these pairs and others, with the p of all; by default the pairs are a family themselves.
    """
    if family is None:
        family = {pair: paired_test(paired, "score", *pair) for pair in pairs}
        add_holm(list(family.values()))
    tests = [family[pair] for pair in pairs]
    rows: list[dict[str, Any]] = []
    for (a, b), test in zip(pairs, tests, strict=True):
        names = paired.names[a], paired.names[b]
        verdict = verdict_of(test, paired, a, b, margin, test["m"])
        rows.append(
            {
                "a": names[0],
                "b": names[1],
                "verdict": {"kind": verdict.kind, "sentence": verdict.sentence(*names), "needed": verdict.pair.needed},
                "about": about(names, (paired.k[a], paired.k[b])),
                "score": test,
                "metrics": {name: paired_test(paired, name, a, b) for name in PAIRED_METRICS},
                "expected": {metric.key: paired_test(paired, metric.key, a, b) for metric in EXPECTED}
                if paired.has_expected
                else {},
                "counts": _counts(paired, a, b),
                "flips": _flips(paired, a, b),
            }
        )
    add_holm([row["metrics"][name] for row in rows for name in PAIRED_METRICS])
    return rows


def paired_test(paired: PairedClips, metric: str, a: int, b: int) -> dict[str, Any]:
    """Return the difference A - B in a metric with its 95% interval and raw p.

    `add_holm` adds what depends on the family: `p_adjusted`, `m` and `level`.
    """
    value, replicates, gap = paired.difference(metric, a, b)
    p, method = statistics.sign_flip_p(gap)
    n = paired.denominators(metric)
    clips = n[n > 0]
    interval = statistics.identity_interval(value, replicates, clips)
    narrow = statistics.identity_interval(value, replicates, clips, confidence=0.90)
    if (paired.k[a] > 1 or paired.k[b] > 1) and interval.se is not None:
        of_runs = paired.run_values(metric, a), paired.run_values(metric, b)
        test = statistics.runs_test(value, interval.se, statistics.degrees_of_freedom(clips), of_runs)._asdict()
        differing = int((gap != 0).sum())
        return {
            "difference": float(value),
            "sessions": len(gap),
            "differing": differing,
            "method": METHOD_OF_RUNS,
        } | test
    return {
        "difference": float_or_none(value),
        "low": interval.low,
        "high": interval.high,
        "low90": narrow.low,
        "high90": narrow.high,
        "se": interval.se,
        "sessions": len(gap),
        "differing": int((gap != 0).sum()),
        "p": p,
        "method": method,
    }


def add_holm(tests: list[dict[str, Any]]) -> None:
    """Add to each test of one family the adjusted p, the family's size and the level that its raw p had to pass."""
    raw = np.array([test["p"] for test in tests])
    adjusted = statistics.holm(raw)
    rank = np.argsort(np.argsort(raw, kind="stable"), kind="stable")
    for i, test in enumerate(tests):
        test |= {"p_adjusted": float(adjusted[i]), "m": len(tests), "level": ALPHA / (len(tests) - int(rank[i]))}


def verdict_of(test: dict, paired: PairedClips, a: int, b: int, margin: float, m: int) -> statistics.Verdict:
    """Return the verdict on a pair from its test in `score`."""
    pair = statistics.PairTest(
        identical=paired.identical(a, b),
        difference=test["difference"],
        p_adjusted=test["p_adjusted"],
        low90=test["low90"],
        high90=test["high90"],
        se=test["se"],
        sessions=test["sessions"],
        level=test["level"],
        margin=margin,
        alpha=ALPHA,
        m=m,
        differing=test["differing"],
        df=test.get("df"),
    )
    return statistics.verdict(pair)


def interval_note(names: Sequence[str], tests: Sequence[dict[str, Any]]) -> str:
    """Return the sentence on differences whose interval leaves 0 out though they are not significant; else nothing.

    `names`: what each of the tests is about.
    """
    odd = [
        name for name, test in zip(names, tests, strict=True) if _leaves_zero_out(test) and test["p_adjusted"] > ALPHA
    ]
    if not odd:
        return ""
    return (
        f"the 95% interval of {in_words(odd)} leaves 0 out, and yet no difference is shown: the verdict follows the "
        "adjusted p, an interval is about one difference alone"
    )


def _leaves_zero_out(test: dict[str, Any]) -> bool:
    return test["low"] is not None and (test["low"] > 0 or test["high"] < 0)


def about(names: tuple[str, str], k: tuple[int, int]) -> str:
    """Return the sentence on what a verdict on two entries of `k` runs is about: files, or methods."""
    if k == (1, 1):
        return "This is about these two files, not about the two methods behind them."
    if min(k) == 1:
        single, method = names if k[0] == 1 else names[::-1]
        return f"This is about one file of {single}, not its method; {method} is the mean of {max(k)} runs."
    runs = f"{k[0]} runs a side" if k[0] == k[1] else f"{k[0]} and {k[1]} runs"
    if min(k) < RUNS_FOR_A_CLAIM:
        return f"{runs}: a claim about methods takes {RUNS_FOR_A_CLAIM} on both sides."
    return f"This is about the two methods: {runs}, whose spread is part of the error."


def _counts(paired: PairedClips, a: int, b: int) -> dict[str, dict[str, int]]:
    """Count the clips that both, only A, only B or neither got right, per field and for all three together."""
    table = {}
    for i, name in enumerate(FIELDS):
        mine, other = (_right(paired, k, i) for k in (a, b))
        table[name] = {
            "both": int((mine & other).sum()),
            "only_a": int((mine & ~other).sum()),
            "only_b": int((~mine & other).sum()),
            "neither": int((~mine & ~other).sum()),
        }
    return table


def _right(paired: PairedClips, entry: int, field: int) -> np.ndarray:
    right = paired.right[entry]
    return right.all(axis=1) if field == 3 else right[:, field]


def _flips(paired: PairedClips, a: int, b: int) -> dict[str, list[str]]:
    """Return the clips that one got wholly right and the other did not, in session and time order."""
    mine, other = _right(paired, a, 3), _right(paired, b, 3)
    return {"only_a": paired.clip_ids[mine & ~other].tolist(), "only_b": paired.clip_ids[~mine & other].tolist()}


def _entry(name: str, score: Score) -> dict[str, Any]:
    return {
        "name": name,
        "signature": score.signature,
        "coverage": score.record["coverage"],
        "metrics": score.record["metrics"],
        "runs": len(score.runs),
        **({"sample": score.record["sample"]} if "sample" in score.record else {}),
    }


def short_name(path: Path) -> str:
    """Return a file's name without its known endings; of an entry's predictions the name of its folder."""
    if run := RUN_FILE.fullmatch(path.name) if path.parent.name == RUNS else None:
        return f"{path.parent.parent.name} run {run[1]}"
    stem, _ = split_ending(path.name)
    return path.parent.name if stem == Path(PREDICTIONS).stem and path.parent.name else stem


def distinct_names(names: list[str]) -> list[str]:
    """Return a short name for each path: without folder and known endings, or the folder's for an entry's predictions.

    Where two would be equal, the paths themselves are returned, numbered if need be.
    """
    for candidate in ([short_name(Path(name)) or name for name in names], names):
        if len(set(candidate)) == len(names):
            return candidate
    return [f"{name} ({i + 1})" for i, name in enumerate(names)]
