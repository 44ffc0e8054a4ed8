"""Output of `harness world list` and `harness world info`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from harness.commands.terminal import IN_SAMPLE, heading, print_lines, table, warn
from harness.formatting import NONE, number, percent, plural, size
from harness.metrics_table import BY_KEY, FURTHER
from harness.worlds.describe import ROLES
from reference.task import DENSE_FRAMES, saturation_note


def print_worlds(rows: list[dict[str, Any]], out: Console) -> None:
    """Print every world with its splits; its name stands in the first of its rows."""
    made = table("world", "kind", "split", "truth", left=["world", "kind", "split", "truth"])
    last = None
    for row in rows:
        world = ("", "") if row["world"] == last else (row["world"], row["kind"] or "-")
        state = "not usable" if row["note"] else "built" if row["built"] else "made when first used"
        made.add_row(*world, row["split"] or "-", state)
        last = row["world"]
    out.print(made)
    for row in rows:
        if row["note"]:
            warn(out, row["note"])


def print_published(found: dict[str, Any], out: Console) -> None:
    """Print what the published folder of a sealed split holds."""
    where = Text(f"{found['world']} / {found['split']} (sealed)", style="bold")
    out.print(where + Text(f"  {size(found)}"))
    pictures = found["pictures"]
    drawn = "videos" if pictures["form"] == "video" else f"{pictures['frames']} frames a clip, {pictures['sampler']}"
    print_lines([f"commitment {found['commitment']}"], out)
    out.print(Text(f"pictures: {drawn}, {pictures['size']} x {pictures['size']} ({pictures['image']})"))
    out.print(Text(f"labels: {', '.join(found['operations'])}"))
    out.print("the truth is with the organiser: validate, predict and submit work here, a score does not")


def print_world(found: dict[str, Any], out: Console) -> None:
    """Print what a split holds: bounds of the metrics, shares, distributions, detectable differences."""
    where = Text(f"{found['world']} / {found['split']}", style="bold")
    out.print(where + Text(f"  {size(found)}, truth {found['truth_digest'][:16]}"))
    _bounds(found, out)
    _shares(found, out)
    if found["in_sample"]:
        warn(out, IN_SAMPLE)
    _frame_limit(found, out)
    for dimension, rows in found["distributions"].items():
        levels = ", ".join(f"{row['level']} {percent(row['clips'] / found['n'], 1)}" for row in rows)
        out.print(Text(f"{dimension}: ", style="bold") + Text(levels))
    _detectable(found, out)


def _bounds(found: dict[str, Any], out: Console) -> None:
    made = table("metric", "floor", "prior", "state prior", "ceiling", "oracle scores", left=["metric"])
    for name, row in found["metrics"].items():
        made.add_row(BY_KEY[name].title, *(number(row[role]) for role in ROLES))
    for name, row in found["further"].items():
        if row["n"]:
            made.add_row(FURTHER[name], number(row["floor"]), NONE, NONE, number(row["ceiling"]), number(row["oracle"]))
    out.print(made)
    hidden = found["metrics"]["aa1_hidden"]
    if hidden["state_prior"] is not None:
        low, first, second, top = (number(hidden[role]) for role in ("floor", "prior", "state_prior", "ceiling"))
        out.print(
            f"hidden AA@1: time {low} to {first} (what usually follows), recognition to {second} (how the box looks), "
            f"reading to {top} (the order's marks); the rest is chance"
        )


def _shares(found: dict[str, Any], out: Console) -> None:
    shares = [
        (f"dense (segment of at most {DENSE_FRAMES} frames)", found["dense"]),
        ("next operation not visible", found["next_hidden"]),
        ("off script", found["off_script"]),
        ("hit by answering the whole clip", found["whole_clip_tiou50"]),
    ]
    out.print("; ".join(f"{name} {percent(share, 1)}" for name, share in shares if share is not None))
    if note := saturation_note(found["whole_clip_tiou50"]):
        warn(out, note)
    if found["constant"]:
        constant = found["constant"]
        frames = f"frames {constant['start_frame']}-{constant['end_frame']}"
        answer = f"{constant['dominant_operation']}, {frames}, next {constant['next_operation']}"
        out.print(f"the constant answer: {answer}")


def _frame_limit(found: dict[str, Any], out: Console) -> None:
    if not found["frame_limit"]:
        return
    reached = [
        f"{part.replace('_', ' ')} clips "
        + ", ".join(f"{BY_KEY[key].title} {number(value)}" for key, value in limit.items() if key in BY_KEY)
        for part, limit in found["frame_limit"].items()
    ]
    out.print(f"perfect labels of 8 uniform frames reach: {'; '.join(reached)}")
    if found["foresight"]:
        shares = [f"{plural(int(count), 'frame')} {number(share)}" for count, share in found["foresight"].items()]
        out.print(f"a hidden next operation is foreseen at best, in expectation, from {', '.join(shares)}")


def _detectable(found: dict[str, Any], out: Console) -> None:
    if not found["detectable"]:
        warn(out, f"{plural(found['sessions'], 'session')}: intervals and tests are not supported")
        return
    heading(out, "Detectable differences", "power 0.80 at 5%; one of two models right on a share d of clips")
    made = table("d", "smallest difference")
    for row in found["detectable"]:
        made.add_row(f"{row['disagreement']:.2f}", f"{number(100 * row['mde'], 1)} points")
    out.print(made)
