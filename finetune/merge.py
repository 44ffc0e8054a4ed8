"""Merge: `python -m finetune.merge RUN -o DIR` writes base and adapter as one checkpoint that any program can load.

Adapters on nf4 weights are merged into weights of full precision, loaded anew; the result differs from what was trained
by the quantisation's error. Heads stay beside it.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import click

from finetune import config as configs
from finetune.model import HEADS, ensure_base, load_model, operations_of
from harness.errors import HarnessError


def merge(run: Path, folder: Path) -> None:
    """The best of `run` as a transformers checkpoint in `folder`, in fp16 where the run computed in fp16."""
    config = replace(configs.read(run / configs.NAME), quantise=False, checkpointing=False)
    labels = operations_of(run / "best")
    answerer, tokenizer = load_model(config, ensure_base(config, run / "base", labels), labels, "cpu")
    answerer.restore(run / "best")
    merged = answerer.backbone.merge_and_unload() if config.adapter == "lora" else answerer.inner
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if (run / "best" / HEADS).is_file():
        shutil.copyfile(run / "best" / HEADS, folder / HEADS)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("-o", "--output", "folder", required=True, type=click.Path(path_type=Path, file_okay=False))
def main(run: Path, folder: Path) -> None:
    """Write the best of RUN, merged, to a folder."""
    try:
        merge(run, folder)
    except HarnessError as error:
        sys.exit(f"error: {error}")
    click.echo(f"{folder}: merged; any program that loads transformers checkpoints can take it")


if __name__ == "__main__":
    main()
