"""Train: `python -m finetune.train CONFIG --run DIR`. The same lines for the 3B on a T4 and for the twin on two cores.

    RUN/config.toml        what was asked, with reasons
    RUN/base/              random weights and tokenizer, where the config names none
    RUN/checkpoints/N/     all that update N left behind; the next start goes on from the newest
    RUN/best/              adapter (or weights) and heads, judged best on validation
    RUN/log.jsonl          a line an update; RUN/training.json the record; RUN/loss.png the curve

Everything random (data order, augmentation, dropout) is a function of the seed and the update, so a run that was killed
goes on as if it had not been, on the CPU bit for bit: an update that was cut in the middle is made again. Gradients are
summed over an update's answer tokens, whatever the number of passes and processes, and reduced once an update.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors.torch import load_file, save_file
from torch.utils._pytree import tree_leaves

from finetune import config as configs
from finetune.config import Config
from finetune.data import Collator, Example, Training
from finetune.evaluate import evaluate
from finetune.model import FACTS, Answerer, Losses, ensure_base, load_model
from finetune.plan import predicted_gib
from finetune.planning.devices import GIB, device_key
from finetune.planning.tensor_memory import Tracked
from finetune.run_log import Log, memory_gib, write_record
from harness.errors import HarnessError

AHEAD = 2
"""Updates whose frames are read while another is made."""
TRACKED = 2
"""Updates whose memory is counted on the CPU: the second has the optimizer's state beside its activations."""


class TrainingError(HarnessError):
    """A run that cannot go on."""


@dataclass
class State:
    """Where a run stands; saved with every checkpoint."""

    step: int = 0  # updates begun, skipped ones among them: the place in the data
    updates: int = 0  # optimizer steps made: the place in the schedule
    skipped: int = 0  # in a row, gradients infinite
    batch: int = 0
    clips: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_update: int = 0
    stale: int = 0  # evaluations since the best
    ooms: list[dict[str, int]] = field(default_factory=list)
    peak_gib: float = 0.0  # on the CPU of the first updates, as TRACKED says
    predicted_gib: float | None = None


def train(config: Config, run: Path, *, start: Path | None = None, max_hours: float | None = None) -> State:
    """Train until done, or until the hours are over; `run` is gone on with. `start`: an adapter's folder."""
    begun = time.monotonic()
    if config.threads:
        torch.set_num_threads(config.threads)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    learning, judging = Training(config.train, config), Training(config.validation, config, learning=False)
    operations = learning.operations
    if accelerator.is_main_process:
        run.mkdir(parents=True, exist_ok=True)
        _same_config(config, run)
        ensure_base(config, run / "base", operations)
    accelerator.wait_for_everyone()
    base, kind = ensure_base(config, run / "base", operations), accelerator.device.type
    answerer, tokenizer = load_model(config, base, operations, accelerator.device)
    collator = Collator(config, tokenizer, operations)
    optimizer = make_optimizer(config, answerer)
    scaler = torch.amp.GradScaler(kind, enabled=config.compute == "fp16")
    state = State(batch=config.batch)
    if (found := newest(run)) is not None:
        state = load(found, answerer, optimizer, scaler)
    else:
        device = device_key(torch.cuda.get_device_name()) if kind == "cuda" else "cpu"
        state.predicted_gib = predicted_gib(config, device, folder=base) if accelerator.is_main_process else None
        if start is not None:
            answerer.restore(start)
    log = Log(run, state, config, quiet=not accelerator.is_main_process)
    spent = state.seconds
    upcoming = _upcoming(config, learning, state, accelerator)
    first, held = state.step, [*answerer.parameters(), *answerer.buffers(), *tree_leaves(optimizer.state_dict())]
    tracked = Tracked(*held)

    answerer.train()
    if kind == "cuda":
        torch.cuda.empty_cache()  # what loading took and gave back is no part of the peak
    while state.updates < config.steps and not (config.patience and state.stale >= config.patience):
        examples = next(upcoming)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, state.updates)
        torch.manual_seed(config.seed * 1_000_003 + state.step * 31 + accelerator.process_index)
        with tracked if kind == "cpu" and state.step < first + TRACKED else contextlib.nullcontext():
            losses = backward(answerer, collator, examples, scaler, accelerator, state, log)
            norm = step(answerer, optimizer, scaler, config, state)
        state.peak_gib = max(state.peak_gib, tracked.peak_bytes / GIB if kind == "cpu" else memory_gib())
        state.step += 1
        state.clips += config.clips_a_step
        state.seconds = spent + time.monotonic() - begun
        log.update(losses, norm, optimizer.param_groups[0]["lr"])
        if state.skipped > config.max_skipped:
            raise TrainingError(f"{state.skipped} updates in a row had {_infinite(losses, config)}")
        last = state.updates >= config.steps
        due = config.evaluate_every and state.updates % config.evaluate_every == 0
        stopping = max_hours is not None and _agreed(accelerator, time.monotonic() - begun > max_hours * 3600)
        judged = not state.skipped and (last or bool(due) or (stopping and not state.best_update))
        if judged:
            _judge(answerer, collator, judging, run, state, log, accelerator)
        if accelerator.is_main_process and (judged or stopping or state.step % config.checkpoint_every == 0):
            save(run, state, answerer, optimizer, scaler, keep=config.keep)
        if stopping and not last:
            log.say(f"{max_hours:g} hours are over: {state.updates} of {config.steps} updates; start again to go on")
            break
    if accelerator.is_main_process:
        write_record(run, config, state, answerer.device)
    return state


