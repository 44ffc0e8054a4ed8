"""Output of `harness score`: the answer first, then the record's parts, most important first.

By default what fits a screen: verdict, metrics, the largest failure modes, warnings, what was counted, signature. With
`full` the rest as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.commands.terminal import IN_SAMPLE, heading, print_lines, print_note, remark, table, warn
from harness.comparison.pairwise import short_name
from harness.formatting import NONE, count, coverage, interval, number, plural, size
from harness.ingestion.diagnostics import Problem
from harness.metrics_table import FURTHER, METRICS, PARTS, PUBLIC
from harness.report.panels.details import secondary
from harness.report.verdict import context_words, verdict
from harness.rules import find_rules
from harness.scoring.rounding import rounding_note
from harness.usage.words import cost_words, dollars, milliseconds, unanswered_words

DIMENSION_TITLES = {"next_operation": "next", "next_visible": "next is", "session_kind": "session"}
TOP_MODES, TOP_SLICES, BAD_LINES = 3, 5, 10
BAR = 24
LEGEND = (
    "floor: best constant; prior: knows operation, memorised order;{state} ceiling: all that frames tell; "
    "skill: way from prior (else floor) to ceiling"
)
REST = "--full: slices, calibration, known failures and more; `harness words`: the words"


def print_score(record: dict[str, Any], out: Console, title: str = "submission", full: bool = False) -> None:
    """Print a score record, of a sealed split only what may leave it. `title`: the file, where it has no name."""
    if "commitment" in record:
        _sealed(record, out)
        return
    print_headline(record, out, title)
    if not record["funnel"]:
        return
    _modes(record, out, full)
    if full:
        _funnel(record, out)
        _slices(record, out)
        _secondary(record, out)
        _further(record, out)
        _usage(record, out)
        _sections(record, out)
    _audit(record, out, full)
    _end(record, out, full)


def print_headline(record: dict[str, Any], out: Console, title: str = "submission") -> None:
    """Print the part of a score record that comes first: verdict, metrics, what was counted."""
    _answer(record, out, title)
    _metrics(record, out)
    _runs(record, out)
    _counted(record, out)
    _bad_lines(record, out)


def _runs(record: dict[str, Any], out: Console) -> None:
    """Print of a method how many runs its values are the mean of, and what is of run 1 alone."""
    if section := record.get("runs"):
        values = ", ".join(number(value) for value in section["values"]["score"])
        spread = "" if section["sd"]["score"] is None else f", standard deviation {number(section['sd']['score'])}"
        remark(out, f"mean of {section['k']} runs (score {values}{spread}); {section['note']}")
        if section["alike"]:
            warn(out, "all runs answer alike: they say nothing about how runs differ")


def _answer(record: dict[str, Any], out: Console, title: str) -> None:
    """Print the verdict, then the file, in a line of its own because its path may be long, and the split."""
    first, *rest = verdict(record, record.get("name") or _short(title))
    out.print(Text(first, style="bold"))
    for sentence in rest:
        out.print(sentence)
    out.print()
    print_lines([title], out, "dim")
    out.print(f"{record['world']} / {record['split']}: {_judged(record)}{size(record)}")


def _short(title: str) -> str:
    """Return the short name of a file, of anything else the title itself."""
    return short_name(Path(title)) or title


def _sealed(record: dict[str, Any], out: Console) -> None:
    """Print whether the file took the place, and the four numbers of the one that stands."""
    out.print(Text(record["answer"], style="bold"))
    out.print(f"{record['world']} / {record['split']} (sealed): {size(record)}")
    out.print()
    made = table("metric", "standing", "95% interval", left=["metric"])
    for metric in PUBLIC:
        row = record["metrics"][metric.key]
        value = Text(number(row["value"]), style="bold" if metric.is_composite else "")
        made.add_row(metric.title, value, interval(row))
    out.print(made)
    _counted(record | {"coverage": record["sent"]["coverage"]}, out)
    _bad_lines(record, out)
    today = record["attempts"]
    out.print(
        f"attempts of {record['name']} today: {today['today']} of {today['per_day']}; in all "
        f"{plural(record['scorings'], 'scoring')}; the same file counts once"
    )
    _signature(record, out)


def _judged(record: dict[str, Any]) -> str:
    """Return "40 of " where the rules leave clips out, so that fewer are judged than the split has."""
    judged = record["funnel"][0]["passed"] if record.get("funnel") else record["n"]
    return f"{count(judged)} of " if judged < record["n"] else ""


def _end(record: dict[str, Any], out: Console, full: bool) -> None:
    """Print where the rest is, where the words are explained, and the signature."""
    remark(out, "`harness words` explains the words" if full else REST)
    _signature(record, out)


def _signature(record: dict[str, Any], out: Console) -> None:
    """Print the signature as one line however long, so that it can be copied whole."""
    out.print()
    print_lines([record["signature"]], out, "dim")


def _metrics(record: dict[str, Any], out: Console) -> None:
    known = {key for key, row in record["metrics"].items() if row["value"] is not None}
    shown = [  # a screen holds no more
        metric for metric in METRICS if not metric.is_expected or (metric.hidden_only and metric.key in known)
    ]
    rows = [record["metrics"][metric.key] for metric in shown]
    state = ["state"] if any(row["state_prior"] is not None for row in rows) else []  # without a process there is none
    made = table("metric", "value", "95% interval", "floor", "prior", *state, "ceiling", "skill", left=["metric"])
    for metric, row in zip(shown, rows, strict=True):
        made.add_row(
            metric.title,
            Text(number(row["value"]), style="bold" if metric.is_composite else ""),
            interval(row) + ("*" if row["one_sided"] else ""),
            number(row["floor"]),
            number(row["prior"]),
            *(number(row["state_prior"]) for _ in state),
            number(row["ceiling"]),
            number(row["skill"], 2),
        )
    out.print(made)
    _context(record, out)
    remark(out, LEGEND.format(state=" state: box, too;" if state else ""))
    if any(row["one_sided"] for row in rows):
        remark(out, "* one-sided: every clip right, or none")
    for note in dict.fromkeys(note for row in rows if row["note"] for note in row["note"].split("; ")):
        warn(out, note)
    if record["in_sample"]:
        warn(out, IN_SAMPLE)


def _context(record: dict[str, Any], out: Console) -> None:
    """Print hidden AA@1 above the state prior and what it shows, where the world has a process."""
    gain = record.get("context_gain")  # absent where the rules leave no clip
    if gain is None or gain["value"] is None:
        return
    shown = f"{number(gain['value'], sign=True)} {interval(gain, sign=True)}".strip()
    out.print(Text(f"gain from context {shown}: {context_words(gain['low'], gain['high'])}"))


def _counted(record: dict[str, Any], out: Console) -> None:
    """Print how many clips have an answer, and how many of the others count as wrong for what reason."""
    missing = round(record["n"] * (1 - record["coverage"]))
    text = coverage(record["coverage"], record["n"])
    losses = {row["stage"]: row["lost"] for row in record.get("funnel", ())}
    sources = record["submission"].get("sources", {})
    parts = [
        (missing, "missing"),
        (losses.get("parsed"), "unreadable"),
        (losses.get("valid"), "invalid"),
        (sources.get("repaired") or None, "repaired"),
        (sources.get("fallback") or None, "fallback"),
    ]
    text += ": " + ", ".join(f"{count(n)} {what}" for n, what in parts if n is not None)
    wrong = missing and not find_rules(record["rules"]).drop_missing
    text += "; what is missing counts as wrong" if wrong else ""
    out.print(Text(text, style="yellow" if missing else ""))
    if section := record.get("usage"):
        for words in filter(None, (cost_words(section), unanswered_words(section))):
            print_lines([words], out)
    for note in (*record["diagnostics"]["notes"], *filter(None, [rounding_note(record)])):
        print_note(note, out, "dim")


def _bad_lines(record: dict[str, Any], out: Console) -> None:
    """Print the first problems of lines that --lenient counts as wrong."""
    found = record["diagnostics"]
    problems = found["problems"]
    if not problems:
        return
    total = found["problems_total"]
    lines, them = plural(found["rejected"], "line"), "it" if found["rejected"] == 1 else "them"
    warn(out, f"{lines} rejected, with {plural(total, 'problem')}; --lenient counts {them} as wrong")
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


def _modes(record: dict[str, Any], out: Console, full: bool) -> None:
    rows = [row for row in record["modes"] if row["gain"] > 0]
    if not rows:
        return
    heading(out, "What to mend", "gain in score if all clips of a failure mode were right")
    names = ("failure mode", "clips", "gain", "95% interval")
    made = table(*names, *(["field only"] if full else []), left=names[:1])
    shown = len(rows) if full or len(rows) == TOP_MODES + 1 else TOP_MODES
    for row in rows[:shown]:
        ends = {"low": row["gain_low"], "high": row["gain_high"]}
        made.add_row(
            row["title"],
            count(row["n"]),
            number(row["gain"], sign=True),
            interval(ends, sign=True),
            *([number(row["field_gain"], sign=True)] if full else []),
        )
    out.print(made)
    rest = rows[shown:]
    if rest:
        gain = sum(row["gain"] for row in rest)
        clips = plural(sum(row["n"] for row in rest), "clip")
        remark(out, f"and {plural(len(rest), 'mode')} more with {clips}, {number(gain, sign=True)}")
    if full:
        remark(out, "gain: all three fields right on the mode's clips; the gains sum to 1 - score")
        remark(out, "field only: just the field that names the mode; these do not add up")


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


def _secondary(record: dict[str, Any], out: Console) -> None:
    """Print the other metrics, as the page does: F1, mean tIoU, mAP, edit score, calibration."""
    heading(out, "Other metrics")
    made = table("metric", "value", "95% interval", "meaning", left=["metric", "meaning"])
    for row in secondary(record):
        digits = 1 if row.scale == "percent" else 3
        found = row.measure
        ends = {"low": found.low, "high": found.high}
        made.add_row(
            row.label,
            number(found.value, digits),
            interval(ends, digits) if found.low is not None else NONE,
            row.meaning,
        )
    out.print(made)


def _further(record: dict[str, Any], out: Console) -> None:
    """Print AA@2 and AA@3 where answers name these operations."""
    rows = {key: row for key, row in record["further"].items() if row["answered"]}
    if not rows:
        return
    heading(out, "The operations after the next", "on the clips that have one")
    made = table("metric", "value", "95% interval", "floor", "ceiling", "clips", "answered", left=["metric"])
    for key, row in rows.items():
        made.add_row(
            FURTHER[key],
            number(row["value"]),
            interval(row),
            number(row["floor"]),
            number(row["ceiling"]),
            count(row["n"]),
            count(row["answered"]),
        )
    out.print(made)


TOTALS = (("input_tokens", "input tokens"), ("output_tokens", "output tokens"),
          ("reasoning_tokens", "reasoning tokens, of the output"), ("cached_tokens", "cached tokens, of the input"),
          ("attempts", "attempts"), ("wait_ms", "waiting before the answered request, ms"))  # fmt: skip


def _percentiles(times: dict[str, Any]) -> str:
    slow = f", {times['share_above_10s']:.1%} above 10 s" if "share_above_10s" in times else ""
    return f"{milliseconds(times['p50_ms'])} (median), {milliseconds(times['p95_ms'])} (95th percentile){slow}"


def _usage(record: dict[str, Any], out: Console) -> None:
    """Print what the answers cost, where lines or card say so."""
    section = record.get("usage")
    if not section:
        return
    heading(out, "What the answers cost")
    made = table("what", "clips", "sum", "a clip", left=["what"])
    for name, title in TOTALS:
        if total := section[name]:
            made.add_row(title, count(total["n"]), f"{total['sum']:,.0f}", f"{total['mean']:,.2f}")
    out.print(made)
    if latency := record["latency"]:
        seen = ", as the client saw it" if section["served_models"] else ""
        out.print(f"latency {_percentiles(latency)}{seen}")
    for name, title in (("model", "of that the model itself took"), ("ttft", "first token after")):
        if times := section[name]:
            out.print(f"{title} {_percentiles(times)}")
    if price := section["price"]:
        per = f"${price['input']:g} in and ${price['output']:g} out a million tokens"
        out.print(f"price {dollars(price['dollars'])}, {dollars(1000 * price['per_clip'])} for 1,000 clips, at {per}")
    for name, title in (("served_models", "answered by"), ("finish_reasons", "finished by")):
        if section[name]:
            print_lines([f"{title} {', '.join(f'{text} ({count(n)})' for text, n in section[name].items())}"], out)


def _sections(record: dict[str, Any], out: Console) -> None:
    heading(out, "Known failure modes of this task")
    made = Table.grid(padding=(0, 2))
    for name, row in record["sections"].items():
        style = "" if row["applies"] else "dim"
        made.add_row(Text(name.replace("_", " "), style=style), Text(row["text"], style=style))
    out.print(made)


def _audit(record: dict[str, Any], out: Console, full: bool) -> None:
    """Print the flags of the audit; with `full` every check."""
    raised = [row for row in record["audit"] if row["raised"]]
    checks = plural(len(record["audit"]), "check")
    out.print()
    if not raised:
        out.print(f"audit: {checks}, nothing flagged")
    for row in raised:
        warn(out, f"! {row['flag'].replace('_', ' ')}: {row['text']}")
    for row in record["audit"] if full else ():
        if not row["raised"]:
            remark(out, f"  {row['flag'].replace('_', ' ')}: {row['text']}")
