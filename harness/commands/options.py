"""Options and output that several commands share."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import click

from harness.errors import UsageError
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD


def apply(*decorators: Callable) -> Callable:
    """Several click options as one decorator, in the order they are listed in the help."""

    def decorate(function: Callable) -> Callable:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def output_format(*choices: str) -> Callable:
    choices = choices or ("text", "json", "csv")
    return click.option(
        "--format",
        "output",
        type=click.Choice(choices),
        default="text",
        show_default=True,
        help="How the result is printed; json is one documented object.",
    )


truth_path = click.option(
    "--truth",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A truth database, or a folder to keep them in, instead of the per-user cache.",
)

truth = apply(
    click.option("--world", default=DEFAULT_WORLD, show_default=True, help="The world whose truth is used."),
    click.option("--split", default=DEFAULT_SPLIT, show_default=True, help="The split of that world."),
    truth_path,
)

organiser = click.option("--organiser", is_flag=True, help="Of a sealed split: everything, for who holds the secret.")

rules = apply(
    click.option(
        "--rules",
        default="standard",
        show_default=True,
        metavar="NAME",
        help="Rule set: standard, inclusive-ends, drop-missing, drop-degenerate.",
    ),
    click.option("--weights", metavar="W", help="Weights of the composite, e.g. oca=0.3,tiou50=0.3,aa1=0.4."),
)

_CAP = click.IntRange(min=1)


def _read_clip_map(context: click.Context, parameter: click.Parameter, path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    from harness.ingestion.ingest import read_clip_map

    return read_clip_map(path)


ingestion = apply(
    click.option("--lenient", is_flag=True, help="Count rejected lines as wrong answers instead of refusing the file."),
    click.option("--ignore-extra", is_flag=True, help="Ignore (and count) lines for clips of no such split."),
    click.option("--adapter", metavar="NAME", help="Read the file as this format instead of recognising it."),
    click.option("--fps", type=float, help="Frame rate of the answers, converted to 25."),
    click.option("--clip-frames", type=int, help="Frames of a clip in the answers, converted to 125."),
    click.option(
        "--clip-map",
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=_read_clip_map,
        help="JSON object from doc_id to clip_id, for formats that name clips by doc_id.",
    ),
    click.option("--max-line-bytes", type=_CAP, help="Longest line that is read; 1 MiB by default."),
    click.option("--max-lines", type=_CAP, help="Most lines that are read; 20 million by default."),
    click.option("--max-bytes", type=_CAP, help="Most decompressed bytes that are read; 4 GiB by default."),
)


class ByteSize(click.ParamType):
    """A number of bytes: 800kB, 5MB, 1.5 MB, 1000000. Powers of ten."""

    name = "size"
    UNITS: ClassVar[dict[str, int]] = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]?b?)\s*", str(value).lower())
        if not found or found[2] not in self.UNITS:
            self.fail(f"{value!r}: expected a size such as 800kB or 5MB", param, ctx)
        return int(float(found[1]) * self.UNITS[found[2]])


pictures = apply(
    click.option("--frames", is_flag=True, help="Embed contact sheets of clips, failures first, drawn from the world."),
    click.option("--budget", type=ByteSize(), default="5MB", show_default=True, help="Bytes they may take."),
)

export = click.option(
    "--export",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the same numbers for other readers: CSV, Parquet, JSON and more.",
)


def tell_page(written: Any) -> None:
    """What a page begins with, and where it is."""
    for sentence in written.verdict:
        click.echo(sentence)
    pictures_of = f", pictures of {written.pictures:,} clips" if written.pictures else ""
    click.echo(f"{written.path}: {written.bytes / 1e6:.2f} MB{pictures_of}; open it in a browser")


def write_exports(gathered: Any, folder: Path | None) -> None:
    if folder is not None:
        from harness.report.exports import export_all

        files = export_all(gathered, folder)
        click.echo(f"{folder}: {len(files)} files, {', '.join(path.name for path in files[:4])} ...")


def print_rows(rows: list[dict[str, Any]], output: str) -> None:
    """Rows with equal keys as one JSON array, or as CSV."""
    (print_json if output == "json" else print_csv)(rows)


def print_json(value: Any) -> None:
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    utf8 = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not utf8, indent=1, allow_nan=False)


def print_csv(rows: Iterable[dict[str, Any]]) -> None:
    """Rows with equal keys; text that a spreadsheet would run as a formula is prefixed with an apostrophe."""
    from harness.report.exports.tables import csv_text

    click.echo(csv_text(rows), nl=False)


def add_to_summary(markdown: str) -> None:
    """Append to the job summary of a GitHub action."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        raise UsageError("--github: GITHUB_STEP_SUMMARY names no file, as it does inside a GitHub action")
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(markdown + "\n")


def chosen_weights(text: str | None) -> Any:
    from harness.rules import Weights, parse_weights

    return parse_weights(text) if text else Weights()
