"""Output of `harness score`: the record's parts, most important first."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.commands.terminal import IN_SAMPLE, heading, print_lines, print_note, remark, table, warn
from harness.formatting import count, interval, number, percent, plural, size
from harness.ingestion.diagnostics import Problem
from harness.metrics_table import METRICS, PARTS, PUBLIC

DIMENSION_TITLES = {"next_operation": "next", "next_visible": "next is", "session_kind": "session"}
TOP_MODES, TOP_SLICES, BAD_LINES = 6, 5, 10
BAR = 24


def print_score(record: dict[str, Any], out: Console, title: str = "submission") -> None:
    """Print a score record, of a sealed split only what may leave it."""
    if "commitment" in record:
        _sealed(record, out)
        return
    print_headline(record, out, title)
    _bad_lines(record, out)
    if not record["funnel"]:
        return
    _funnel(record, out)
    _modes(record, out)
    _slices(record, out)
    _sections(record, out)
    _audit(record, out)
    _end(record, out)


def print_headline(record: dict[str, Any], out: Console, title: str = "submission") -> None:
    """Print the part of a score record that comes first: the metrics and the coverage."""
    _begin(record, out, record.get("name") or title, f"{record['world']} / {record['split']}")
    _metrics(record, out)
    _coverage(record, out)


def _sealed(record: dict[str, Any], out: Console) -> None:
    """Print the four numbers that leave a sealed split."""
    _begin(record, out, record["name"], f"{record['world']} / {record['split']} (sealed)")
    made = table("metric", "value", "95% interval", left=["metric"])
    for metric in PUBLIC:
        row = record["metrics"][metric.key]
        value = Text(number(row["value"]), style="bold" if metric.is_composite else "")
        made.add_row(metric.title, value, interval(row))
    out.print(made)
    _coverage(record, out)
    times = "for the first time" if record["scorings"] == 1 else f"{count(record['scorings'])} times"
    out.print(f"{record['name']} was scored {times}; every scoring is logged")
    _end(record, out)


def _begin(record: dict[str, Any], out: Console, name: str, where: str) -> None:
    """Print the submission's name, in a line of its own because it may be a long path, and the split."""
    print_lines([name], out, "bold")
    out.print(f"{where}: {_judged(record)}{size(record)}")
    out.print()


def _judged(record: dict[str, Any]) -> str:
    """Return "40 of " where the rules leave clips out, so that fewer are judged than the split has."""
    judged = record["funnel"][0]["passed"] if record.get("funnel") else record["n"]
    return f"{count(judged)} of " if judged < record["n"] else ""


def _end(record: dict[str, Any], out: Console) -> None:
    """Print where the words are explained, and the signature on one line."""
    out.print()
    remark(out, "`harness words` explains floor, prior, ceiling, skill and the other words.")
    out.print(Text(record["signature"], style="dim"), soft_wrap=True)


def _metrics(record: dict[str, Any], out: Console) -> None:
    made = table("metric", "value", "95% interval", "floor", "prior", "ceiling", "skill", left=["metric"])
    rows = [record["metrics"][metric.key] for metric in METRICS]
    for metric, row in zip(METRICS, rows, strict=True):
        made.add_row(
            metric.title,
            Text(number(row["value"]), style="bold" if metric.is_composite else ""),
            interval(row) + ("*" if row["one_sided"] else ""),
            number(row["floor"]),
            number(row["prior"]),
            number(row["ceiling"]),
            number(row["skill"], 2),
        )
    out.print(made)
    if any(row["one_sided"] for row in rows):
        remark(out, "* one-sided: every clip right, or none")
    for note in dict.fromkeys(note for row in rows if row["note"] for note in row["note"].split("; ")):
        warn(out, note)
    if record["in_sample"]:
        warn(out, IN_SAMPLE)


def _coverage(record: dict[str, Any], out: Console) -> None:
    missing = round(record["n"] * (1 - record["coverage"]))
    wrong = missing and record["rules"] != "drop-missing"
    text = f"coverage {percent(record['coverage'], 2)}"
    text += f" ({count(missing)} clips without a line count as wrong)" if wrong else ""
    out.print(Text(text, style="yellow" if missing else ""))
    for note in record["diagnostics"]["notes"]:
        print_note(note, out, "dim")


