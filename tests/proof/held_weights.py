"""Two forms in which a run on 4-bit weights can be asked: as it was trained, and unpacked with the adapters folded in.

A twin learns a little from random weights, those are quantised, adapters learn a little more on them, and both
forms are asked about 240 validation clips, in fp32 and in fp16. Every label is as probable in one as in the other,
within a hundredth. In fp32 every answer is the same. fp16 rounds the adapters' share before the sum in one form, after
it in the other, so that an answer may differ where two choices are almost as likely; the row says how many do.

    python -m tests.proof.held_weights
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finetune import config as configs
from finetune.config import Config
from finetune.data import ClipDataset, Example
from finetune.merge import merge
from finetune.predictor import Finetuned, load
from finetune.train import train
from harness.prediction.predictor import Reply
from tests.proof.table import Row, main, report, tries
from tests.proof.tally import Tally
from tests.support.finetune_material import QLORA, TWIN, placed, renderings

PART = "held_weights"
CLIPS = 240
GAP = 0.01
"""Largest difference of a probability."""


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each compute type."""
    with tempfile.TemporaryDirectory() as folder:
        work, clips = Path(folder), tries(CLIPS, scale)
        frames = renderings(work / "frames", train=2 * clips, validation=clips)
        trained = train_on_four_bits(work, frames, seed, clips)
        return [compare(work / compute, replace(trained, compute=compute)) for compute in ("fp32", "fp16")]


def train_on_four_bits(work: Path, frames: Path, seed: int, clips: int) -> Config:
    """Train a twin, quantise it and train adapters on it, in WORK/fp32; return the config."""
    twin = placed(TWIN, frames, steps=clips, lr=2e-3, seed=seed, evaluate_clips=clips, threads=1, checkpoint_every=1000)
    train(twin, work / "twin")
    merge(work / "twin", work / "base")
    adapters = {name: getattr(QLORA, name) for name in ("adapter", "quantise", "rank", "dropout", "lr")}
    config = replace(twin, weights=str(work / "base"), steps=clips // 6, **adapters)
    train(config, work / "fp32")
    return config


def compare(run: Path, config: Config) -> Row:
    """Ask both forms about all validation clips, in the config's compute type."""
    tally = Tally(PART, f"answers of weights held in two forms, {config.compute}")
    if not run.exists():
        shutil.copytree(run.with_name("fp32") / "best", run / "best")
        configs.write(config, run)
    clips = ClipDataset(config.validation, config, training=False)
    examples = [clips.example(number) for number in range(len(clips))]
    trained, folded = (ask(load(str(run), {"hold": hold}), examples) for hold in ("4bit", "fp16"))
    differing = 0
    for example, one, other in zip(examples, trained, folded, strict=True):
        tally.tried += 1
        same = one.text == other.text
        differing += not same
        gaps = [gap(one.confidence, other.confidence), gap(one.next_confidence, other.next_confidence) if same else 0.0]
        if max(gaps) > GAP or not (same or config.compute == "fp16"):
            tally.differs(example.clip_id, f"as trained {one}, folded {other}")
    tally.what += f": {differing} {'differs' if differing == 1 else 'differ'}"
    report(PART, f"{config.compute}: {len({one.text for one in trained})} different answers")
    return tally.row()


def gap(one: float | None, other: float | None) -> float:
    """Return the difference of two probabilities; an answer without one is as far from it as can be."""
    return float(one != other) if one is None or other is None else abs(one - other)


def ask(model: Finetuned, examples: Sequence[Example]) -> list[Reply]:
    return [
        reply
        for begin in range(0, len(examples), model.batch_size)
        for reply in model.reply(examples[begin : begin + model.batch_size])
    ]


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
