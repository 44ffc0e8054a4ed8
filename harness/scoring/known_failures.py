"""Sections on the six failure modes that models of this task are known for, made from the score record.

- boundary confusion: errors in frames, and whether they are above 10 frames
- sequence memorised: AA@1 on off-script against on-script clips
- out of memory: predicted against measured memory, from the training record
- transfer gap: shifted domains against the clean one, or against the same clips drawn clean
- JSON breakdown: unreadable, invalid, repaired and fallback answers
- latency: p50, p95, share above 10 s
"""

from __future__ import annotations

import math
from typing import Any

from harness.formatting import count, in_words, p_value, plural
from harness.statistics import ALPHA
from harness.usage.words import milliseconds

BOUNDARY_LINE_FRAMES = 10
SLOW_SECONDS = 10

Section = dict[str, Any]


def known_failures(record: dict[str, Any], training: dict[str, Any] | None) -> dict[str, Section]:
    """Return all six sections. `applies` is False, and `text` holds the reason, where nothing was measured."""
    return {
        "boundary_confusion": boundary_confusion(record),
        "sequence_memorised": sequence_memorised(record),
        "out_of_memory": out_of_memory(training),
        "transfer_gap": transfer_gap(record),
        "json_breakdown": json_breakdown(record),
        "latency": latency(record),
    }


def section(applies: bool, text: str, **numbers: Any) -> Section:
    """Return a section: whether it applies, a sentence, and the numbers behind it."""
    return {"applies": applies, "text": text, **numbers}


def boundary_confusion(record: dict[str, Any]) -> Section:
    """Return the errors of start and end in frames, over the answers with start < end."""
    errors = record["temporal"]["boundary_errors"]
    if not errors["n"]:
        return section(False, "no answer holds a segment with start < end")
    start, end = errors["start_mean_abs"]["value"], errors["end_mean_abs"]["value"]
    text = (
        f"starts are off by {start:.1f} frames on average, ends by {end:.1f}; "
        f"{errors['start_within_10']['value']:.0%} of starts and {errors['end_within_10']['value']:.0%} of ends lie "
        f"within {BOUNDARY_LINE_FRAMES} frames"
    )
    over = max(start, end) > BOUNDARY_LINE_FRAMES
    return section(True, text, line_frames=BOUNDARY_LINE_FRAMES, above_line=over, errors=errors)


def sequence_memorised(record: dict[str, Any]) -> Section:
    """Return AA@1 on on-script and off-script clips, and how often the usual successor was the wrong answer."""
    levels = {row["level"]: row for row in record["slices"] if row["dimension"] == "script"}
    if set(levels) != {"off-script", "on-script"}:
        return section(False, "this split does not have both on-script and off-script clips")
    off, on = (levels[name]["metrics"]["aa1"] for name in ("off-script", "on-script"))
    script = sum(row["n"] for row in record["modes"] if row["mode"] == "next_script")
    text = (
        f"AA@1 is {on['value']:.3f} on script and {off['value']:.3f} off script; {count(script)} off-script clips "
        "that were right until then have the usual successor as their answer"
    )
    return section(True, text, on_script=on, off_script=off, gap=on["value"] - off["value"], script_answers=script)


def out_of_memory(training: dict[str, Any] | None) -> Section:
    """Return the predicted and the measured peak of a training record in GiB."""
    if training is None:
        return section(
            False, "there is no training record (training.json beside the predictions, `harness schema training`)"
        )
    predicted, peak, events = (training.get(key) for key in ("predicted_peak_gib", "measured_peak_gib", "oom_events"))
    parts = [f"trained on {training['device']}"]
    parts += [f"predicted peak {predicted:.2f} GiB"] if predicted is not None else []
    parts += [f"measured {peak:.2f} GiB"] if peak is not None else []
    parts += [plural(events, "out-of-memory event")] if events is not None else []
    ratio = peak / predicted if predicted and peak is not None else None
    ratio = ratio if ratio is not None and math.isfinite(ratio) else None  # of 1e-300 GiB
    return section(True, ", ".join(parts), measured_over_predicted=ratio, record=training)


