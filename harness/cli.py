"""The `harness` command: loads a command's module only when it is used, and turns errors into exit codes.

Exit codes: 0 good, 1 a gate failed (--fail-under, --fail-if-worse), 2 bad input or usage,
3 a run of `harness predict` ended with clips that got no answer.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import signal
import sys
from typing import NoReturn

import click

from harness.errors import HarnessError, nearest
from harness.version import __version__
from reference.extras import extra_of, needs
from reference.machine import is_of_the_database

COMMANDS = {
    "predict": "Ask a model about every clip of a split, and score its answers.",
    "merge": "Merge the shards of one entry, or of one rendering.",
    "serve": "Load a model once, and answer about clips over HTTP.",
    "submit": "Make an entry of the leaderboard of a prediction file.",
    "score": "Score a prediction file: metrics with intervals, failure modes, slices, audit.",
    "validate": "Check a prediction file and list every problem, without scoring it.",
    "compare": "Compare two or more submissions on the same clips, with verdicts.",
    "plan": "Say how many sessions, clips and hours a comparison needs.",
    "leaderboard": "Rank the submissions of a folder, with rank ranges and tiers.",
    "report": "Write a page about one prediction file: how good, how certain, why, and the clips.",
    "verify": "Recompute a page's numbers from the submissions, and compare.",
    "baseline": "Write the answers of a baseline as an ordinary submission.",
    "world": "List, build, describe, render, import and export worlds (the truth).",
    "schema": "Print the JSON Schema of a file format.",
    "words": "Explain the words of the output: floor, prior, ceiling, skill, tier and others.",
}


class LazyGroup(click.Group):
    """Group that imports harness.commands.NAME when NAME is run, so that `harness --help` loads nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"harness.commands.{name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named. Raises UsageError with the one that may be meant: click knows no names."""
        if args[0] not in COMMANDS and (near := nearest(args[0], COMMANDS)):
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {near!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with what they do, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Judge predictions on 5-second packing clips: how good, how certain, and why not better.

    \b
    Example:
      harness baseline transition-prior -o prior.jsonl
      harness score prior.jsonl
    """


def main() -> None:
    """Run the command; the one place where an error becomes an exit code."""
    gc.set_threshold(50_000)  # what the modules hold stays: looking for cycles in it took a twentieth of a scoring
    _open_closed_streams()
    ended_by = _end_by_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal cannot show is no reason to stop
    try:
        code = cli.main(prog_name="harness", standalone_mode=False)
        sys.stdout.flush()
    except HarnessError as error:
        _say(f"harness: {error}" if error.exit_code == 2 else str(error))
        code = error.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(file=text)
        _say(text.getvalue().rstrip("\n"))
        code = 2
    except click.Abort:
        code = 130
    except BrokenPipeError:
        code = 0
    except SystemExit as error:
        code = _exit_code(error)
    except ImportError as error:
        if extra_of(error) is None:
            raise
        _say(f"harness: {needs('this', error)}")
        code = 2
    except OSError as error:
        _say(f"harness: {error.strerror or error}{_file_of(error)}")
        code = 2
    except Exception as error:
        if not ended_by and not is_of_the_database(error):  # a query that is interrupted raises RuntimeError
            raise
        _say("harness: " + str(error).partition("\n")[0])
        code = 2
    _flush()
    code = 128 + ended_by[0] if ended_by else code if isinstance(code, int) else 0
    _never_succeed_after(code)
    sys.exit(code)


def _end_by_signals() -> list[int]:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does: files are whole, temporary ones and workers are gone.

    A second signal ends it at once. Signals that the caller ignores (`nohup`) stay ignored. Returns a list that will
    hold the signal.
    """
    ended_by: list[int] = []

    def end(number: int, _: object) -> None:
        ended_by.append(number)
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)
    return ended_by


def _file_of(error: OSError) -> str:
    """Return the end of an error's message: the file, where it knows one, and how to have it elsewhere."""
    from reference.home import remedy_for

    if not isinstance(error.filename, str | bytes) or not error.filename:
        return ""
    path = os.fsdecode(error.filename)
    return f": {path}{remedy_for(path)}"


def _exit_code(error: SystemExit) -> int:
    """Return 0 where click or rich itself left: the reader of a pipe has gone, or a shell asked for completions.

    No other exit is a success, whatever its code: a library that leaves has not done what the command was for.
    """
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    module = place.tb_frame.f_globals.get("__name__", "") if place else ""
    if module.partition(".")[0] in ("click", "rich"):
        return 0
    return (error.code & 0xFF if isinstance(error.code, int) else 0) or 1


_last_code: int | None = None  # of the last command of this process, once one has failed


def _never_succeed_after(code: int) -> None:
    """Keep the code for _never_succeed, which the first failing command registers."""
    global _last_code
    if code and _last_code is None:
        atexit.register(_never_succeed)
    if code or _last_code is not None:
        _last_code = code


def _never_succeed() -> None:
    """Make a later handler that leaves by os._exit, as some libraries register one, leave with the last code."""
    leave, code = os._exit, _last_code or 0

    def fail(status: int = 0) -> NoReturn:
        leave(status or code)

    os._exit = fail


def _say(text: str) -> None:
    """Print a message on standard error, wrapped where that is a terminal; it may hold what files and names say."""
    from harness.commands.printing import say_sentences

    say_sentences(text, err=True)


def _open_closed_streams() -> None:
    """Connect standard streams that the caller closed with nothing: else the next opened file would take their place.

    Nothing can be read from them, and what is printed is dropped, as behind a pipe whose reader has gone.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def _flush() -> None:
    """Flush standard output; drop what cannot be written, or the interpreter would complain at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
