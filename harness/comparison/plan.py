"""How many sessions does a comparison need? From a pilot of two entries, or from the assumption of `world info`.

The computation is that of a verdict's "about N sessions like these would decide" (`statistics.sessions_needed`): a
pilot compared with the margin as difference gives the same number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from harness import disclosure, statistics
from harness.comparison.paired import need_every_clip, pair_scores
from harness.comparison.pairwise import ALPHA, distinct_names, paired_test, score_operand
from harness.errors import UsageError
from harness.formatting import in_words, plural
from harness.ingestion.submission_file import shown_name
from harness.metrics_table import BY_KEY
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score_cache import reading
from harness.worlds.describe import CORRELATION, DISAGREEMENTS, disagreement_error
from reference.resources import sql
from reference.truth.store import open_clips

FORMAT = "warehouse-harness/plan-1"


def plan(
    difference: float,
    *,
    metric: str = "score",
    pilot: Sequence[str | Path] = (),
    power: float = statistics.POWER,
    equivalence: bool = False,
    seconds_per_clip: float | None = None,
    **choices: Any,
) -> dict[str, Any]:
    """Return how many sessions, clips and hours find a true difference in a metric with this power, at a two-sided 5%.

    `pilot`: two submissions, as `compare` takes them, whose differences between sessions are taken for those to come;
    without it the assumption of `harness world info`, one row a disagreement. `equivalence`: plan instead to show that
    two equal models lie within plus or minus `difference`. `seconds_per_clip`: the time of a model that states no
    latency. `choices`: `request`, or fields of one.

    Returns one JSON object; `hours` is None where no time is known. Raises UsageError, SubmissionError and TruthError.
    """
    if not 0 < difference < 1:
        raise UsageError(f"--difference {difference:g}: expected a share between 0 and 1")
    if not 0.5 <= power < 1:
        raise UsageError(f"--power {power:g}: expected a share from 0.5 to below 1")
    if metric not in BY_KEY:
        raise UsageError(f"--metric {metric}: expected one of {', '.join(BY_KEY)}")
    if seconds_per_clip is not None and not 0 < seconds_per_clip < math.inf:
        raise UsageError(f"--seconds-per-clip {seconds_per_clip:g}: expected seconds above 0")
    request = Request.of(choices.pop("request", None), **choices)
    found = _from_pilot(pilot, metric, request) if pilot else _from_assumption(metric, request)
    # Two one-sided tests at 5% each; equal models fail either of them with (1 - power) / 2.
    level, reach = (2 * ALPHA, (1 + power) / 2) if equivalence else (ALPHA, power)
    per_clip = seconds_per_clip or found.pop("seconds_per_clip")
    rows = []
    flipping, counted = found.pop("flipping"), found.pop("counted")
    for error in found.pop("errors"):
        needed = statistics.sessions_needed(
            error["se"], counted, difference, level, reach, flipping=None if equivalence else flipping
        )
        sessions = math.ceil(needed * found["sessions"] / counted)
        clips = math.ceil(sessions * found["n"] / found["sessions"])
        hours = None if per_clip is None else clips * per_clip / 3600
        rows.append(error | {"sessions": sessions, "clips": clips, "hours": hours})
    goal = {"difference": difference, "metric": metric, "power": power, "alpha": ALPHA, "equivalence": equivalence}
    return {"format": FORMAT, **goal, **(found | {"seconds_per_clip": per_clip}), "rows": rows}


def _from_pilot(pilot: Sequence[str | Path], metric: str, request: Request) -> dict[str, Any]:
    """Return the standard error of a pilot's difference, and the seconds that both of its models took for a clip.

    `n` and `sessions` are what the two have in common; the metric counts clips of `counted` sessions, and in `flipping`
    of these the two differ.
    """
    if len(pilot) != 2:
        raise UsageError(f"--pilot takes two submissions, not {len(pilot)}")
    disclosure.refuse(request.world, "a comparison clip by clip", organiser=request.organiser, home=request.home)
    need_every_clip(request.rules)
    scores = [score_operand(submission, request) for submission in pilot]
    names = distinct_names([shown_name(submission) for submission in pilot])
    paired, record = pair_scores(scores, names), scores[0].record
    if methods := [name for name, k in zip(names, paired.k, strict=True) if k > 1]:
        raise UsageError(
            f"{in_words(methods)}: more sessions do not lessen the spread of a method's runs; name one run of each, "
            "such as NAME/runs/1.jsonl"
        )
    if BY_KEY[metric].is_expected and not paired.has_expected:
        raise UsageError(f"--metric {metric}: {record['world']} has no process, and so no exact probabilities")
    test = paired_test(paired, metric, 0, 1)
    if test["se"] is None:
        raise UsageError(
            f"{metric} has clips in {plural(test['sessions'], 'session')} of the pilot, too few to say how a session "
            "is made; name another pilot"
        )
    if not test["se"]:
        raise UsageError(f"{names[0]} and {names[1]} differ in no way that a plan could be made of; name another pilot")
    seconds = [_seconds_per_clip(score) for score in scores]
    return {
        "world": record["world"],
        "split": record["split"],
        "n": len(paired.clip_ids),
        "sessions": len(paired.clips),
        "counted": test["sessions"],
        "flipping": test["differing"],
        "basis": f"the pilot {names[0]} - {names[1]}",
        "errors": [{"disagreement": None, "se": test["se"]}],
        "seconds_per_clip": sum(second for second in seconds if second) if all(seconds) else None,
    }


def _seconds_per_clip(score: Score) -> float | None:
    with duckdb.connect() as connection, reading(score.answers):
        row = connection.execute(sql(__package__, "latency"), [str(score.answers)]).fetchone()
    return row[0] if row else None


def _from_assumption(metric: str, request: Request) -> dict[str, Any]:
    """Return the standard errors that the split's table of detectable differences assumes."""
    if BY_KEY[metric].hidden_only or BY_KEY[metric].is_expected:
        raise UsageError(
            f"--metric {metric}: the assumption is about all clips, right or wrong; --pilot A B measures it on these"
        )
    with open_clips(request.world, request.split, home=request.home, truth=request.truth) as truth:
        n, sessions = truth.n, truth.sessions
        found = {"world": truth.world, "split": truth.split, "n": n, "sessions": sessions}
    if sessions < statistics.MIN_SESSIONS:
        few = plural(sessions, "session")
        raise UsageError(f"{few} cannot say how a session is made; name a --split with more")
    errors = [{"disagreement": share, "se": disagreement_error(share, n, sessions)} for share in DISAGREEMENTS]
    basis = f"the assumption of world info: correlation {CORRELATION:g} within a session"
    return found | {"counted": sessions, "flipping": None, "basis": basis, "errors": errors, "seconds_per_clip": None}
