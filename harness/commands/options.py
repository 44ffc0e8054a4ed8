"""Options and output that several commands share."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

WORLD = "warehouse-v1"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def apply(*decorators: Callable) -> Callable:
    """Several click options as one decorator, in the order they are listed in the help."""

    def decorate(function: Callable) -> Callable:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def output_format(*choices: str) -> Callable:
    choices = choices or ("text", "json", "csv")
    return click.option("--format", "output", type=click.Choice(choices), default="text", show_default=True,
                        help="How the result is printed; json is one documented object.")  # fmt: skip


truth_path = click.option(
    "--truth", type=click.Path(path_type=Path), metavar="PATH",
    help="A truth database, or a folder to keep them in, instead of the per-user cache.",
)  # fmt: skip

truth = apply(
    click.option("--world", default=WORLD, show_default=True, help="The world whose truth is used."),
    click.option("--split", default="test", show_default=True, help="The split of that world."),
    truth_path,
)  # fmt: skip

organiser = click.option("--organiser", is_flag=True, help="Of a sealed split: everything, for who holds the secret.")

rules = apply(
    click.option("--rules", default="standard", show_default=True, metavar="NAME",
                 help="Rule set: standard, inclusive-ends, drop-missing, drop-degenerate."),
    click.option("--weights", metavar="W", help="Weights of the composite, e.g. oca=0.3,tiou50=0.3,aa1=0.4."),
)  # fmt: skip

_CAP = click.IntRange(min=1)


def _read_clip_map(context: click.Context, parameter: click.Parameter, path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    from harness.submission import read_clip_map

    return read_clip_map(path)


ingestion = apply(
    click.option("--lenient", is_flag=True, help="Count rejected lines as wrong answers instead of refusing the file."),
    click.option("--ignore-extra", is_flag=True, help="Ignore (and count) lines for clips of no such split."),
    click.option("--adapter", metavar="NAME", help="Read the file as this format instead of recognising it."),
    click.option("--fps", type=float, help="Frame rate of the answers, converted to 25."),
    click.option("--clip-frames", type=int, help="Frames of a clip in the answers, converted to 125."),
    click.option("--clip-map", type=click.Path(path_type=Path), metavar="FILE", callback=_read_clip_map,
                 help="JSON object from doc_id to clip_id, for formats that name clips by doc_id."),
    click.option("--max-line-bytes", type=_CAP, help="Longest line that is read; 1 MiB by default."),
    click.option("--max-lines", type=_CAP, help="Most lines that are read; 20 million by default."),
    click.option("--max-bytes", type=_CAP, help="Most decompressed bytes that are read; 4 GiB by default."),
)  # fmt: skip


def print_rows(rows: list[dict[str, Any]], output: str) -> None:
    """Rows with equal keys as one JSON array, or as CSV."""
    (print_json if output == "json" else print_csv)(rows)


def print_json(value: Any) -> None:
    utf8 = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, ensure_ascii=not utf8, indent=1, allow_nan=False))


def print_csv(rows: Iterable[dict[str, Any]]) -> None:
    """Rows with equal keys; text that a spreadsheet would run as a formula is prefixed with an apostrophe."""
    rows = list(rows)
    if not rows:
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: neutral(value) for key, value in row.items()})


def neutral(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def chosen_weights(text: str | None) -> Any:
    from harness.rules import Weights, parse_weights

    return parse_weights(text) if text else Weights()
