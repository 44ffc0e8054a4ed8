"""`harness plan`: how many sessions, clips and hours a comparison needs."""

from __future__ import annotations

from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say
from harness.formatting import count


@click.command("plan", cls=options.Command)
@options.option(
    "--difference",
    type=float,
    default=0.03,
    show_default=True,
    metavar="D",
    help="Find a true difference of D between two models.",
)
@options.option(
    "--metric",
    default="score",
    show_default=True,
    metavar="NAME",
    help="Find it in this metric, as score.json names it.",
)
@options.option(
    "--pilot",
    nargs=2,
    metavar="A B",
    help="Take the spread between sessions from these two: files, entries or baselines, as `harness compare` takes "
    "them; without it the assumption of `harness world info`.",
)
@options.option(
    "--power", type=float, default=0.8, show_default=True, metavar="P", help="Find it in this share of comparisons."
)
@options.option(
    "--margin",
    "equivalence",
    is_flag=True,
    help="Take D as a margin: plan to show that two equal models are equivalent within plus or minus D.",
)
@options.option(
    "--seconds-per-clip",
    type=float,
    metavar="S",
    help="Reckon hours with S seconds a clip; by default with the latency that both pilots state, one after the other.",
)
@options.output_format("text", "json")
@options.truth
@options.organiser
@options.rules
@options.ingestion
def command(output: str, difference: float, **choices: Any) -> None:
    """Say how many sessions, clips and hours a comparison needs.

    The sessions are ones like those of the split; the number is the one that a verdict calls "about N sessions like
    these would decide".

    \b
    Example:
      harness plan --difference 0.02
      harness plan --difference 0.03 --pilot qwen-tiny probe
      harness plan --metric aa1_hidden --pilot qwen-tiny probe --power 0.9
    """
    from harness.comparison.plan import plan

    request = options.request(choices)
    choices["pilot"] = choices["pilot"] or ()
    found = plan(difference, request=request, **choices)
    if output == "json":
        options.print_json(found)
        return
    say("\n".join(_lines(found)))


def _lines(found: dict[str, Any]) -> list[str]:
    """Return the goal, its basis and a line for each row of a plan."""
    from harness.metrics_table import BY_KEY

    title, size = BY_KEY[found["metric"]].title, f"{found['difference']:g}"
    goal = f"equivalence within {size} in {title}" if found["equivalence"] else f"a difference of {size} in {title}"
    return [
        f"{found['world']} / {found['split']}: {goal}, power {found['power']:g} at {found['alpha']:g}",
        f"from {found['basis']}",
        *(_row(row) for row in found["rows"]),
    ]


def _row(row: dict[str, Any]) -> str:
    share = row["disagreement"]
    where = "" if share is None else f"one of two models right on a share {share:g} of the clips: "
    hours = "" if row["hours"] is None else f", {row['hours']:.1f} hours"
    return f"  {where}{count(row['sessions'])} sessions like these, {count(row['clips'])} clips{hours}"
