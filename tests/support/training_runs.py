"""Training runs in processes of their own, some of which kill themselves, and what two of them have in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from finetune import config as configs
from finetune.checkpoint import newest_checkpoint
from finetune.config import Config
from tests.support.finetune_material import QLORA, ROOT, placed

DRIVER = """
import os, signal, sys
from pathlib import Path
import bitsandbytes, matplotlib.figure, peft
import transformers.models.qwen2_5_vl.modeling_qwen2_5_vl
from finetune import checkpoint, config, train
from finetune.model import Answerer
forward = Answerer.forward
train.estimate_peak_gib = lambda *arguments, **options: None  # planning runs forward too; these are passes of updates
train._validate = lambda *arguments: None  # an untrained model's answers are long, and no part of what is compared

def run(folder, kill_at):
    passes = 0
    def counted(self, *arguments):
        nonlocal passes
        passes += 1
        if passes == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return forward(self, *arguments)
    Answerer.forward = counted
    train.train(config.read(Path(sys.argv[1])), Path(folder))

for asked in sys.argv[2:]:
    folder, _, kill_at = asked.partition(":")
    if (child := os.fork()) == 0:
        run(folder, int(kill_at or 0))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, checkpoint.newest_checkpoint(Path(folder)) is not None, flush=True)
"""
"""Runs one after another, each in a process of its own that is forked before torch has threads: what is imported takes
seconds, and is imported once. FOLDER:N kills itself with signal 9 in its N-th forward pass."""


def drive(config: Config, *runs: str, python: str = sys.executable) -> list[tuple[int, bool]]:
    """Return the exit code of each run, and whether there is a checkpoint then; `python` starts them."""
    folder = Path(runs[0].partition(":")[0]).parent
    configs.write(config, folder)
    done = subprocess.run(
        [python, "-c", DRIVER, str(folder / configs.NAME), *runs],
        cwd=ROOT,
        timeout=600,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [(int(code), saved == "True") for code, saved in map(str.split, done.stdout.splitlines())]


def accumulating(frames: Path, steps: int) -> Config:
    """Return a run in which a kill can hit most: two passes an update, dropout, fp16 scaling and 8-bit Adam."""
    return placed(QLORA, frames, steps=steps, checkpoint_every=1, threads=1, dropout=0.1, evaluate_clips=1)


def parameters(run: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a run's newest checkpoint by name."""
    return load_file(newest_checkpoint(run) / "state.safetensors")


def equal(one: Path, other: Path) -> bool:
    """Return True if the newest checkpoints of two runs hold the same bits."""
    first, second = parameters(one), parameters(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