def backward(
    answerer: Answerer,
    collator: Collator,
    examples: Sequence[Example],
    scaler: torch.amp.GradScaler,
    accelerator: Accelerator,
    state: State,
    log: Log,
) -> list[Losses]:
    """Gradients of one update, summed over passes and processes. Out of memory: half the batch, and all of it again;
    the other processes follow with the next update."""
    counted = torch.tensor([collator.answer_weight(examples), len(examples)], device=answerer.device)
    weight, clips = accelerator.reduce(counted, "sum").tolist()
    while (losses := passes(answerer, collator, examples, scaler, state.batch, weight, clips)) is None:
        answerer.zero_grad(set_to_none=True)
        torch.manual_seed(torch.initial_seed())
        lower(state, log, state.batch // 2)
        if answerer.device.type == "cuda":
            torch.cuda.empty_cache()
    if accelerator.num_processes > 1:
        for parameter in answerer.trained().values():
            grad = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
            parameter.grad = accelerator.reduce(grad, "sum")
        smallest = int(accelerator.gather(torch.tensor([state.batch], device=answerer.device)).min())
        if smallest < state.batch:
            lower(state, log, smallest)
    return losses


def passes(
    answerer: Answerer,
    collator: Collator,
    examples: Sequence[Example],
    scaler: torch.amp.GradScaler,
    size: int,
    weight: float,
    clips: float,
) -> list[Losses] | None:
    """All passes of an update, `size` clips each; None where memory did not suffice. What a failed pass had made is
    given back only when this function returns: until then the error's traceback holds it."""
    losses = []
    try:
        for begin in range(0, len(examples), size):
            batch = collator(examples[begin : begin + size])
            found = answerer({name: value.to(answerer.device) for name, value in batch.items()}, weight / clips)
            scaler.scale(found.total / weight).backward()
            losses.append(found._replace(total=found.total.detach()))
    except torch.OutOfMemoryError:
        if size == 1:
            raise
        return None
    return losses


def lower(state: State, log: Log, batch: int) -> None:
    """The batch, for good."""
    state.batch = batch
    state.ooms.append({"step": state.step, "batch": batch})
    log.say(f"out of memory: batch {batch} from here on")


def step(
    answerer: Answerer, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, config: Config, state: State
) -> float:
    """One optimizer step, unless a gradient is infinite; returns the gradient's norm before clipping."""
    scaler.unscale_(optimizer)
    norm = float(torch.nn.utils.clip_grad_norm_(answerer.trained().values(), config.clip_norm))
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    made = math.isfinite(norm)
    state.updates, state.skipped = (state.updates + 1, 0) if made else (state.updates, state.skipped + 1)
    return norm


def _infinite(losses: Sequence[Losses], config: Config) -> str:
    """What was not finite, and what may help."""
    if all(math.isfinite(one.total) for one in losses):
        return "infinite gradients: lower lr, or use fp32"
    return f"an infinite loss: a number of the forward pass does not fit {config.compute}; use another compute type"


def learning_rate(config: Config, update: int) -> float:
    """Rising over the warm-up, then half a cosine down to a tenth."""
    warmup = max(1, round(config.warmup * config.steps))
    if update < warmup:
        return config.lr * (update + 1) / warmup
    share = (update - warmup) / max(1, config.steps - warmup)
    return config.lr * (0.55 + 0.45 * math.cos(math.pi * min(1.0, share)))


def make_optimizer(config: Config, answerer: Answerer) -> torch.optim.Optimizer:
    """AdamW; decay on matrices only."""
    parameters = answerer.trained().values()
    groups = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    options = {"lr": config.lr, "betas": (0.9, config.beta2)}
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, **options)
    import bitsandbytes

    kind = {"adamw_8bit": "AdamW8bit", "paged_adamw_8bit": "PagedAdamW8bit"}[config.optimizer]
    return getattr(bitsandbytes.optim, kind)(groups, **options)


def _upcoming(config: Config, learning: Training, state: State, accelerator: Accelerator) -> Iterator[list[Example]]:
    """This process's share of the clips of each update from `state.step` on, read ahead."""
    rank, processes = accelerator.process_index, accelerator.num_processes
    sent = learning if learning.clips.augment is None else None
    with _readers(learning) as pool:
        waiting: list[list[Future[Example]]] = []
        orders: dict[int, list[int]] = {}
        place = state.step
        while True:
            while len(waiting) < AHEAD:
                first = place * config.clips_a_step
                shares = []
                for at in range(first + rank, first + config.clips_a_step, processes):
                    epoch, number = divmod(at, len(learning))
                    if epoch not in orders:
                        orders = {epoch - 1: orders.get(epoch - 1, []), epoch: learning.order(config.seed, epoch)}
                    shares.append(pool.submit(_read, sent, orders[epoch][number], epoch))
                waiting.append(shares)
                place += 1
            yield [found.result() for found in waiting.pop(0)]


