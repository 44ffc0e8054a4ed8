"""`harness merge`: shards become the entry, or the rendering, that one process would have made."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from harness.commands import options
from harness.commands.printing import say, say_sentences


@click.command("merge", cls=options.Command)
@click.argument("shards", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.path_option(
    "-o",
    "--output",
    "folder",
    folder=True,
    required=True,
    help="Write into the new folder DIR, after which an entry is named.",
)
def command(shards: tuple[Path, ...], folder: Path) -> None:
    """Merge the shards of one entry, or of one rendering.

    Takes the folder of every shard that `harness predict --shard` or `harness world render --shard` wrote, in any
    order, and checks that they are all of one run, each once and finished. The folders stay; pictures are hard links to
    theirs where that is possible.

    \b
    Example:
      harness predict --model baseline:constant --shard 1/2 -o parts/1
      harness predict --model baseline:constant --shard 2/2 -o parts/2
      harness merge parts/1 parts/2 -o merged
    """
    from harness.prediction.sharding.merge import merge, summary_lines

    merged = merge(*shards, output=folder)
    say_sentences("\n".join(summary_lines(merged)))
    if merged.is_sealed:
        say(f"  {merged.world} is sealed: send {folder} to its organiser, who scores it with --as NAME")
    elif merged.is_entry:
        named = merged.named
        if named.endswith(".toml") and not Path(named).is_file():  # the shards were made elsewhere
            say(f"  {named} is not here: name the world file where it is")
            named = "FILE.toml"
        where = options.chosen_truth(named, merged.split)
        rules = " --rules drop-missing" if merged.is_part else ""
        say(f"Next: harness score {shlex.quote(str(folder))}{where}{rules}")
