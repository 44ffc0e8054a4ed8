"""Output of `harness compare`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from harness.commands.terminal import heading, remark, table, warn
from harness.comparison.pairwise import interval_note
from harness.formatting import count, interval, number, p_value, percent, plural, size, unanswered
from harness.metrics_table import EXPECTED, OBSERVED

SHOWN = 3
"""Clips that are named of those that only one of two gets right."""

NOT_SIGNIFICANT = "-"
RAW = "raw"


def print_comparison(result: dict[str, Any], out: Console) -> None:
    """Print every entry's metrics, then each pair with its verdict."""
    out.print(f"{result['world']} / {result['split']}: {size(result)}, margin {result['margin']:g}")
    out.print()
    runs = ["runs"] if any(entry["runs"] > 1 for entry in result["entries"]) else []
    made = table("model", *runs, *(metric.title for metric in OBSERVED), "coverage", left=["model"])
    for entry in result["entries"]:
        values = (number(entry["metrics"][metric.key]["value"]) for metric in OBSERVED)
        made.add_row(entry["name"], *(str(entry[key]) for key in runs), *values, percent(entry["coverage"], 1))
    out.print(made)
    for entry in result["entries"]:
        if remark_on_part := unanswered(entry["coverage"], entry["metrics"]["score"]["n"]):
            warn(out, f"{entry['name']}: {remark_on_part}")
    drawn = {entry["name"]: entry["sample"] for entry in result["entries"] if "sample" in entry}
    for name, sample in drawn.items():
        remark(out, f"{name}: a sample of {plural(sample['sessions'], 'session')}, seed {sample['seed']}")
    if drawn:
        same = plural(result["sessions"], "session")
        remark(out, f"each row above is about its own sessions, the tests are about the {same} that all have")
    for pair in result["pairs"]:
        _pair(pair, result, out)


def _pair(pair: dict[str, Any], result: dict[str, Any], out: Console) -> None:
    heading(out, pair["verdict"]["sentence"])
    remark(out, pair["about"])
    _tests(pair, result, out)
    out.print()
    _counts(pair, out)
    if any(entry["runs"] > 1 for entry in result["entries"] if entry["name"] in (pair["a"], pair["b"])):
        remark(out, "counts and clips are of run 1")
    if any(pair["flips"].values()):
        out.print()
    for side, name in (("only_a", pair["a"]), ("only_b", pair["b"])):
        flips = pair["flips"][side]
        if flips:
            more = f" and {count(len(flips) - SHOWN)} more" if len(flips) > SHOWN else ""
            remark(out, f"only {name} fully right: {', '.join(flips[:SHOWN])}{more}")


def _tests(pair: dict[str, Any], result: dict[str, Any], out: Console) -> None:
    title = f"{pair['a']} - {pair['b']}"
    made = table(title, "difference", "95% interval", "raw p", "adjusted", "verdict", left=[title])
    tests = {"score": pair["score"]} | pair["metrics"]
    verdicts = {key: _direction(test, result["alpha"]) for key, test in tests.items()}
    for metric in OBSERVED:
        test = tests[metric.key]
        made.add_row(
            metric.title,
            number(test["difference"], sign=True),
            interval(test, sign=True),
            p_value(test["p"]),
            p_value(test["p_adjusted"]),
            verdicts[metric.key],
        )
    for metric in EXPECTED if pair["expected"] else ():
        test = pair["expected"][metric.key]
        difference = number(test["difference"], sign=True)
        made.add_row(metric.title, difference, interval(test, sign=True), p_value(test["p"]), RAW, "")
    out.print(made)
    if pair["expected"]:
        remark(out, f"{RAW}: the expected metrics belong to no family of tests; their p is not adjusted")
    remark(out, f"adjusted: by Holm for m tests, m = {result['m']} for score, m = {result['m_metrics']} for the others")
    if NOT_SIGNIFICANT in verdicts.values():
        remark(out, f"{NOT_SIGNIFICANT} as verdict: not significant, adjusted p above {result['alpha']:g}")
    if note := interval_note([metric.title for metric in OBSERVED], [tests[metric.key] for metric in OBSERVED]):
        remark(out, note)


def _counts(pair: dict[str, Any], out: Console) -> None:
    title = "clips right by"
    made = table(title, "both", f"only {pair['a']}", f"only {pair['b']}", "neither", left=[title])
    for field, row in pair["counts"].items():
        made.add_row("all three" if field == "all" else field, *(count(value) for value in row.values()))
    out.print(made)


def _direction(test: dict[str, Any], alpha: float) -> str:
    """Return "better" or "worse" for a significant difference, else NOT_SIGNIFICANT."""
    if test["p_adjusted"] > alpha:
        return NOT_SIGNIFICANT
    return "better" if test["difference"] > 0 else "worse"