def _bad_lines(record: dict[str, Any], out: Console) -> None:
    """Print the first problems of lines that --lenient counts as wrong."""
    found = record["diagnostics"]
    problems = found["problems"]
    if not problems:
        return
    total = found["problems_total"]
    lines = plural(found["rejected"], "line")
    warn(out, f"{lines} rejected, with {plural(total, 'problem')}; --lenient counts them as wrong")
    print_lines((f"  line {row['line']}: {Problem(**row).sentence}" for row in problems[:BAD_LINES]), out, "yellow")
    if total > BAD_LINES:
        remark(out, f"  and {count(total - BAD_LINES)} more; `harness validate` lists them")


def _funnel(record: dict[str, Any], out: Console) -> None:
    heading(out, "Where clips are lost", "clips that pass each stage")
    made = table("stage", "pass", "lost here", "", left=["stage", ""])
    total = record["funnel"][0]["passed"]
    for row in record["funnel"]:
        filled = round(BAR * row["passed"] / total)
        made.add_row(row["stage"], count(row["passed"]), count(row["lost"]) if row["lost"] else "", "#" * filled)
    out.print(made)


def _modes(record: dict[str, Any], out: Console) -> None:
    rows = [row for row in record["modes"] if row["gain"] > 0]
    if not rows:
        return
    heading(out, "Why they are lost", "what the score would gain by repairing one failure mode")
    made = table("failure mode", "clips", "gain", "95% interval", "field only", left=["failure mode"])
    for row in rows[:TOP_MODES]:
        ends = {"low": row["gain_low"], "high": row["gain_high"]}
        made.add_row(
            row["title"],
            count(row["n"]),
            number(row["gain"], sign=True),
            interval(ends, sign=True),
            number(row["field_gain"], sign=True),
        )
    out.print(made)
    rest = rows[TOP_MODES:]
    if rest:
        gain = sum(row["gain"] for row in rest)
        clips = sum(row["n"] for row in rest)
        remark(out, f"and {len(rest)} more modes with {count(clips)} clips, {number(gain, sign=True)}")
    remark(out, "gain: all three fields repaired on the mode's clips; the gains sum to 1 - score")
    remark(out, "field only: just the field that names the mode repaired; these do not add up")


def _slices(record: dict[str, Any], out: Console) -> None:
    """Print the slices with the lowest score against the rest, significant ones first."""
    tested = [row for row in record["slices"] if row["metrics"]["score"]["p"] is not None]
    worst = sorted(
        (row for row in tested if row["metrics"]["score"]["difference"] < 0),
        key=lambda row: (not row["metrics"]["score"]["star"], row["metrics"]["score"]["difference"]),
    )[:TOP_SLICES]
    if not worst:
        return
    heading(out, "Worst slices", "score against the rest; * significant, Holm over all slices")
    made = table(
        "slice", "clips", "score", "95% interval", "to the rest", *(part.short for part in PARTS), left=["slice"]
    )
    for row in worst:
        metrics = row["metrics"]
        star = "*" if metrics["score"]["star"] else " "
        title = DIMENSION_TITLES.get(row["dimension"], row["dimension"])
        made.add_row(
            f"{title}: {row['level']}",
            count(row["n"]),
            number(metrics["score"]["value"]),
            interval(metrics["score"]),
            number(metrics["score"]["difference"], sign=True) + star,
            *(number(metrics[part.key]["value"], 2) for part in PARTS),
        )
    out.print(made)


def _sections(record: dict[str, Any], out: Console) -> None:
    heading(out, "Known failure modes of this task")
    made = Table.grid(padding=(0, 2))
    for name, row in record["sections"].items():
        style = "" if row["applies"] else "dim"
        made.add_row(Text(name.replace("_", " "), style=style), Text(row["text"], style=style))
    out.print(made)


def _audit(record: dict[str, Any], out: Console) -> None:
    raised = [row for row in record["audit"] if row["raised"]]
    heading(out, "Audit", "" if raised else f"{len(record['audit'])} checks, nothing flagged")
    for row in raised:
        warn(out, f"! {row['flag']}: {row['text']}")
