"""What a person reads in a terminal: 80 columns, plain without colour or TTY. Prints records, computes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.comparison.board_text import board_cells, board_line, board_notes, sealed_note
from harness.formatting import interval, number, p_value, rank_range
from harness.metrics_table import BY_KEY, METRICS, PARTS, PUBLIC, SINGLE
from reference.task import DENSE_FRAMES

DIMENSION_TITLES = {"next_operation": "next", "next_visible": "next is", "session_kind": "session"}
TOP_MODES, TOP_SLICES = 6, 5
BAR = 24


def console(file: IO[str] | None = None) -> Console:
    """80 columns unless the terminal says otherwise; colours only on a TTY (and never with NO_COLOR)."""
    file = file or sys.stdout
    width = None if file.isatty() else int(os.environ.get("COLUMNS", "80"))
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def captured(show: Callable[[Console], object]) -> str:
    """What would be printed on standard output, as plain or coloured as there."""
    out = console()
    with out.capture() as text:
        show(out)
    return text.get()


def table(*columns: str, left: Iterable[str] = ()) -> Table:
    """A table without frames; columns are right-aligned unless named in `left`."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        is_left = column in left
        least = 8 if is_left and column else None
        made.add_column(
            column, justify="left" if is_left else "right", no_wrap=not is_left, overflow="fold", min_width=least
        )
    return made


def heading(out: Console, text: str, aside: str = "") -> None:
    out.print()
    out.print(Text(text, style="bold") + Text(f"  {aside}" if aside else "", style="dim"))


def print_score(record: dict[str, Any], out: Console, title: str = "submission") -> None:
    """The whole answer to `harness score`, most important first."""
    if "commitment" in record:
        print_sealed(record, out)
        return
    where = f"{record['world']} / {record['split']}: {record['n']:,} clips in {record['sessions']:,} sessions"
    out.print(Text(record.get("name") or title, style="bold") + Text(f"  on {where}"))
    _metrics(record, out)
    _coverage(record, out)
    if not record["funnel"]:
        return
    _funnel(record, out)
    _modes(record, out)
    _slices(record, out)
    _sections(record, out)
    _audit(record, out)
    out.print()
    out.print(Text(record["signature"], style="dim"), soft_wrap=True)


def print_sealed(record: dict[str, Any], out: Console) -> None:
    """The four numbers that leave a sealed split."""
    where = f"{record['world']} / {record['split']} (sealed): {record['n']:,} clips in {record['sessions']:,} sessions"
    out.print(Text(record["name"], style="bold") + Text(f"  on {where}"))
    made = table("metric", "value", "95% interval", left=["metric"])
    for metric in PUBLIC:
        row = record["metrics"][metric.key]
        value = Text(number(row["value"]), style="bold" if metric.is_composite else "")
        made.add_row(metric.title, value, interval(row))
    out.print(made)
    _coverage(record, out)
    times = "for the first time" if record["scorings"] == 1 else f"{record['scorings']:,} times"
    out.print(f"{record['name']} was scored {times}; every scoring is logged")
    out.print()
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
        out.print(Text("* one-sided: every clip right, or none", style="dim"))
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        out.print(Text(note, style="yellow"))
    if record["in_sample"]:
        out.print(
            Text("in-sample: floors and prior were fitted on the one session they are quoted for", style="yellow")
        )


def _coverage(record: dict[str, Any], out: Console) -> None:
    counts, missing = record["diagnostics"], round(record["n"] * (1 - record["coverage"]))
    text = f"coverage {record['coverage']:.2%}"
    text += (
        f" ({missing:,} clips without a line count as wrong)" if missing and record["rules"] != "drop-missing" else ""
    )
    out.print(Text(text, style="yellow" if missing else ""))
    for note in counts["notes"]:
        out.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))


def _funnel(record: dict[str, Any], out: Console) -> None:
    heading(out, "Where clips are lost", "clips that pass each stage")
    made = table("stage", "pass", "lost here", "", left=["stage", ""])
    total = record["funnel"][0]["passed"]
    for row in record["funnel"]:
        filled = round(BAR * row["passed"] / total)
        made.add_row(row["stage"], f"{row['passed']:,}", f"{row['lost']:,}" if row["lost"] else "", "#" * filled)
    out.print(made)


