"""Score of a method: the mean over its runs (seeds, repeats of a stochastic model), and how these spread.

The record is that of run 1, for clips, failure modes and slices are those of one file, with these sections changed: the
headline metrics, the own prior and the gain from context are of the mean over the runs, a check of the audit is raised
where any run raises it, and `runs` says how many there are and how they spread.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness import statistics
from harness.errors import UsageError
from harness.metrics_table import METRICS
from harness.scoring import metrics
from harness.scoring.clip_facts import make_clip_facts, restore_answers
from harness.scoring.metrics import Totals
from harness.scoring.record import context_gain, headline, note_saturation, own_prior
from harness.scoring.result import Score
from harness.scoring.signature import DIVIDER, check_name, with_name

if TYPE_CHECKING:
    from reference.truth.store import Truth

NOTE = "modes, slices, clips and other metrics are of run 1"
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
    record = with_name(_record(runs, _read(runs, opened)), name)
    return Score(record, first.answers, first.request, source, [run.answers for run in runs])


class Runs(NamedTuple):
    """Sums per session of each run (sql/sessions.sql), and what the runs share.

    `domains` [G]: see `record.headline`; `dense`: the share of clips whose segment the whole clip hits.
    """

    sums: list[Totals]
    domains: np.ndarray | None
    dense: float


def _read(runs: list[Score], opened: Truth | None) -> Runs:
    """Return the sums of each run from its stored answers."""
    request = runs[0].request
    with ExitStack() as stack:
        truth = opened or stack.enter_context(request.open([run.answers for run in runs]))
        found, domains, dense = list[Totals](), None, 0.0
        for run in runs:
            restore_answers(truth, run.answers)
            facts = make_clip_facts(truth, request.rules)
            found.append(facts.sessions)
            domains = facts.session_domains
            dense = float(facts.codes["dense"].mean()) if len(facts.codes["dense"]) else 0.0
            truth.connection.execute("DROP TABLE predictions")
        return Runs(found, domains, dense)


def _record(runs: list[Score], read: Runs) -> dict[str, Any]:
    first, sums = runs[0].record, read.sums
    digests = [run.record["submission"]["sha256"] for run in runs]
    mean = mean_sums(sums)
    table = mean_metrics(mean, read, runs[0].request.weights)
    pin = hashlib.sha256("".join(digests).encode()).hexdigest()
    values = {key: [run.record["metrics"][key]["value"] for run in runs] for key in table}
    coverage = [run.record["coverage"] for run in runs]
    return first | {
        "signature": f"{first['signature']}{DIVIDER}runs:{len(runs)}{DIVIDER}runs_sha256:{pin[:16]}",
        "coverage": min(coverage),
        "metrics": table,
        **(_gains(mean, runs) if "context_gain" in first else {}),
        "audit": [_check([run.record["audit"][place] for run in runs]) for place in range(len(first["audit"]))],
        "runs": {
            "k": len(runs),
            "note": NOTE,
            "sha256": digests,
            "alike": all(np.array_equal(run[name], sums[0][name], equal_nan=True) for run in sums for name in run),
            "values": values,
            "sd": {key: spread(found) for key, found in values.items()},
        },
    }


def _gains(mean: Totals, runs: list[Score]) -> dict[str, Any]:
    """Return the sections `own_prior` and `context_gain` of the mean over the runs."""
    totals = {name: column.sum() for name, column in mean.items()}
    replicates = {name: totals[name] - column for name, column in mean.items()}
    n, hidden = (int((mean[name] > 0).sum()) for name in ("n", "n_hidden"))
    priors = {
        name: row
        | _wider(
            row,
            [run.record["own_prior"][name]["value"] for run in runs],
            hidden if "hidden" in name else n,
            share="gain" not in name,
        )
        for name, row in own_prior(mean, totals, replicates).items()
    }
    gain = context_gain(mean, totals, replicates)
    of_runs = [run.record["context_gain"]["value"] for run in runs]
    return {"own_prior": priors, "context_gain": gain | _wider(gain, of_runs, hidden, share=False)}


def _check(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one check of the audit from that of each run: the first that is raised, else that of run 1."""
    for run, row in enumerate(rows, start=1):
        if row["raised"]:
            return row if run == 1 else row | {"text": f"run {run}: {row['text']}"}
    return rows[0]


def spread(values: list[float | None]) -> float | None:
    """Return the standard deviation of the runs' values, with K - 1; None where a run has no value."""
    return None if None in values else float(np.std(np.array(values, float), ddof=1))


def mean_sums(sums: list[Totals]) -> Totals:
    """Return the sums per session averaged over the runs. Raises UsageError where the runs count other clips.

    A ratio over the same clips is linear in the right answers: averaged sums give the mean of the values and, with a
    session left out, the mean of their replicates.
    """
    if any(len(run["n"]) != len(sums[0]["n"]) for run in sums) or any(
        (run[name] != sums[0][name]).any() for run in sums for name in ("n", "n_segment")
    ):
        raise UsageError("the runs of a method need the same clips, and this rule set drops other ones of each")
    return {name: np.mean([run[name] for run in sums], axis=0) for name in sums[0]}


def mean_metrics(mean: Totals, read: Runs, weights: Any) -> dict[str, Any]:
    """Return the headline metrics of the mean over runs; `mean`: see `mean_sums`."""
    totals = {name: column.sum() for name, column in mean.items()}
    table = headline(mean, totals, {name: totals[name] - mean[name] for name in mean}, weights, read.domains)
    note_saturation(table, read.dense)
    single = [metrics.headline({name: column.sum() for name, column in run.items()}, weights) for run in read.sums]
    for metric in METRICS:
        row = table[metric.key]
        of_runs = [float(run[metric.key]["value"]) for run in single]
        ends = _wider(row, of_runs, row["sessions"], share=True)
        for skill, base in (("skill", "floor" if row["prior"] is None else "prior"), ("skill_state", "state_prior")):
            if row[f"{skill}_low"] is not None:
                skills = [(value - row[base]) / (row["ceiling"] - row[base]) for value in of_runs]
                around = {"value": row[skill], "low": row[f"{skill}_low"], "high": row[f"{skill}_high"]}
                wider = _wider(around, skills, row["sessions"], share=False)
                ends |= {f"{skill}_{end}": value for end, value in wider.items()}
        row |= ends
    return table


def _wider(row: dict[str, Any], of_runs: list[float], sessions: int, *, share: bool) -> dict[str, float]:
    """Return the ends of a row's interval, widened by what another K runs would change; nothing where it has none."""
    if row["low"] is None:
        return {}
    low, high = statistics.with_runs(row["value"], (row["low"], row["high"]), of_runs, sessions, share=share)
    return {"low": low, "high": high}
