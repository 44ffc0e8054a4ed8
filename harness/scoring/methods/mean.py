"""Score of a method: the mean over its runs (seeds, repeats of a stochastic model), and how these spread.

The record is that of run 1, for clips, failure modes and slices are those of one file, with two sections changed: the
headline metrics are of the mean over the runs, and `runs` says how many there are and how they spread.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import statistics
from harness.errors import UsageError
from harness.metrics_table import METRICS
from harness.scoring import metrics
from harness.scoring.clip_facts import make_clip_facts, restore_answers
from harness.scoring.metrics import Totals
from harness.scoring.record import headline
from harness.scoring.result import Score
from harness.scoring.signature import DIVIDER, check_name, with_name

if TYPE_CHECKING:
    from reference.truth.store import Truth

NOTE = "modes, slices and clips are of run 1"
SAME = ("truth_digest", "rules", "weights", "n")


def score_of_method(runs: list[Score], name: str | None, source: str, opened: Truth | None = None) -> Score:
    """Return the score of a method of which `runs` are the scores, at least two.

    `name` and `source`: the name that was given, and the folder's; `opened`: the truth, if it is open already. Raises
    UsageError where the runs differ in truth, rules or weights.
    """
    check_name(name)
    first = runs[0]
    for place, run in enumerate(runs, start=1):
        if any(run.record[key] != first.record[key] for key in SAME):
            raise UsageError(f"{source}: run {place} is not judged as run 1 is")
    record = with_name(_record(runs, *_session_sums(runs, opened)), name)
    return Score(record, first.answers, first.request, source, [run.answers for run in runs])


def _session_sums(runs: list[Score], opened: Truth | None) -> tuple[list[Totals], np.ndarray | None]:
    """Return the sums per session of each run (sql/sessions.sql), and the domain of each session where there is one."""
    request = runs[0].request
    with ExitStack() as stack:
        truth = opened or stack.enter_context(request.open([run.answers for run in runs]))
        found, domains = list[Totals](), None
        for run in runs:
            restore_answers(truth, run.answers)
            facts = make_clip_facts(truth, request.rules)
            found.append(facts.sessions)
            domains = facts.session_domains
            truth.connection.execute("DROP TABLE predictions")
        return found, domains


def _record(runs: list[Score], sums: list[Totals], domains: np.ndarray | None) -> dict[str, Any]:
    first = runs[0].record
    digests = [run.record["submission"]["sha256"] for run in runs]
    table = mean_metrics(first["metrics"], sums, runs[0].request.weights, domains)
    pin = hashlib.sha256("".join(digests).encode()).hexdigest()
    values = {key: [run.record["metrics"][key]["value"] for run in runs] for key in table}
    coverage = [run.record["coverage"] for run in runs]
    return first | {
        "signature": f"{first['signature']}{DIVIDER}runs:{len(runs)}{DIVIDER}runs_sha256:{pin[:16]}",
        "coverage": min(coverage),
        "metrics": table,
        "runs": {
            "k": len(runs),
            "note": NOTE,
            "sha256": digests,
            "alike": all(np.array_equal(run[name], sums[0][name], equal_nan=True) for run in sums for name in run),
            "values": values,
            "sd": {key: spread(found) for key, found in values.items()},
        },
    }


def spread(values: list[float | None]) -> float | None:
    """Return the standard deviation of the runs' values, with K - 1; None where a run has no value."""
    return None if None in values else float(np.std(np.array(values, float), ddof=1))


def mean_metrics(
    of_one: dict[str, Any], sums: list[Totals], weights: Any, domains: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the headline metrics of the mean over runs.

    `of_one`: those of run 1; `sums`: of each run; `domains` [G]: see `record.headline`.

    A ratio over the same clips is linear in the right answers: sums averaged over the runs give the mean of the values
    and, with a session left out, the mean of their replicates.
    """
    mean = {name: np.mean([run[name] for run in sums], axis=0) for name in sums[0]}
    if any((run["n"] != mean["n"]).any() or (run["n_segment"] != mean["n_segment"]).any() for run in sums):
        raise UsageError("the runs of a method need the same clips, and this rule set drops other ones of each")
    totals = {name: column.sum() for name, column in mean.items()}
    table = headline(mean, totals, {name: totals[name] - mean[name] for name in mean}, weights, domains)
    single = [metrics.headline({name: column.sum() for name, column in run.items()}, weights) for run in sums]
    for metric in METRICS:
        row = table[metric.key]
        row["note"] = of_one[metric.key]["note"] if row["note"] is None else row["note"]
        of_runs = [float(run[metric.key]["value"]) for run in single]
        row |= _wider(row, of_runs)
    return table


def _wider(row: dict[str, Any], of_runs: list[float]) -> dict[str, Any]:
    """Return the ends of a metric and its skill, widened by what another K runs would change."""
    if row["low"] is None:
        return {}
    low, high = statistics.with_runs(row["value"], (row["low"], row["high"]), of_runs, row["sessions"], share=True)
    changed: dict[str, Any] = {"low": low, "high": high}
    if row["skill_low"] is not None:
        base = row["floor"] if row["prior"] is None else row["prior"]
        skills = [(value - base) / (row["ceiling"] - base) for value in of_runs]
        ends = (row["skill_low"], row["skill_high"])
        changed["skill_low"], changed["skill_high"] = statistics.with_runs(
            row["skill"], ends, skills, row["sessions"], share=False
        )
    return changed
