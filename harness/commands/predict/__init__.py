"""`harness predict`: a model's answers as an entry."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.predict import asking, batch
from harness.commands.printing import say, say_sentences
from harness.errors import UsageError
from harness.formatting import plural

OWN_CLIPS = "Own clips"
"""Title of the options that ask about them."""


def _check_own_clips(choices: dict[str, Any]) -> None:
    """Raise UsageError for options of own clips that do not go together."""
    if choices["clips"] is None:
        if other := [name for name in ("labels", "clips_fps") if choices[name] is not None]:
            raise UsageError(f"--{other[0].replace('_', '-')} belongs to --clips: a split has operations and pictures")
        return
    typed = options.typed(choices)
    if of_split := [name for name in ("split", "truth") if name in typed]:
        raise UsageError(f"--{of_split[0]} is about the clips of a split, and --clips are others: leave it out")
    if choices["labels"] is None and "world" not in typed:
        raise UsageError("--clips: which operations are there? --labels FILE names them, or --world one that has them")


@click.command("predict", cls=options.Command)
@options.option(
    "--model",
    required=True,
    metavar="NAME:REST",
    help="Ask this model: openai:NAME, anthropic:NAME, command:PROGRAM, python:MODULE:FUNCTION, "
    "finetune:RUN_DIR, baseline:NAME.",
)
@options.path_option(
    "-o",
    "--output",
    "folder",
    folder=True,
    help="Write the entry into DIR, which is named as the entry.",
)
@options.path_option(
    "--frames",
    folder=True,
    help="Show the model this rendering of the split, or DIR/SPLIT, instead of one made for the model.",
)
@options.option(
    "--as-domain",
    type=click.Choice(["clean"]),
    help="Ask about the clips drawn clean, but for those of occlusion, and add the answers as clean.jsonl to the entry "
    "in DIR: they pair its transfer gap, and feed nothing else.",
)
@options.option(
    "--clips",
    type=click.Path(path_type=Path),
    metavar="PATH",
    title=OWN_CLIPS,
    help="Ask about the videos and folders of pictures in this folder, or about the clips.jsonl of a rendering, "
    "instead of a split. No truth is needed, and nothing is scored.",
)
@options.path_option(
    "--labels",
    title=OWN_CLIPS,
    help="Let the model choose among the operations in FILE, one a line, a description behind a tab or a colon; "
    "without it among those of --world.",
)
@options.option(
    "--clips-fps",
    type=float,
    metavar="F",
    title=OWN_CLIPS,
    help="Take folders of pictures as recordings of F pictures a second; by default each is one clip.",
)
@options.option(
    "--repeats",
    type=click.IntRange(min=2),
    metavar="K",
    help="Ask K times and write an entry of the method: its value is the mean. {run} in the model's name and in "
    "options is the number of the run, such as --seed {run}.",
)
@options.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="SESSIONS",
    help="Ask about so many whole sessions, which the harness draws, balanced over domains; the score is of these.",
)
@options.option(
    "--sample-seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="With --sample, draw with this seed.",
)
@options.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask about the first N clips only.")
@options.shard
@options.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask about N clips at once; by default the model says how many.",
)
@options.model_options
@options.option("--fresh", is_flag=True, help="Discard what an earlier run left in DIR, or the entry there.")
@options.workers_anywhere
@options.option("--no-score", is_flag=True, help="Do not score the entry.")
@asking.endpoint
@asking.at_once
@batch.batches
@options.truth
def command(
    model: str,
    folder: Path | None,
    model_options: dict[str, str],
    no_score: bool,
    dry_run: bool,
    repeats: int | None,
    **choices: Any,
) -> None:
    """Ask a model about every clip of a split, and score its answers.

    Writes predictions.jsonl and card.toml into DIR. The same command resumes a run that was interrupted, or that ended
    with clips which got no answer (exit code 3). A run that finished, also one with --limit, leaves a finished entry,
    which is not extended: --fresh replaces it.

    With --clips a folder of videos is asked about, without any truth. Then predictions.jsonl and answers.json are
    written, null for what could not be read, and the page answers.html.

    \b
    Example:
      harness predict --model openai:NAME --url http://localhost:8000/v1 -o mine/
      harness predict --model baseline:constant -o submissions/floor/
      harness predict --model baseline:random --option seed=7 -o random/
      harness predict --model baseline:random --option seed={run} --repeats 3 -o k
    """
    from harness.prediction.predict import predict, summary_lines, try_out

    _check_own_clips(choices)
    model_options = _with_flags(model_options, choices)
    if dry_run:
        agreed = try_out(model, options=model_options, say=say, **choices)
        facts = {name: value for name, value in agreed.items() if not isinstance(value, dict)}
        said = [f"  {name.replace('_', ' ')}: {_in_words(value)}" for name, value in facts.items()]
        say("\n".join(said or ["  it can be asked"]))
        return
    if folder is None:
        raise UsageError("-o DIR is missing: the folder of the entry, which is named as the entry")
    if repeats is None and choices["batch"] == batch.SUBMIT:
        batch.submit(model, folder, options=model_options, **choices)
        return
    if repeats is not None:
        _repeat(model, folder, repeats, score_it=not no_score, options=model_options, **choices)
        return
    made = predict(model, folder, options=model_options, say=partial(say_sentences, err=True), **choices)
    say_sentences("\n".join(summary_lines(made)))
    if made.own:
        from harness.report.answers_page import answers_page

        options.print_path(answers_page(made.path.parent, shown=made.own.shown))
    elif made.shard:
        return
    elif (made.published or made.sealed) and choices["limit"] and made.answered < made.expected:
        say(f"  {made.world} is sealed, and this part is for trying the model: --fresh without --limit answers all")
    elif made.published:
        say(f"  the truth of {made.world} is with its organiser: send {made.path.parent}")
    elif made.sealed:
        where = options.chosen_truth(made.world, made.split)
        say(f"  {made.world} is sealed: harness score {made.path}{where} --as NAME")
    elif not no_score:
        from harness.commands import terminal
        from harness.commands.terminal.score import print_score
        from harness.scoring import score

        say()
        request = {name: choices[name] for name in ("world", "split", "truth")}
        if choices["limit"] and not made.as_domain:
            say(f"Scored on the answered part alone, {plural(made.answered, 'clip')} (--rules drop-missing):")
            request["rules"] = "drop-missing"
        path = made.path.parent if made.as_domain else made.path
        record = score.score(path, **request).record
        print_score(record, terminal.console(), str(path))


def _repeat(model: str, folder: Path, repeats: int, *, score_it: bool, **choices: Any) -> None:
    """Ask several times, and print a summary of each run and the head of the method's score."""
    from harness.prediction.predict import summary_lines
    from harness.prediction.repeats import predict_repeats

    made = predict_repeats(model, folder, repeats, say=partial(say_sentences, err=True), **choices)
    for run in made.runs:
        say_sentences("\n".join(summary_lines(run)))
    say(f"{made.folder / 'runs'}/1.jsonl to {repeats}.jsonl and {made.folder / 'card.toml'} are the entry")
    if made.alike:
        say("  all runs answer alike (a temperature of 0, or one seed, makes equal runs): they say nothing about how")
        say("  runs differ")
    if not score_it or any(run.sealed or run.published for run in made.runs):
        return
    from harness.commands import terminal
    from harness.commands.terminal.score import print_score
    from harness.scoring import score

    say()
    request = {name: choices[name] for name in ("world", "split", "truth")}
    if choices["limit"]:
        say("Scored on the answered part alone (--rules drop-missing):")
        request["rules"] = "drop-missing"
    print_score(score.score(made.folder, **request).record, terminal.console(), str(made.folder))


def _with_flags(model_options: dict[str, str], choices: dict[str, Any]) -> dict[str, str]:
    """Return the model's options with those that have a flag of their own, which leave `choices`."""
    flags = ("url", "key_env", "show", "prompt", "temperature", "seed", "max_tokens", "json")
    found = dict(model_options)
    for name in flags:
        value = choices.pop(name)
        if value is not None and name in found:
            raise UsageError(f"--{name.replace('_', '-')} and --option {name} say the same thing twice")
        if value is not None:
            found[name] = str(value)
    return found


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