def transfer_gap(record: dict[str, Any]) -> Section:
    """Return the gap of each domain to the clean one, and which domains differ: those whose adjusted p says so."""
    found = record["transfer"]
    if found is None or found["clean"] is None or all(row["gap"] is None for row in found["gaps"]):
        return section(False, "this split does not have both clean and shifted domains")
    named = [(label, found[label]) for label in ("seen", "unseen") if found[label] and found[label]["gap"] is not None]
    parts = " and ".join(f"{row['gap']:+.3f}{_ends(row)} on {label} domains" for label, row in named)
    against = "clean"
    if found.get("paired"):
        against = f"the same clips drawn clean ({plural(found['pairs'], 'pair')})"
    text = f"against {against}, the score changes by {parts}; {_which_differ(found)}{_unpaired(found)}"
    return section(True, text, **found)


def _unpaired(found: dict[str, Any]) -> str:
    """Return which domains have no pairs although others have, in words."""
    alone = [row["domain"] for row in found["gaps"] if not row["paired"]] if found.get("paired") else []
    return f"; without pairs, against other clips: {in_words(alone)}" if alone else ""


def _ends(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f" (95% {row['low']:+.3f} to {row['high']:+.3f})"


def _which_differ(found: dict[str, Any]) -> str:
    """Return which domains are significantly below or above clean, in words."""
    tested = [row for row in found["gaps"] if row["p_adjusted"] is not None]
    if not tested:
        return "too few sessions to say which domains differ"
    differ = [row for row in tested if row["p_adjusted"] <= ALPHA]
    if not differ:
        least = min(row["p_adjusted"] for row in tested)
        return f"no domain is shown to differ (smallest adjusted p {p_value(least)}, m = {found['m']})"
    verbs = [
        f"{row['domain']} {'loses' if row['gap'] < 0 else 'gains'} {abs(row['gap']):.3f} "
        f"(adjusted p {p_value(row['p_adjusted'])}, m = {found['m']})"
        for row in sorted(differ, key=lambda row: row["gap"])
    ]
    rest = len(tested) - len(differ)
    return in_words(verbs) + (f"; {plural(rest, 'other domain')} not shown to differ" if rest else "")


def json_breakdown(record: dict[str, Any]) -> Section:
    """Return how many answers were unreadable, invalid, repaired or a fallback."""
    counts = {row["mode"]: row["n"] for row in record["modes"]}
    broken = counts.get("unparseable", 0) + counts.get("invalid", 0)
    sources = record["submission"]["sources"]
    present = record["funnel"][1]["passed"]
    model_only = record["model_only"]["score"]
    shown = "not available" if model_only is None else f"{model_only:.4f}"
    text = (
        f"{count(broken)} of {count(present)} answers are unreadable or invalid, "
        f"{count(sources['repaired'])} repaired, {count(sources['fallback'])} marked as fallback; with those counted "
        f"as wrong the score is {shown}"
    )
    share = broken / present if present else None
    return section(True, text, broken=broken, share=share, **sources)


def latency(record: dict[str, Any]) -> Section:
    """Return the latency in milliseconds of the answers that state one: of a served model, as the client saw it."""
    row = record["latency"]
    if row is None:
        return section(False, "no answer states latency_ms")
    text = (
        f"p50 is {row['p50_ms']:.0f} ms, p95 {row['p95_ms']:.0f} ms; "
        f"{row['share_above_10s']:.1%} of {count(row['n'])} answers took longer than {SLOW_SECONDS} s"
    )
    usage = record.get("usage") or {}
    if usage.get("served_models"):
        text += ", as the client saw them"
    if own := usage.get("model"):
        times = f"{milliseconds(own['p50_ms'])} (p50), {milliseconds(own['p95_ms'])} (p95)"
        text += f"; its server says that the model itself took {times}"
    return section(True, text, **row)
