"""Options of asking in a provider's batches, and the command that submits them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say, say_sentences
from harness.formatting import plural

BATCHES = "Provider batches (--model openai:NAME, anthropic:NAME)"
SUBMIT, WAYS = "submit", ("submit", "collect", "wait")

batches = options.option(
    "--batch",
    type=click.Choice(WAYS),
    title=BATCHES,
    help="Submit the questions to the provider's batch API; collect the answers that are there (exit code 3 while some "
    "are not); or wait for all and collect them.",
)


def submit(model: str, folder: Path, **choices: Any) -> None:
    """Submit the questions of a run, and print what was submitted and what comes next."""
    from harness.prediction.predict import submit as submit_run

    done = submit_run(model, folder, say=partial(say_sentences, err=True), **choices)
    many = "1 batch" if len(done.batches) == 1 else f"{len(done.batches):,} batches"
    said = f"{plural(done.questions, 'question')} in {many}"
    before = f"; {done.before:,} in earlier batches" if done.before else ""
    answered = f"; {done.answered:,} answered" if done.answered else ""
    say(f"{said} submitted{before}{answered}, of {plural(done.clips, 'clip')}")
    say("next: the same command with --batch wait, or now and then with --batch collect")
