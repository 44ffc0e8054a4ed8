"""Odd command lines: `python -m tests.proof.command_lines`.

Each option of each command gets odd values: nothing, huge, negative, no numbers, other alphabets, bytes that are not
UTF-8, files that are missing, folders in place of files and files in place of folders; beside options that are right.
Right is exit code 0, 1 or 2 without a traceback. They run in this process, in a folder of their own with a home of
their own, and name no path outside of it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import HarnessError
from reference.extras import extra_of
from tests.proof.mutate import mutate_bytes
from tests.proof.table import Row, main, report, row, tries
from tests.support import hand

LINES = 5000
SECONDS, SLOW = 60, 10.0
"""What a line may take before it counts as a crash, and from when it is slow."""
WORDS = (
    "", " ", "0", "1", "2", "-1", "-0", "3.5", "1e400", "-1e400", "nan", "inf", "99999999999999999999", "9" * 400,
    "0x10", "1_000", "٣", "x", "X" * 300, "x" * 5000, "é", "é", "名前", "\u202e", "\x1b[31m", "a\nb", "a\rb", "\udcff",
    "f\udcff.jsonl", "?", "*", "a?b", "[a]", "$HOME", "~", "~nobody", "%s", "{0}", "{", "=", ",", ",,", "a=b", "a=",
    "=b", "oca=1", "oca=nan,tiou50=0.3,aa1=0.4", "score=x", "score>=", "score=1e400", "-", "--", "..", ".", "missing",
    "missing.jsonl", "missing/x.html", "folder", "folder/", "file.jsonl", "file.jsonl/x", "file.jsonl/", "empty",
    "binary", "good.jsonl", "good.csv", "good.parquet", "broken.jsonl", "deep.json", "tiny.toml", "broken.toml",
    "page.html", "submissions", "warehouse-v2", "warehouse-v2-x0", "warehouse-v2-x2", "tiny.toml-x3", "test", "train",
    "constant", "oracle", "own", "standard", "drop-missing", "standard,drop-missing", "text", "json", "clean",
    "clean,", "2031-05-06T08:00:00Z", "0kB", "1e3kB", "999999999999GB", "openpack", "identity", "module:name",
    "baseline:constant", "baseline:nobody", "os:system",
)  # fmt: skip
"""Odd values, and names of what lies in the folder: no path outside of it, where the lines could write."""
HOMES = ("home", "home", "home", "home", "file.jsonl", "ho?me", "ho\udcffme", "empty/home", "")
LONG = {
    "scale": ("1", "0", "-1", "x"),
    "workers": ("1", "0", "x"),
    "limit": ("1", "0", "x"),
    "every": ("0", "x", "nan"),
}
"""Options whose odd values would only take long."""
DRAWN = frozenset({"seal", "render", "card", "build"})
"""Commands that would draw or compute a whole split of the default world: they get the tiny one."""
SKIPPED = frozenset({"--watch", "--help"})


class TooLongError(Exception):
    """Raised in the middle of a line that takes more than SECONDS."""


def run(seed: int, scale: float) -> list[Row]:
    """Try 5,000 command lines at scale 1; return one row, as tests.proof describes it."""
    crashes = slow = 0
    count = tries(LINES, scale)
    with tempfile.TemporaryDirectory() as both, _own_folder(Path(both, "here")):
        commands = list(_commands(cli, ()))
        before = signal.signal(signal.SIGALRM, _too_long)
        for number in range(count):
            draw = random.Random(f"{seed} {number}")
            line, home = command_line(draw.choice(commands), draw), draw.choice(HOMES)
            began = time.monotonic()
            if found := finding(line, home):
                shown = shlex.join(line)[:400]
                crashes += 1
                report("command lines", f"HARNESS_HOME={home} harness {shown}: {found}")
            slow += time.monotonic() - began > SLOW
            _restore(Path(both, "here"))
        signal.signal(signal.SIGALRM, before)
    return [row("command lines", tried=count, crashes=crashes, slow=slow)]


def finding(line: list[str], home: str) -> str:
    """Run a command line; return what is wrong with how it ended, or ""."""
    os.environ["HARNESS_HOME"] = home
    signal.alarm(SECONDS)
    try:
        ended = CliRunner().invoke(cli, line, prog_name="harness", catch_exceptions=True)
    finally:
        signal.alarm(0)
    error = ended.exception
    if isinstance(error, TooLongError):
        return str(error)
    if isinstance(error, HarnessError):
        code = error.exit_code
    elif isinstance(error, OSError) or (isinstance(error, ImportError) and extra_of(error)):
        code = 2  # which cli.main makes of it
    elif error is not None and not isinstance(error, SystemExit):
        return "".join(traceback.format_exception(error))
    else:
        code = ended.exit_code
    if "Traceback (most" in ended.output:
        return ended.output
    return "" if code in (0, 1, 2) else f"exit code {code}"


def command_line(command: tuple[tuple[str, ...], click.Command], draw: random.Random) -> list[str]:
    """Return a line of a command: its arguments and some of its options, about half of the values odd."""
    words, options = command
    line = list(words)
    for parameter in options.params:
        if isinstance(parameter, click.Argument):
            free = (parameter.nargs != 1 or not parameter.required) and DRAWN.isdisjoint(words)
            few = draw.choice((1, 1, 1, 2, 0)) if free else 1
            line += [_value(parameter, draw) for _ in range(few)]
    chosen = [each for each in options.params if isinstance(each, click.Option) and SKIPPED.isdisjoint(each.opts)]
    needed = [each for each in chosen if each.required]
    for option in [*needed, *draw.sample(chosen, min(len(chosen), draw.choice((1, 1, 2, 3))))]:
        line.append(option.opts[-1])
        line += [] if option.is_flag else [_value(option, draw)]
    if not any(word.startswith("--world") for word in line) and draw.random() < 0.5:
        line += ["--world", "tiny.toml"] if any("--world" in each.opts for each in chosen) else []
    if "render" in words:
        line += ["--limit", "1"]
    if not DRAWN.isdisjoint(words):
        line = [*words, *("tiny.toml" if "warehouse-v2" in word else word for word in line[len(words) :])]
    return [*line, draw.choice(WORDS)] if draw.random() < 0.03 else line


def _value(parameter: click.Parameter, draw: random.Random) -> str:
    if parameter.name in LONG:
        return draw.choice(LONG[parameter.name])
    if draw.random() < 0.4:
        return _right_value(parameter, draw)
    return draw.choice(WORDS)


def _right_value(parameter: click.Parameter, draw: random.Random) -> str:
    """Return a value that may well be right for a parameter."""
    if isinstance(parameter.type, click.Choice):
        return str(draw.choice(list(parameter.type.choices)))
    if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType):
        return draw.choice(("1", "2", "16", "32"))
    named = {
        "world": "tiny.toml",
        "split": "test",
        "submissions": "submissions",
        "page": "page.html",
        "path": "out/x.html",
    }
    if parameter.name in named:
        return named[parameter.name]
    return draw.choice(("good.jsonl", "good.jsonl", "submissions", "out/x.html", "out/x.jsonl", "out", "constant"))


def _commands(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))
        elif command is not None:
            yield (*words, name), command


@contextlib.contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Work in this folder, with a home in it and nothing on standard input, and go back."""
    before = Path.cwd()
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", "home")
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        os.chdir(folder)
        try:
            _fill(folder)
            yield
        finally:
            os.chdir(before)


