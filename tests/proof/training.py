"""Training killed at random, judged by its loss, and continued by a second session on Kaggle.

- A run that kills itself (kill -9) in a random pass, start after start, ends bit for bit as the uncut one.
- 60 updates on 160 clips bring the loss of the labels into its band. Above it: training is broken. Below it: the answer
  leaks into the question.
- What two clips and few layers say of a pass of the 3B is what all layers and six clips say, run without data.
- A session of the notebook to which another one's output is attached resumes from its checkpoint.

    python -m tests.proof.training
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from finetune.config import Config
from finetune.kaggle import wheelhouse
from finetune.planning.dry_run import activation_bytes, trace_pass
from finetune.planning.operators import launches
from finetune.run_log import read_log
from finetune.train import train
from tests.proof.table import Row, main, tries
from tests.proof.tally import Tally
from tests.support.finetune_material import TWIN, placed, renderings
from tests.support.kaggle import session, updates
from tests.support.training_runs import accumulating, drive, equal

PART = "training"
KILLS, UPDATES = 12, 4
FIRST = (6.0, 10.0)
"""Loss of the first update, in nats: nothing is known, so it is about the log of the vocabulary, with wide logits."""
BAND = (1.2, 2.2)
"""Loss of the labels in the last ten of 60 updates. Nine labels known by their frequency alone cost 2.1 nats."""


def run(seed: int, scale: float) -> list[Row]:
    """Return a row each for the kills, the loss, the plan's forecast and the sessions."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        frames = renderings(work / "frames", train=160, validation=8)
        kills = killed(work / "killed", frames, seed, tries(KILLS, scale))
        return [kills, loss(work, frames), forecast(), sessions(work)]


def killed(work: Path, frames: Path, seed: int, kills: int) -> Row:
    """Kill a run of four updates, of two passes each, in its first to fourth pass after a start, and compare."""
    tally, random = Tally(PART, "kills of training"), Random(seed)
    work.mkdir()
    config = accumulating(frames, steps=UPDATES)
    drive(config, str(work / "uncut"))
    for number in range(0, kills, 3):
        cut = work / f"cut-{number}"
        starts = [f"{cut}:{random.randint(2, 4)}" for _ in range(min(3, kills - number))]
        ends = [code for code, _ in drive(config, *starts, str(cut))]
        tally.tried += len(starts)
        if ends != [-9] * len(starts) + [0]:
            tally.fails(str(starts), f"ended with {ends}")
        elif not equal(cut, work / "uncut"):
            tally.differs(str(starts), "other weights than of the uncut run")
        steps = [row["step"] for row in read_log(cut / "log.jsonl") if "loss" in row]
        if steps != list(range(1, UPDATES + 1)):
            tally.tears(str(starts), f"the log holds the updates {steps}")
    return tally.row()


def loss(work: Path, frames: Path) -> Row:
    """Train 60 updates and compare the loss of the first and of the last ten with their bands."""
    train(placed(TWIN, frames, steps=60, evaluate_clips=8, threads=1), work / "band")
    rows = [row for row in read_log(work / "band" / "log.jsonl") if "loss" in row]
    first, last = rows[0]["loss"], float(np.mean([row["label_loss"] for row in rows[-10:]]))
    tally = Tally(PART, f"a fixed seed: loss of the first update {first:.1f} nats, of labels after 60 {last:.2f}")
    tally.tried += 1
    if not (FIRST[0] < first < FIRST[1] and BAND[0] < last < BAND[1]):
        tally.differs("loss", f"expected {FIRST} and {BAND}")
    return tally.row()


def forecast() -> Row:
    """Compare what the plan foresees of a pass with all layers and six clips, which runs without data here."""
    config = replace(Config(), batch=6, size=112)
    few, every = (activation_bytes(config, tiny=False, whole=whole) for whole in (False, True))
    tally = Tally(PART, f"a pass of the 3B as few layers and two clips foresee it: bytes {few / every:.4f} of the real")
    passes = (trace_pass(one, tiny=False, whole=one is config).tally for one in (replace(config, batch=2), config))
    operators, attention = zip(*((launches(each), launches(each, "attention")) for each in passes), strict=True)
    tally.tried += 3
    if abs(few / every - 1) > 0.01:
        tally.differs("bytes", f"{few:,} foreseen, {every:,} in a whole pass")
    if abs(operators[0] / operators[1] - 1) > 0.001:
        tally.differs("operators", f"{operators[0]:,} foreseen, {operators[1]:,} launched")
    if attention[0] != attention[1]:
        tally.differs("attention", f"{attention[0]:,} calls foreseen, {attention[1]:,} made")
    return tally.row()


def sessions(work: Path) -> Row:
    """Run a session that is over after an update, and attach its output to another one."""
    tally = Tally(PART, "sessions on Kaggle, the second resumes")
    wheelhouse.build_own_wheel(work / "wheel", "--no-build-isolation", "--no-index")
    wheel = next((work / "wheel").glob("*.whl"))
    for name in ("first", "second"):
        (work / name).mkdir()
    first, _ = session(work / "first", wheel, work / "home", hours="0.00001")
    second, said = session(
        work / "second", wheel, work / "home", hours="10", attached=first, steps=("Settings", "Train")
    )
    tally.tried += 2
    if "resuming from update 000001" not in said:
        tally.fails("second", said[-2000:])
    if [row["update"] for row in updates(second)] != [1, 2] or updates(second)[:1] != updates(first):
        tally.differs("second", f"the log holds {updates(second)} after {updates(first)}")
    return tally.row()


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