def _modes(record: dict[str, Any], out: Console) -> None:
    rows = [row for row in record["modes"] if row["gain"] > 0]
    if not rows:
        return
    heading(out, "Why they are lost", "score gained if only this were mended; gains sum to 1 - score")
    made = table("failure mode", "clips", "gain", "95% interval", "field only", left=["failure mode"])
    for row in rows[:TOP_MODES]:
        ends = {"low": row["gain_low"], "high": row["gain_high"]}
        made.add_row(
            row["title"],
            f"{row['n']:,}",
            number(row["gain"], sign=True),
            interval(ends, sign=True),
            number(row["field_gain"], sign=True),
        )
    out.print(made)
    rest = rows[TOP_MODES:]
    if rest:
        gain = sum(row["gain"] for row in rest)
        out.print(
            Text(f"and {len(rest)} more modes with {sum(row['n'] for row in rest):,} clips, {gain:+.3f}", style="dim")
        )
    out.print(Text("field only: just the field that names the mode mended; these do not add up", style="dim"))


def _slices(record: dict[str, Any], out: Console) -> None:
    """The slices whose composite is most surely below the rest."""
    tested = [row for row in record["slices"] if row["metrics"]["score"]["p"] is not None]
    worst = sorted(
        (row for row in tested if row["metrics"]["score"]["difference"] < 0),
        key=lambda row: (not row["metrics"]["score"]["star"], row["metrics"]["score"]["difference"]),
    )[:TOP_SLICES]
    if not worst:
        return
    heading(out, "Worst slices", "score against the rest; * differs after Holm over all slices")
    made = table(
        "slice", "clips", "score", "95% interval", "to the rest", *(part.short for part in PARTS), left=["slice"]
    )
    for row in worst:
        metrics = row["metrics"]
        star = "*" if metrics["score"]["star"] else " "
        title = DIMENSION_TITLES.get(row["dimension"], row["dimension"])
        made.add_row(
            f"{title}: {row['level']}",
            f"{row['n']:,}",
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
        out.print(Text(f"! {row['flag']}: {row['text']}", style="yellow"))


def print_worlds(rows: list[dict[str, Any]], out: Console) -> None:
    made = table("world", "kind", "split", "truth", left=["world", "kind", "split", "truth"])
    last = None
    for row in rows:
        shown = ("", "") if row["world"] == last else (row["world"], row["kind"])
        made.add_row(*shown, row["split"], "built" if row["built"] else "made when first used")
        last = row["world"]
    out.print(made)


def print_world(found: dict[str, Any], out: Console) -> None:
    out.print(
        Text(f"{found['world']} / {found['split']}", style="bold")
        + Text(f"  {found['n']:,} clips in {found['sessions']:,} sessions, truth {found['truth_digest'][:16]}")
    )
    made = table("metric", "floor", "prior", "ceiling", "oracle scores", left=["metric"])
    for name, row in found["metrics"].items():
        made.add_row(BY_KEY[name].title, *(number(row[role]) for role in ("floor", "prior", "ceiling", "oracle")))
    out.print(made)
    shares = [
        (f"dense (segment of at most {DENSE_FRAMES} frames)", found["dense"]),
        ("next operation not visible", found["next_hidden"]),
        ("off script", found["off_script"]),
        ("hit by answering the whole clip", found["whole_clip_tiou50"]),
    ]
    out.print("; ".join(f"{name} {share:.1%}" for name, share in shares if share is not None))
    if found["constant"]:
        constant = found["constant"]
        out.print(
            f"the constant answer: {constant['dominant_operation']}, frames {constant['start_frame']}-"
            f"{constant['end_frame']}, next {constant['next_operation']}"
        )
    if found["in_sample"]:
        out.print(
            Text("in-sample: floors and prior were fitted on the one session they are quoted for", style="yellow")
        )
    if found["frame_limit"]:
        reached = [
            f"{part.replace('_', ' ')} clips OCA {number(limit['oca'])}, tIoU@0.5 {number(limit['tiou50'])}"
            for part, limit in found["frame_limit"].items()
        ]
        out.print(f"perfect labels of 8 uniform frames reach: {'; '.join(reached)}")
    for dimension, rows in found["distributions"].items():
        out.print(
            Text(f"{dimension}: ", style="bold")
            + Text(", ".join(f"{row['level']} {row['clips'] / found['n']:.1%}" for row in rows))
        )
    _detectable(found, out)


def _detectable(found: dict[str, Any], out: Console) -> None:
    if not found["detectable"]:
        out.print(Text(f"{found['sessions']} sessions: intervals and tests are not supported", style="yellow"))
        return
    heading(out, "Detectable differences", "power 0.80 at 5%; one of two models right on a share d of clips")
    made = table("d", "smallest difference")
    for row in found["detectable"]:
        made.add_row(f"{row['disagreement']:.2f}", f"{100 * row['mde']:.1f} points")
    out.print(made)


def print_problems(lines: Iterable[str], out: Console) -> None:
    for line in lines:
        out.print(Text(line), soft_wrap=True)


def print_comparison(result: dict[str, Any], out: Console) -> None:
    out.print(
        f"{result['world']} / {result['split']}: {result['n']:,} clips in {result['sessions']:,} sessions, "
        f"margin {result['margin']:g}"
    )
    made = table("model", *(metric.title for metric in METRICS), "coverage", left=["model"])
    for entry in result["entries"]:
        values = (number(entry["metrics"][metric.key]["value"]) for metric in METRICS)
        made.add_row(entry["name"], *values, f"{entry['coverage']:.1%}")
    out.print(made)
    for pair in result["pairs"]:
        _pair(pair, result, out)


def _pair(pair: dict[str, Any], result: dict[str, Any], out: Console) -> None:
    heading(out, pair["verdict"]["sentence"])
    made = table(
        f"{pair['a']} - {pair['b']}",
        "difference",
        "95% interval",
        "p",
        "adjusted",
        "verdict",
        left=[f"{pair['a']} - {pair['b']}"],
    )
    tests = {"score": pair["score"]} | pair["metrics"]
    for metric in METRICS:
        test = tests[metric.key]
        made.add_row(
            metric.title,
            number(test["difference"], sign=True),
            interval(test, sign=True),
            p_value(test["p"]),
            p_value(test["p_adjusted"]),
            direction(test, result["alpha"]),
        )
    out.print(made)
    out.print(
        Text(f"adjusted by Holm: score over m = {result['m']}, the rest over m = {result['m_metrics']}", style="dim")
    )
    counts = table(
        "clips right by", "both", f"only {pair['a']}", f"only {pair['b']}", "neither", left=["clips right by"]
    )
    for field, row in pair["counts"].items():
        counts.add_row("all three" if field == "all" else field, *(f"{value:,}" for value in row.values()))
    out.print(counts)
    for side, name in (("only_a", pair["a"]), ("only_b", pair["b"])):
        flips = pair["flips"][side]
        if flips:
            more = f" and {len(flips) - 3:,} more" if len(flips) > 3 else ""
            out.print(Text(f"only {name} fully right: {', '.join(flips[:3])}{more}", style="dim"))


def direction(test: dict[str, Any], alpha: float) -> str:
    """What a difference that stands after adjustment says."""
    if test["p_adjusted"] > alpha:
        return "-"
    return "better" if test["difference"] > 0 else "worse"


def print_leaderboard(board: dict[str, Any], out: Console) -> None:
    out.print(Text(board["verdict"], style="bold"))
    out.print(board_line(board), style="dim")
    made = table("rank", "tier", "model", "score", "95% interval", *(metric.short for metric in SINGLE), left=["model"])
    for row in board["entries"]:
        name = row["name"] + (" !" if row["flags"] else "")
        made.add_row(rank_range(row), str(row["tier"]), name, *board_cells(row)[:-1])
    for row in board["references"]:
        made.add_row("-", "-", Text(row["name"], style="dim"), *board_cells(row)[:-1])
    out.print(made)
    for note in board_notes(board):
        out.print(Text(note, style="yellow" if note.startswith("!") else "dim"))
    for entry in board["broken"]:
        out.print(Text(f"x {entry['name']}: {entry['error'].splitlines()[0]}", style="red"))
    if board["elsewhere"]:
        entries = "entry is" if board["elsewhere"] == 1 else "entries are"
        out.print(Text(f"{board['elsewhere']:,} more {entries} for another world or split", style="dim"))


def print_sealed_leaderboard(board: dict[str, Any], out: Console) -> None:
    """The public board of a sealed split."""
    where = f"{board['world']} / {board['split']} (sealed): {board['n']:,} clips in {board['sessions']:,} sessions"
    out.print(Text(where if board["entries"] else "No entry yet.", style="bold"))
    made = table("model", "score", "95% interval", *(part.short for part in PARTS), "coverage", left=["model"])
    for row in board["entries"]:
        metrics = row["metrics"]
        values = (number(metrics[part.key]["value"]) for part in PARTS)
        made.add_row(
            row["name"],
            number(metrics["score"]["value"]),
            interval(metrics["score"]),
            *values,
            f"{row['coverage']:.0%}",
        )
    out.print(made)
    out.print(sealed_note(board), style="dim")
    for entry in board["broken"]:
        out.print(Text(f"x {entry['name']}: {entry['error'].splitlines()[0]}", style="red"))
