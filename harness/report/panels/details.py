"""Panels for the rest of a score record: known failures, transfer gap, training run, audit, secondary metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.report.panels.measure import Axis, Measure, axis_over, measure
from harness.scoring.rounding import rounding_note

TITLES = {
    "boundary_confusion": "Boundary confusion",
    "sequence_memorised": "Sequence memorised",
    "out_of_memory": "Out of memory",
    "transfer_gap": "Transfer gap",
    "json_breakdown": "JSON breakdown",
    "latency": "Latency",
}


@dataclass(frozen=True)
class Section:
    """One known failure of the task; where `applies` is False nothing was measured, and `text` says why."""

    name: str
    title: str
    applies: bool
    text: str


@dataclass(frozen=True)
class Shift:
    """Gap of a domain to the clean domain's score, with its p adjusted over the domains (None: not tested)."""

    domain: str
    seen: bool
    gap: Measure
    p_adjusted: float | None


@dataclass(frozen=True)
class Transfer:
    """Transfer gap of each domain, with the axis to draw it on; `m` domains are tested."""

    shifts: list[Shift]
    axis: Axis
    m: int


@dataclass(frozen=True)
class Fact:
    """Label and value of the training record."""

    label: str
    value: str


@dataclass(frozen=True)
class Check:
    """Check of the audit; `raised` is None where it cannot be made."""

    name: str
    raised: bool | None
    text: str


@dataclass(frozen=True)
class Secondary:
    """Secondary metric; `scale` says how its number is printed."""

    label: str
    measure: Measure
    scale: str  # "share" | "percent" | "difference"
    meaning: str


@dataclass(frozen=True)
class Details:
    """Panel data: everything of a record that no other panel shows."""

    sections: list[Section]
    transfer: Transfer | None
    training: list[Fact]
    checks: list[Check]
    secondary: list[Secondary]
    notes: list[str]
    problems: int


def details(record: dict[str, Any]) -> Details:
    """Make the panels of one entry."""
    found = record["sections"]
    sections = [Section(name, TITLES[name], row["applies"], row["text"]) for name, row in found.items()]
    checks = [Check(row["flag"].replace("_", " "), row["raised"], row["text"]) for row in record["audit"]]
    said = record["diagnostics"]
    return Details(
        sections,
        _transfer(found["transfer_gap"]),
        _training(found["out_of_memory"]),
        checks,
        secondary(record),
        [*said["notes"], *filter(None, [rounding_note(record)])],
        said["problems_total"],
    )


def _transfer(row: dict[str, Any]) -> Transfer | None:
    if not row["applies"]:
        return None
    shifts = [
        Shift(gap["domain"], gap["seen_in_training"], measure(gap | {"value": gap["gap"]}), gap["p_adjusted"])
        for gap in row["gaps"]
        if gap["gap"] is not None
    ]
    shifts.sort(key=lambda shift: (not shift.seen, shift.gap.value))
    ends = [end for shift in shifts for end in (shift.gap.value, shift.gap.low, shift.gap.high)]
    return Transfer(shifts, axis_over(ends, zero=True), row["m"])


TRAINING = (
    ("device", "device", ""), ("predicted_peak_gib", "predicted peak memory", "GiB"),
    ("measured_peak_gib", "measured peak memory", "GiB"), ("oom_events", "out-of-memory events", ""),
    ("steps", "optimizer steps", ""), ("wall_s", "wall time", "s"),
)  # fmt: skip


def _training(row: dict[str, Any]) -> list[Fact]:
    if not row["applies"]:
        return []
    record = row["record"]
    known = {name for name, _, _ in TRAINING}
    facts = [
        Fact(label, f"{_plain(record[name])} {unit}".strip())
        for name, label, unit in TRAINING
        if record.get(name) is not None
    ]
    return facts + [
        Fact(name.replace("_", " "), _plain(value))
        for name, value in record.items()
        if name not in known and isinstance(value, (str, int, float))
    ]


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def secondary(record: dict[str, Any]) -> list[Secondary]:
    """Return the metrics that are no headline, in the order in which they are shown."""

    def at(path: str, label: str, meaning: str, scale: str = "share") -> Secondary:
        row: Any = record
        for key in path.split("."):
            row = row[key]
        return Secondary(label, measure(row, path, record["n"], record["sessions"]), scale, meaning)

    return [
        at("operation.macro_f1", "Macro F1, operation", "mean over the operations that occur"),
        at("operation.balanced_accuracy", "Balanced accuracy", "mean recall of operations"),
        at("next.macro_f1", "Macro F1, next", "mean over the next operations that occur"),
        at("temporal.mean_tiou", "Mean tIoU", "of every clip's segment"),
        at("temporal.mean_over_thresholds", "tIoU@.10 to .95", "mean over 18 thresholds"),
        at("detection.map", "mAP", f"mean over tIoU .50 to .95; {record['detection']['map']['note']}"),
        at("segmental.edit", "Edit score", "order of operations in a session", "percent"),
        at("segmental.f1@10", "F1@10", "segmental", "percent"),
        at("segmental.f1@25", "F1@25", "segmental", "percent"),
        at("segmental.f1@50", "F1@50", "segmental", "percent"),
        at("own_prior.own_prior", "Own prior", "AA@1 of the usual successor of what it recognised"),
        *_calibration(record),
    ]


def _calibration(record: dict[str, Any]) -> list[Secondary]:
    found = []
    for field, label in (("operation", "ECE, operation"), ("next", "ECE, next")):
        row = record["calibration"][field]
        if row:
            found.append(
                Secondary(
                    label,
                    Measure(row["ece"], n=row["n"], at=f"calibration.{field}.ece"),
                    "share",
                    "calibration error, 15 bins, no interval",
                )
            )
            brier = measure(row["brier"], f"calibration.{field}.brier", row["n"], record["sessions"])
            found.append(Secondary(label.replace("ECE", "Brier"), brier, "share", "mean of (confidence - right)^2"))
    if row := record["calibration"]["overconfidence"]:
        shown = measure(row, "calibration.overconfidence", row["n"], record["sessions"])
        found.append(
            Secondary("Overconfidence", shown, "difference", "next confidence minus exact probability, hidden")
        )
    return found