def _fill(folder: Path) -> None:
    """Lay out good and broken files under the names in WORDS."""
    from harness.baselines.write import write_baseline
    from harness.report import write
    from harness.scoring.request import Request
    from reference.truth.imported import import_world

    world = folder / "tiny.toml"
    world.write_text(hand.tiny_world())
    (folder / "broken.toml").write_text('format = 1\nname = "x"\n')
    request = Request(world="tiny.toml", home=Path("home"))
    write_baseline("constant", folder / "good.jsonl", request=request)
    good = (folder / "good.jsonl").read_bytes()
    lines = good.splitlines(keepends=True)
    draw = random.Random(1)
    contents: dict[str, bytes] = {
        "file.jsonl": good,
        "empty": b"",
        "binary": bytes(draw.randrange(256) for _ in range(5000)),
        "broken.jsonl": b"".join(mutate_bytes(line, draw) if draw.random() < 0.3 else line for line in lines),
        "deep.json": b"[" * 100_000,
        "good.csv": b"clip_id,dominant_operation,start_frame,end_frame,next_operation\nc1,Tape,1,50,Pack\n",
        "good.parquet": b"PAR1" + bytes(50) + b"PAR1",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    (folder / "submissions").mkdir()
    import_world([folder / "good.csv"], folder / "home", name="own")
    write.report_page("good.jsonl", "page.html", request=request)
    shutil.copytree(folder, folder.with_name("good"), ignore=shutil.ignore_patterns("home"))


def _restore(folder: Path) -> None:
    """Put back the files that a line overwrote, and remove those that it made; the home stays."""
    good = folder.with_name("good")
    for path in folder.iterdir():
        there = good / path.name
        if path.name in ("home", "cache") or (
            path.is_file() and there.is_file() and path.stat().st_size == there.stat().st_size
        ):
            continue
        if path.is_dir() and there.is_dir() and len(list(path.iterdir())) == len(list(there.iterdir())):
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for there in good.iterdir():
        if not (folder / there.name).exists():
            shutil.copytree(there, folder / there.name) if there.is_dir() else shutil.copy2(there, folder / there.name)


def _too_long(*_: Any) -> None:
    raise TooLongError(f"took more than {SECONDS} s")


if __name__ == "__main__":
    raise SystemExit(main("command_lines", run))
