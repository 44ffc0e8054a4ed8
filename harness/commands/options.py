"""Options and output that several commands share.

Options that belong together stand together in the help, under a title of their own (`Command`, `option`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import click

from harness.clip_map import read_clip_map
from harness.commands.printing import say
from harness.errors import UsageError
from harness.formatting import CONTROL, plural, printable
from harness.metrics_table import PARTS
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD

world_argument = click.argument("world", default=DEFAULT_WORLD, metavar="[WORLD]")
OWN = "Options"
"""Title of the options that only one command has."""


class Option(click.Option):
    """Option that stands under a title in the help."""

    def __init__(self, *names: Any, title: str = OWN, **attributes: Any):
        super().__init__(*names, **attributes)
        self.title = title


class Command(click.Command):
    """Command whose help lists its own options first, then those it shares, by title."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, under their titles."""
        titles: dict[str, list[tuple[str, str]]] = {OWN: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                titles.setdefault(getattr(parameter, "title", OWN), []).append(record)
        for title, records in titles.items():
            with formatter.section(title):
                formatter.write_dl(records)


def option(*names: str, **attributes: Any) -> Callable:
    """Return the decorator of an option; `title` is the heading that it stands under."""
    return click.option(*names, cls=Option, **attributes)


def apply(*decorators: Callable) -> Callable:
    """Return several options as one decorator, in the order in which the help lists them."""

    def decorate(function: Callable) -> Callable:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def path_option(*names: str, folder: bool = False, **attributes: Any) -> Callable:
    """Return the decorator of an option that names a file or, with `folder`, a folder."""
    kind = click.Path(path_type=Path, file_okay=not folder)
    return option(*names, type=kind, metavar="DIR" if folder else "FILE", **attributes)


def output_format(*choices: str) -> Callable:
    """Return the option --format; text is the default."""
    choices = choices or ("text", "json", "csv")
    text = "Print the result in this form; json is one documented object."
    return option("--format", "output", type=click.Choice(choices), default="text", show_default=True, help=text)


def split(default: str = DEFAULT_SPLIT, help: str = "Use this split of the world.", title: str = OWN) -> Callable:
    """Return the option --split."""
    return option("--split", default=default, show_default=True, metavar="NAME", help=help, title=title)


def _key_values(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return texts `key=value` as a dict; a key may stand once."""
    found: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not key or not equals or key in found:
            from harness.masking import Mask  # only a mistake needs it

            shown = Mask({key: value}).message(text)
            raise click.BadParameter(f"{shown!r}: expected key=value, each key once")
        found[key] = value
    return found


model_options = option(
    "--option",
    "model_options",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_key_values,
    help="Set an option of the model (may be repeated); keys and passwords are better left to the environment.",
)

TRUTH, RULES, READING, PAGE = "Truth", "Rules", "How the file is read", "Page"

truth_path = option(
    "--truth",
    type=click.Path(path_type=Path),
    metavar="PATH",
    title=TRUTH,
    help="Use this truth database, or keep databases in this folder instead of the per-user cache.",
)

organiser = option(
    "--organiser", is_flag=True, title=TRUTH, help="Show everything about a sealed split; this needs its secret."
)

truth = apply(
    option(
        "--world",
        default=DEFAULT_WORLD,
        show_default=True,
        metavar="NAME",
        title=TRUTH,
        help="Use this world: its name, its file, or the folder that a sealed split was published as.",
    ),
    split(title=TRUTH),
    truth_path,
)

rules = apply(
    option(
        "--rules",
        multiple=True,
        default=["standard"],
        show_default=True,
        metavar="NAMES",
        title=RULES,
        help="Score by this rule set or several, with commas between them: standard, inclusive-ends, drop-missing, "
        "drop-degenerate or one-frame-degenerate.",
    ),
    option(
        "--weights",
        metavar="W",
        title=RULES,
        help=f"Use these weights of {', '.join(metric.key for metric in PARTS)}, e.g. "
        f"{','.join(f'{metric.key}={weight}' for metric, weight in zip(PARTS, (0.3, 0.3, 0.4), strict=True))}.",
    ),
)

_LINE_CAP, _LINES_CAP, _BYTES_CAP = (click.IntRange(1, most) for most in (1 << 30, 1 << 40, 1 << 50))
"""Caps on size; what counts in megabytes and lines stays far below these."""


def _read_clip_map(context: click.Context, parameter: click.Parameter, path: Path | None) -> Any:
    if path is None:
        return None
    return read_clip_map(path)


card_ingestion = apply(
    option(
        "--lenient",
        is_flag=True,
        title=READING,
        help="Count rejected lines as wrong answers instead of refusing the file.",
    ),
    option(
        "--ignore-extra",
        is_flag=True,
        title=READING,
        help="Ignore lines for clips that the split does not have, and say how many there are.",
    ),
    option(
        "--adapter",
        metavar="NAME",
        title=READING,
        help="Read the file in this format instead of recognising its format.",
    ),
    option("--fps", type=float, metavar="F", title=READING, help="Convert frames from F a second to 25 a second."),
    option(
        "--clip-frames",
        type=int,
        metavar="N",
        title=READING,
        help="Convert frames from clips of N frames to clips of 125.",
    ),
    path_option(
        "--clip-map",
        title=READING,
        callback=_read_clip_map,
        help="Take clips that the file does not name from FILE: a JSON object from an id to its clip_id, or the clips "
        "in the order of the file, such as clips.jsonl.",
    ),
)
"""How a file is read, as far as a card can say it."""

ingestion = apply(
    card_ingestion,
    option(
        "--max-line-bytes",
        type=_LINE_CAP,
        metavar="N",
        title=READING,
        help="Read lines of up to N bytes; 1 MiB by default.",
    ),
    option(
        "--max-lines", type=_LINES_CAP, metavar="N", title=READING, help="Read up to N lines; 20 million by default."
    ),
    option(
        "--max-bytes",
        type=_BYTES_CAP,
        metavar="N",
        title=READING,
        help="Read up to N decompressed bytes; 4 GiB by default.",
    ),
)


def request(choices: dict[str, Any]) -> Any:
    """Take the values of `truth`, `rules`, `organiser` and `ingestion` out of `choices` and return their Request."""
    from dataclasses import fields

    from harness.scoring.request import Request

    values = {field.name: choices.pop(field.name) for field in fields(Request) if field.name in choices}
    chosen = typed(values)
    return Request.of(**chosen | ({"weights": weights(chosen["weights"])} if "weights" in chosen else {}))


def typed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of options that stand on the command line: the others are defaults, and a card may say more."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return {name: value for name, value in values.items() if context.get_parameter_source(name) is not default}


def chosen_truth(world: str, split: str) -> str:
    """Return the options that choose this world and split, where they are not the default ones."""
    chosen = {"--world": (world, DEFAULT_WORLD), "--split": (split, DEFAULT_SPLIT)}
    return "".join(f" {name} {shlex.quote(value)}" for name, (value, default) in chosen.items() if value != default)


def pictures(choices: dict[str, Any]) -> dict[str, Any]:
    """Take the values of `page` out of `choices` and return them."""
    return {name: choices.pop(name) for name in ("frames", "budget")}


def weights(text: str | None) -> Any:
    """Return the weights that a text such as oca=0.3,tiou50=0.3,aa1=0.4 says, by default the scheme aa40."""
    from harness.rules import Weights, parse_weights

    return parse_weights(text) if text else Weights()


model = apply(
    option("--name", metavar="TEXT", help="Show this name for the model and pin it in the signature."),
    path_option(
        "--training", help="Read this training record, or none; by default training.json beside the submission."
    ),
)

no_training = option(
    "--training",
    type=click.Choice(["none"]),
    help="Leave the training.json beside the submissions unread, which the signature of a score would pin.",
)

workers = option(
    "--workers",
    type=click.IntRange(1, 256),
    default=2,
    show_default=True,
    metavar="N",
    help="Draw pictures in N processes.",
)


shard = option(
    "--shard",
    metavar="K/N",
    help="Do shard K of N alone, such as 3/8; env, or env/N, takes K from a SLURM job array or an indexed Kubernetes "
    "Job. harness merge joins the shards.",
)


workers_anywhere = apply(
    option(
        "--workers",
        type=click.IntRange(1, 256),
        metavar="N",
        help="Draw pictures in N processes, by default 2; with --on work in N workers of Ray, by default in as many as "
        "it has room for.",
    ),
    option(
        "--on",
        metavar="ray[:ADDRESS]",
        help="Work on Ray: ray starts it on this machine, ray:ADDRESS (or ray:auto) and ray://HOST:PORT join a "
        "cluster.",
    ),
)
"""Options of a command whose work Ray can do too."""


def side(default: int, least: int = 16, most: int = 2048) -> Callable:
    """Return the option --size: the side of a picture in pixels."""
    kind = click.IntRange(least, most)
    text = "Draw frames with sides of N pixels."
    return option("--size", type=kind, default=default, show_default=True, metavar="N", help=text)


form = option(
    "--as",
    "form",
    type=click.Choice(["frames", "video", "shards"]),
    default="frames",
    show_default=True,
    help="Write a folder of pictures for each clip, an mp4 for each clip, or WebDataset tar shards.",
)


class ByteSize(click.ParamType):
    """Number of bytes: 800kB, 5MB, 1.5 MB, 1000000. Powers of ten."""

    name = "size"
    UNITS: ClassVar[dict[str, int]] = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes that a text says."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]?b?)\s*", str(value).lower())
        if not found or found[2] not in self.UNITS:
            self.fail(f"{value!r}: expected a size such as 800kB or 5MB", param, ctx)
        return int(float(found[1]) * self.UNITS[found[2]])


page = apply(
    option(
        "--frames",
        is_flag=True,
        title=PAGE,
        help="Embed pictures of clips, failures first, drawn from the world; an imported world has none.",
    ),
    option(
        "--budget",
        type=ByteSize(),
        default="5MB",
        show_default=True,
        title=PAGE,
        help="Embed at most so many bytes of pictures.",
    ),
)

export = path_option(
    "--export",
    folder=True,
    title=PAGE,
    help="Write the same numbers for other programs into DIR: CSV, Parquet, JSON and more.",
)


def print_page(written: Any, remarks: Iterable[str] = ()) -> None:
    """Print the verdict that a page begins with, remarks on it, and where the page is."""
    for sentence in filter(None, [*written.verdict, *remarks]):
        say(sentence)
    print_path(written)


def print_path(written: Any, err: bool = False) -> None:
    """Print where a page is, its size and how many clips have pictures."""
    with_pictures = f", pictures of {plural(written.pictures, 'clip')}" if written.pictures else ""
    say(f"{written.path}: {written.bytes / 1e6:.2f} MB{with_pictures}; open it in a browser", err=err)


def keep_inputs(inputs: Iterable[str | Path | None], *outputs: Path | None, export: Path | None = None) -> None:
    """Raise UsageError where an output would be written over a file, or into a folder, that the command reads.

    `outputs`: files; `export`: a folder.
    """
    written = [path for path in outputs if path is not None]
    if export is not None:
        from harness.report.exports import NAMES

        written += [export / name for name in NAMES]
    read = [Path(path) for path in inputs if path is not None]
    folders = [path for path in read if path.is_dir()]
    for folder in folders:
        if export is not None and folder.resolve() in (export.resolve(), *export.resolve().parents):
            raise UsageError(f"--export {export}: lies in {folder}, which this command reads; name another folder")
    for path in written:
        if not path.is_file():
            continue
        inside = [file for folder in folders for pattern in ("*", "*/*") for file in folder.glob(pattern)]
        if any(_is_same(path, file) for file in read + inside):
            raise UsageError(f"{path}: this command reads it and would overwrite it; name another file")


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def write_exports(gathered: Any, folder: Path | None) -> None:
    """Write the exports into `folder`, if one is chosen, and print what was written."""
    if folder is not None:
        from harness.report.exports import export_all

        files = export_all(gathered, folder)
        say(f"{folder}: {len(files)} files, {', '.join(path.name for path in files[:4])} ...")


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Print what is printed inside, then flush; drop the rest of it where the reader of a pipe has gone.

    A command that judges (a gate, a file) goes on to its verdict: `| head` must not make a failed gate pass.
    """
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich leaves by SystemExit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_rows(rows: list[dict[str, Any]], output: str) -> None:
    """Print rows with equal keys as one JSON array, or as CSV."""
    (print_json if output == "json" else print_csv)(rows)


def print_json(value: Any) -> None:
    """Print a JSON value."""
    say(json_text(value))


def json_text(value: Any) -> str:
    """Return a value as indented JSON, escaped to ASCII where standard output is not UTF-8.

    What a terminal would obey is escaped as JSON escapes it, so that the value stays the same.
    """
    utf8 = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not utf8, indent=1, allow_nan=False)
    return CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text)


def print_csv(rows: Iterable[dict[str, Any]]) -> None:
    """Print rows with equal keys as CSV; text that a spreadsheet would run gets an apostrophe before it."""
    from harness.report.exports.tables import csv_text

    say(csv_text(rows), nl=False)


def add_to_summary(markdown: str) -> None:
    """Append to the job summary of a GitHub action. Fails with a UsageError outside of one."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        raise UsageError("--github: GITHUB_STEP_SUMMARY names no file, as it does inside a GitHub action")
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(printable(markdown) + "\n")