def _readers(learning: Training) -> Executor:
    """Threads, or a process where frames are augmented: that much numpy would hold the training thread up."""
    if learning.clips.augment is None:
        return ThreadPoolExecutor(2)
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_hold, initargs=(learning,))


_held: list[Training] = []


def _hold(learning: Training) -> None:
    """In a reading process: keep the clips, so that they are not sent with every request."""
    _held.append(learning)


def _read(learning: Training | None, number: int, epoch: int) -> Example:
    return (learning or _held[0]).example(number, epoch)


def _judge(
    answerer: Answerer,
    collator: Collator,
    judging: Training,
    run: Path,
    state: State,
    log: Log,
    accelerator: Accelerator,
) -> None:
    """On validation; the best so far is kept. All processes judge, and the first one's verdict counts for all."""
    with tempfile.TemporaryDirectory() as elsewhere:
        found = evaluate(answerer, collator, judging, run if accelerator.is_main_process else Path(elsewhere))
    found = broadcast_object_list([found])[0]
    value = found["score"] + found["aa1_hidden"]
    state.stale += 1
    if value > state.best:
        state.best, state.best_update, state.stale = value, state.updates, 0
        if accelerator.is_main_process:
            _keep(answerer, run / "best", collator.operations, state)
    log.judged(found)


def _agreed(accelerator: Accelerator, found: bool) -> bool:
    """Whether it is so in any process: clocks differ, and one that stopped alone would leave the others waiting."""
    return bool(accelerator.reduce(torch.tensor(float(found), device=accelerator.device), "sum") > 0)


def _keep(answerer: Answerer, folder: Path, operations: Sequence[str], state: State) -> None:
    scratch = folder.with_name(f".{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    answerer.save(scratch)
    facts = {"operations": list(operations), "update": state.updates}
    (scratch / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def save(
    run: Path,
    state: State,
    answerer: Answerer,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    keep: int,
) -> None:
    """A checkpoint, there whole or not at all; older ones than the newest `keep` go."""
    folder = run / "checkpoints"
    scratch = folder / ".partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tensors = {f"parameter/{name}": value.detach().contiguous() for name, value in answerer.trained().items()}
    plain: dict[str, Any] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in _flat(entries):
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer/{index}/{name}"] = value.detach().clone().contiguous()
            else:
                plain[f"{index}/{name}"] = value
    save_file(tensors, scratch / "state.safetensors")
    facts = {"state": asdict(state), "optimizer": plain, "scaler": scaler.state_dict()}
    (scratch / "state.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    target = folder / f"{state.step:06d}"
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    for old in sorted(folder.glob("[0-9]*"))[:-keep]:
        shutil.rmtree(old)


def _flat(entries: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """bitsandbytes wraps its quantised states in a dict of their own, and reads them without."""
    for name, value in entries.items():
        yield from _flat(value) if isinstance(value, dict) else [(name, value)]


def load(folder: Path, answerer: Answerer, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> State:
    tensors = load_file(folder / "state.safetensors", device="cpu")
    facts = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    with torch.no_grad():
        for name, parameter in answerer.trained().items():
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


def newest(run: Path) -> Path | None:
    """The newest whole checkpoint."""
    return max((run / "checkpoints").glob("[0-9]*"), default=None)


def _same_config(config: Config, run: Path) -> None:
    """One folder holds one run."""
    if (run / configs.NAME).is_file():
        before = asdict(configs.read(run / configs.NAME))
        free = {
            "steps",
            "patience",
            "keep",
            "checkpoint_every",
            "evaluate_every",
            "threads",
            "train",
            "validation",
            "weights",
        }
        differing = [name for name, value in asdict(config).items() if before[name] != value and name not in free]
        if differing and newest(run) is not None:
            raise TrainingError(f"{run}: holds a run with another {', '.join(differing)}; take another folder")
    configs.write(config, run)


@click.command()
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the run.")
@click.option("--frames", type=click.Path(path_type=Path, file_okay=False), help="Where the renderings lie.")
@click.option("--world", help="The world of the renderings, where it is not the file's.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Instead of the file's value.")
@click.option("--from", "start", type=click.Path(path_type=Path, file_okay=False), help="Begin with this adapter.")
@click.option("--max-hours", type=float, help="Stop in time, with a checkpoint; the same command goes on.")
def main(
    config: Path,
    run: Path,
    frames: Path | None,
    world: str | None,
    changes: tuple[str, ...],
    start: Path | None,
    max_hours: float | None,
) -> None:
    """Train as CONFIG says; go on with what RUN holds."""
    asked = configs.read(config, **dict(change.split("=", 1) for change in changes))
    if world is not None:
        asked = replace(asked, world=world)
    if frames is not None:
        asked = configs.relative_to(asked, frames)
    try:
        train(asked, run, start=start, max_hours=max_hours)
    except HarnessError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
