"""Checkpoints of a training run: its state, written whole or not at all, and read back to resume.

    RUN/checkpoints/N/state.safetensors   trainable parameters and the optimizer's tensors after step N
    RUN/checkpoints/N/state.json          `State`, plain numbers of the optimizer, the loss scaler
    RUN/best/                             the best model on validation: adapter or weights, heads, labels

No random state is saved, because the training loop draws everything from the seed and the step.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from finetune.model import FACTS, Answerer

TENSORS, NUMBERS = "state.safetensors", "state.json"


@dataclass
class State:
    """Progress of a run, saved with every checkpoint."""

    step: int = 0  # updates begun, skipped ones included: the position in the data
    updates: int = 0  # optimizer steps taken: the position in the schedule
    skipped: int = 0  # updates in a row with infinite gradients
    batch: int = 0  # clips per forward pass
    clips: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_update: int = 0
    stale: int = 0  # evaluations since the best
    ooms: list[dict[str, int]] = field(default_factory=list)  # the rank of the process too, where there are several
    peak_gib: float = 0.0  # on the CPU: of the first updates of a start only
    predicted_gib: float | None = None
    planned_update_s: float | None = None
    planned_evaluation_s: float = 0.0
    measured_update_s: float | None = None  # of the newest start
    fitted_steps: int | None = None  # updates with which the run ends within its hours, if it was asked to fit them


def save_checkpoint(
    run: Path,
    state: State,
    answerer: Answerer,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    keep: int,
) -> None:
    """Write a checkpoint, whole or not at all, and delete all but the newest `keep`."""
    folder = run / "checkpoints"
    scratch = folder / ".partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tensors = {f"parameter/{name}": value.detach().contiguous() for name, value in answerer.trainable().items()}
    numbers: dict[str, Any] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in _flatten(entries):
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer/{index}/{name}"] = value.detach().clone().contiguous()
            else:
                numbers[f"{index}/{name}"] = value
    save_file(tensors, scratch / TENSORS)
    facts = {"state": asdict(state), "optimizer": numbers, "scaler": scaler.state_dict()}
    (scratch / NUMBERS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    target = folder / f"{state.step:06d}"
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    for old in sorted(folder.glob("[0-9]*"))[:-keep]:
        shutil.rmtree(old)


def _flatten(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield an optimizer's entries without nesting: bitsandbytes writes a nested dict and reads back a flat one."""
    for name, value in entries.items():
        yield from _flatten(value) if isinstance(value, dict) else [(name, value)]


def load_checkpoint(
    folder: Path, answerer: Answerer, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> State:
    """Load a checkpoint into model, optimizer and scaler; return its state."""
    tensors = load_file(folder / TENSORS, device="cpu")
    facts = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    with torch.no_grad():
        for name, parameter in answerer.trainable().items():
            parameter.copy_(tensors[f"parameter/{name}"])
    entries: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/", 2)
            entries.setdefault(int(index), {})[name] = value
    for key, value in facts["optimizer"].items():
        index, name = key.split("/", 1)
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})
    scaler.load_state_dict(facts["scaler"])
    return State(**facts["state"])


def read_state(folder: Path) -> State:
    """Return the state of a checkpoint."""
    return State(**json.loads((folder / NUMBERS).read_text(encoding="utf-8"))["state"])


def newest_checkpoint(run: Path) -> Path | None:
    """Return the folder of the newest whole checkpoint, None if there is none."""
    return max((run / "checkpoints").glob("[0-9]*"), default=None)


def save_best(run: Path, answerer: Answerer, operations: Sequence[str], state: State) -> None:
    """Write the model to RUN/best with the labels that it knows, whole or not at all."""
    folder, scratch = run / "best", run / ".best"
    shutil.rmtree(scratch, ignore_errors=True)
    answerer.save(scratch)
    facts = {"operations": list(operations), "update": state.updates}
    (scratch / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
