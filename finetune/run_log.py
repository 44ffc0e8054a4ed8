"""The log of a training run: a line per update, the training record of the harness, a picture of the loss."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from finetune.checkpoint import State
from finetune.config import Config
from finetune.planning.devices import GIB
from finetune.planning.memory_plan import CONTEXT_BYTES
from harness.cards import TRAINING
from harness.formatting import plural
from harness.metrics_table import BY_KEY
from harness.progress import span
from reference.files import write_atomically, write_text

LOG = "log.jsonl"
PRINT_EVERY_S = 10.0


class Measured(NamedTuple):
    """Numbers of an update: the gradient's norm before clipping, and losses summed over its clips, as in Losses."""

    norm: float
    total: float
    plain: float
    labels: float
    label_tokens: float
    tokens: int
    clips: int


class Log:
    """Writer of `log.jsonl` and of occasional lines on stderr.

    A resumed run computes the updates after its checkpoint again, so their lines of the earlier start are dropped.
    `quiet`: write and print nothing, as all processes but the first do.
    """

    def __init__(self, run: Path, state: State, config: Config, *, quiet: bool = False):
        self.run, self.path, self.state, self.config, self.quiet = run, run / LOG, state, config, quiet
        self.begun, self.printed, self.first_step = time.monotonic(), 0.0, state.step
        if not quiet:
            kept = [row for row in read_log(self.path) if row["step"] <= state.step]
            text = "".join(json.dumps(row) + "\n" for row in kept)
            write_text(self.path, text)

    def update(self, measured: Measured, lr: float) -> None:
        """Append the line of an update: its losses per token, the gradient's norm, rates, memory."""
        state = self.state
        passed = time.monotonic() - self.begun
        rate = (state.step - self.first_step) * self.config.clips_per_update / passed
        row = {
            "step": state.step,
            "update": state.updates,
            "loss": measured.plain / max(1, measured.tokens),
            "label_loss": measured.labels / max(1, measured.label_tokens),
            "norm": measured.norm,
            "lr": lr,
            "clips_s": rate,
            "tokens_s": rate * measured.tokens / max(1, measured.clips),
            "seconds": state.seconds,
            "batch": state.batch,
            "memory_gib": used_memory_gib(),
        }
        self._append(row)
        if not self.quiet and passed - self.printed > PRINT_EVERY_S:
            left = (self.config.steps - state.updates) * self.config.clips_per_update / rate
            self.say(
                f"{state.updates:>5}/{self.config.steps}: loss {row['loss']:.2f}, labels {row['label_loss']:.2f}, "
                f"{rate:.3g} clips/s, {row['tokens_s']:.0f} tok/s, {row['memory_gib']:.2f} GiB, {span(left)} left"
            )
            self.printed = passed

    def validation(self, values: dict[str, float]) -> None:
        """Append and print the values of an evaluation."""
        self._append({"step": self.state.step, "update": self.state.updates, "validation": values})
        listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        self.say(f"{self.state.updates:>5}/{self.config.steps}: validation {listed}")

    def say(self, text: str) -> None:
        """Print a line on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def _append(self, row: dict[str, Any]) -> None:
        if not self.quiet:
            append_row(self.run, row)


def append_row(run: Path, row: dict[str, Any]) -> None:
    """Append a row to the log of a run."""
    with (run / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def note_memory(run: Path, state: State, batch: int, rank: int | None) -> None:
    """Put on record that memory did not suffice: the new `batch` is 0 if one clip did not fit, and the run ends.

    `rank` is that of the process, None where a run has one.
    """
    event = {"batch": batch} if rank is None else {"batch": batch, "process": rank}
    state.ooms.append({"step": state.step, **event})
    append_row(run, {"step": state.step + 1, "out_of_memory": event})


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log, without an incomplete last line."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def used_memory_gib() -> float:
    """Return the memory of this process in GiB, as the plan counts it, at its peak so far.

    On a GPU what torch has reserved, whatever other processes hold there, and the plan's share for CUDA's context;
    `memory_allocated` would leave out the cache, which a run must fit as well. Without one, the resident memory.
    """
    if torch.cuda.is_available():
        return (torch.cuda.max_memory_reserved() + CONTEXT_BYTES) / GIB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def write_record(run: Path, config: Config, state: State, device: torch.device) -> None:
    """Write RUN/training.json in the form of `harness schema training`, and RUN/loss.png once there is a loss."""
    cpu = f"CPU, {plural(torch.get_num_threads(), 'thread')}"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    rows = read_log(run / LOG)
    losses = [row for row in rows if "loss" in row]
    record = {
        "device": name,
        "base": config.base,
        "adapter": config.adapter,
        "steps": state.updates,
        "clips": state.clips,
        "wall_s": round(state.seconds, 1),
        "oom_events": len(state.ooms),
        "ooms": state.ooms,
        "predicted_peak_gib": None if state.predicted_gib is None else round(state.predicted_gib, 3),
        "measured_peak_gib": round(state.peak_gib, 3),
        "planned_update_s": _rounded(state.planned_update_s),
        "measured_update_s": _rounded(state.measured_update_s),
        "clips_s": round(losses[-1]["clips_s"], 2) if losses else None,
        "final_loss": round(losses[-1]["loss"], 4) if losses else None,
        "final_label_loss": round(losses[-1]["label_loss"], 4) if losses else None,
        "best_update": state.best_update,
        "validation": [{"update": row["update"], **_round(row["validation"])} for row in rows if "validation" in row],
        "loss": [[row["update"], round(row["loss"], 4)] for row in losses[:: max(1, len(losses) // 50)]],
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    write_text(run / TRAINING, f"{{\n{lines}\n}}\n")
    if losses:
        write_atomically(run / "loss.png", lambda path: draw_loss(rows, path))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _round(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def draw_loss(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the loss over updates, of all answer tokens and of the labels alone, beside hidden AA@1 on validation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    left = figure.subplots()
    steps = [row for row in rows if "loss" in row]
    for name, colour in (("loss", "#4477aa"), ("label_loss", "#ee6677")):
        left.plot(
            [row["update"] for row in steps],
            [row[name] for row in steps],
            color=colour,
            linewidth=1,
            label={"loss": "answer tokens", "label_loss": "tokens of the two labels"}[name],
        )
    left.set(xlabel="update", ylabel="cross entropy, nats a token", ylim=(0, min(3, max(row["loss"] for row in steps))))
    evaluations = [row for row in rows if "validation" in row]
    right = left.twinx()
    right.plot(
        [row["update"] for row in evaluations],
        [row["validation"]["aa1_hidden"] for row in evaluations],
        "o-",
        color="#228833",
        label=f"validation, {BY_KEY['aa1_hidden'].title}",
    )
    right.set(ylim=(0, 1), ylabel="share")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, format="png", dpi=120)
