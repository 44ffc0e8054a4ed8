"""Train: `python -m finetune.train CONFIG --run DIR`; the 3B on a T4 and its twin on two CPU cores by the same code.

    RUN/config.toml        the configuration, with reasons
    RUN/base/              random weights and tokenizer, if the config names no weights
    RUN/checkpoints/N/     everything that step N left; the next start resumes from the newest
    RUN/best/              adapter (or weights) and heads that were best on validation
    RUN/log.jsonl          a line per update; RUN/training.json the training record; RUN/loss.png the loss curve

Everything random (data order, augmentation, dropout) is a function of the seed and the step. A run that was killed
therefore resumes as if it had not been, on the CPU bit for bit: an interrupted update is computed again from its start.
Gradients are summed over an update's answer tokens, whatever the number of passes and processes, and reduced across
processes once per update.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from accelerate import Accelerator
from torch.utils._pytree import tree_leaves

from finetune import config as configs
from finetune.checkpoint import State, load_checkpoint, newest_checkpoint, read_state, save_best, save_checkpoint
from finetune.config import Config
from finetune.data import ClipDataset, Collator, check_apart
from finetune.evaluate import evaluate
from finetune.layers.vision_cache import VisionCache, Writer, cache_folder, tower_key
from finetune.model import Answerer, Losses, ensure_base, load_model
from finetune.planning.correction import Pace, correction_text, hours_left, steps_within
from finetune.planning.devices import GIB, device_key
from finetune.planning.hours import planned_durations
from finetune.planning.memory_plan import estimate_peak_gib, plan_memory
from finetune.planning.tensor_memory import MemoryTracker
from finetune.processes.endings import fail_together
from finetune.processes.launcher import watch_launcher
from finetune.processes.meeting import MemoryFullError, Processes, TrainingError
from finetune.read_ahead import PassReader, ReadAhead, Update, to_device
from finetune.run_log import Log, Measured, note_memory, used_memory_gib, write_record
from harness.errors import HarnessError

TRACKED_UPDATES = 2
"""Updates whose memory is tracked on the CPU: the second one has the optimizer's state beside its activations."""
FREE_TO_CHANGE = ("steps", "patience", "keep", "checkpoint_every", "evaluate_every", "threads", "train", "validation",
                  "weights", "workers", "cache_gb", "scratch")  # fmt: skip
"""Fields that may differ when a run is resumed."""
ONE_CLIP = "in a pass of one clip"


def train(
    config: Config,
    run: Path,
    *,
    start: Path | None = None,
    max_hours: float | None = None,
    fit_hours: float | None = None,
) -> State:
    """Train until the step limit or `max_hours`; resumes from the newest checkpoint in `run`.

    `start` is the folder of a trained adapter (or weights) that a new run begins with. With `fit_hours` the number of
    updates is lowered, once their pace is known, to end within these hours. Returns the final state. Raises
    TrainingError if `run` holds a run of another config or if too many updates in a row are not finite.
    """
    begun = time.monotonic()
    if config.threads:
        torch.set_num_threads(config.threads)
    watch_launcher()
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    processes = Processes(accelerator.process_index, accelerator.num_processes)
    train_clips = ClipDataset(config.train, config)
    validation_clips = ClipDataset(config.validation, config, training=False)
    check_apart(train_clips, validation_clips)
    operations = train_clips.operations
    config = _decided(config, run)
    _refuse_another(config, run)
    if config.clips_per_update < processes.count:
        few = f"an update has {config.clips_per_update} clips, too few for {processes.count} processes"
        raise TrainingError(f"{few}: start fewer, or raise batch or accumulation")
    if processes.first:
        run.mkdir(parents=True, exist_ok=True)
        ensure_base(config, run / "base", operations)
    processes.wait()
    checkpoint = newest_checkpoint(run)
    state = read_state(checkpoint) if checkpoint is not None else State(batch=config.batch)
    on_record = partial(_memory_on_record, run, config, state, accelerator.device, processes)
    base, kind = ensure_base(config, run / "base", operations), accelerator.device.type
    with on_record(), processes.within_memory("loading the model"):
        answerer, tokenizer = load_model(config, base, operations, accelerator.device)
    device = device_key(torch.cuda.get_device_name()) if kind == "cuda" else "cpu"
    open_batch = not config.batch
    if open_batch:
        batch = plan_memory(config, device, folder=base).config.batch
        config = replace(config, batch=min(batch, -(-config.clips_per_update // processes.count)))
        state.batch = config.batch
    answerer.config = config
    collator = Collator(config, tokenizer, operations)
    optimizer = make_optimizer(config, answerer)
    scaler = torch.amp.GradScaler(kind, enabled=config.compute == "fp16")
    if checkpoint is not None:
        load_checkpoint(checkpoint, answerer, optimizer, scaler)
    elif start is not None:
        answerer.restore(start)
    cache = _open_cache(config, answerer, processes)
    reader = PassReader(train_clips, collator, answerer.inner.config, cache)
    ahead = ReadAhead(
        reader,
        seed=config.seed,
        clips_per_update=config.clips_per_update,
        rank=processes.rank,
        processes=processes.count,
        workers=config.workers,
    )
    answerer.train()
    with on_record(), ahead:
        if open_batch:
            config = replace(config, batch=_probe(answerer, ahead, scaler, processes, state))
        if processes.first:
            configs.write(config, run)
            if checkpoint is None:
                state.predicted_gib = estimate_peak_gib(config, device, folder=base)
                if (planned := planned_durations(config, device, folder=base)) is not None:
                    state.planned_update_s = planned.update / processes.count
                    state.planned_evaluation_s = planned.evaluation / processes.count
        if fit_hours is not None and state.fitted_steps:
            config = replace(config, steps=state.fitted_steps)
        log, pace = Log(run, state, config, quiet=not processes.first), Pace()
        seconds_before, first_step = state.seconds, state.step
        tracker = MemoryTracker(*answerer.parameters(), *answerer.buffers(), *tree_leaves(optimizer.state_dict()))
        if kind == "cuda":
            torch.cuda.empty_cache()  # what loading allocated and freed is not part of the peak
            torch.cuda.reset_peak_memory_stats()
        while state.updates < config.steps and not (config.patience and state.stale >= config.patience):
            pace.begin()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, state.updates)
            # A seed per step and process, not one per run: a resumed run draws the same dropout as an uncut one, on the
            # plain path; elsewhere it is drawn for each clip.
            torch.manual_seed(config.seed * 1_000_003 + state.step * 31 + processes.rank)
            with tracker if kind == "cpu" and state.step < first_step + TRACKED_UPDATES else contextlib.nullcontext():
                sums = backward(answerer, ahead, scaler, processes, state, log)
                with processes.within_memory("in the optimizer's step"):
                    measured = optimizer_step(answerer, optimizer, scaler, sums, state)
            state.peak_gib = max(state.peak_gib, tracker.peak_bytes / GIB if kind == "cpu" else used_memory_gib())
            state.step += 1
            state.clips += config.clips_per_update
            state.seconds = seconds_before + time.monotonic() - begun
            log.update(measured, optimizer.param_groups[0]["lr"])
            pace.end()
            if pace.due:
                hours = fit_hours or max_hours
                left = None if hours is None else max(0.0, hours - (time.monotonic() - begun) / 3600)
                update_s = max(processes.gather(pace.update_s))
                config = _correct(config, state, log, update_s, left, fit_hours is not None)
                # Processes must agree on when to end, and their clocks differ.
                config = replace(config, steps=processes.from_first(config.steps))
            if state.skipped > config.max_skipped:
                raise TrainingError(f"{state.skipped} updates in a row had {_infinity(measured, config)}")
            last = state.updates >= config.steps
            due = config.evaluate_every and state.updates % config.evaluate_every == 0
            late = max_hours is not None and time.monotonic() - begun > max_hours * 3600
            lates, peaks = zip(*processes.gather((late, state.peak_gib)), strict=True)
            stopping, state.peak_gib = any(lates), max(peaks)
            # A skipped update repeats the number of the one before it, which was evaluated if that was due.
            evaluating = not state.skipped and (last or bool(due) or (stopping and not state.best_update))
            if evaluating:
                _validate(answerer, collator, validation_clips, run, state, log, processes)
            if processes.first and (evaluating or stopping or state.step % config.checkpoint_every == 0):
                save_checkpoint(run, state, answerer, optimizer, scaler, keep=config.keep)
            if stopping and not last:
                place = f"update {state.updates} of {config.steps}"
                log.say(f"stopped after {max_hours:g} hours at {place}; the same command resumes")
                break
    if answerer.writer is not None:
        answerer.writer.close()
    if processes.first:
        write_record(run, config, state, answerer.device)
    return state


@contextlib.contextmanager
def _memory_on_record(
    run: Path, config: Config, state: State, device: torch.device, processes: Processes
) -> Iterator[None]:
    """Write the record of a run that ends in the block because memory did not suffice."""
    try:
        yield
    except MemoryFullError as full:
        if processes.first:
            for rank in full.ranks:
                note_memory(run, state, 0, rank if processes.count > 1 else None)
            write_record(run, config, state, device)
        raise


def _correct(config: Config, state: State, log: Log, update_s: float, hours: float | None, fit: bool) -> Config:
    """Compare a run with its plan, and say (or make, if it is to fit) the change that ends it `hours` from now.

    `update_s` are the seconds of an update in the slowest process.
    """
    state.measured_update_s = update_s
    left = hours_left(config, state, update_s)
    log.say(correction_text(config, state, left))
    if hours is None or left <= hours:
        return config
    steps = steps_within(config, state, hours, update_s)
    if not fit:
        log.say(f"that is more than {hours:.1f} h: steps={steps} fits, and --fit-hours makes it so")
        return config
    log.say(f"that is more than {hours:.1f} h: {steps} updates from here on")
    state.fitted_steps = steps
    log.config = replace(config, steps=steps)
    return log.config


def _decided(config: Config, run: Path) -> Config:
    """Return the config with the batch that an earlier start of the run decided for, if it leaves that open."""
    if config.batch or newest_checkpoint(run) is None or not (run / configs.NAME).is_file():
        return config
    return replace(config, batch=configs.read(run / configs.NAME).batch)


def _open_cache(config: Config, answerer: Answerer, processes: Processes) -> VisionCache | None:
    """Return the kept output of a frozen tower, None where the tower learns or frames are augmented.

    What is computed from now on is kept too, by every process for all.
    """
    if not config.keeps_vision:
        return None
    key = tower_key(answerer.inner.model.visual, config.base, config.compute, str(config.as_video))
    if not processes.first:
        processes.wait()  # while the first one makes room
    cache = VisionCache(cache_folder(config), key, int(config.cache_gb * 1e9), processes.count)
    if processes.first:
        processes.wait()
    answerer.writer = Writer(cache)
    return cache


def _probe(
    answerer: Answerer, ahead: ReadAhead, scaler: torch.amp.GradScaler, processes: Processes, state: State
) -> int:
    """Run the passes of the first update once, with smaller batches until they fit in all processes; return the batch.

    Raises MemoryFullError if one clip does not fit in one of them.
    """
    with processes.within_memory(ONE_CLIP):
        while run_passes(answerer, ahead.update(0, state.batch), scaler, state.batch, 1.0, 1.0) is None:
            answerer.zero_grad(set_to_none=True)
            state.batch = max(1, state.batch * 3 // 4)
            torch.cuda.empty_cache()
    answerer.zero_grad(set_to_none=True)
    state.batch = min(processes.gather(state.batch))
    return state.batch


def _refuse_another(config: Config, run: Path) -> None:
    """Raise TrainingError if the folder holds a checkpoint of another config."""
    if (run / configs.NAME).is_file():
        before = asdict(configs.read(run / configs.NAME))
        differing = [
            name for name, value in asdict(config).items() if before[name] != value and name not in FREE_TO_CHANGE
        ]
        if differing and newest_checkpoint(run) is not None:
            raise TrainingError(f"{run}: holds a run with another {', '.join(differing)}; take another folder")


def backward(
    answerer: Answerer,
    ahead: ReadAhead,
    scaler: torch.amp.GradScaler,
    processes: Processes,
    state: State,
    log: Log,
) -> Sums:
    """Compute the gradients of one update, summed over passes and processes; return its losses.

    Out of memory, the batch is halved for good and the update computed again from its start. Other processes follow
    with the next update. Raises MemoryFullError if one clip does not fit.
    """
    size, lowered = state.batch, list[int]()
    update = ahead.update(state.step, size)
    weights, clips = zip(*processes.gather((update.weight, update.clips)), strict=True)
    with processes.within_memory(ONE_CLIP):
        while (sums := run_passes(answerer, update, scaler, size, sum(weights), sum(clips))) is None:
            # Gradients of the passes before the failed one are dropped; dropout starts from the update's seed again.
            answerer.zero_grad(set_to_none=True)
            torch.manual_seed(torch.initial_seed())
            size //= 2
            lowered.append(size)
            update = ahead.update(state.step, size)
            if answerer.device.type == "cuda":
                torch.cuda.empty_cache()
    reports = processes.gather((lowered, sums.tokens, sums.clips))
    for rank, (batches, _, _) in enumerate(reports):
        for batch in batches:
            lower_batch(state, log, batch, rank if processes.count > 1 else None)
    if processes.count == 1:
        return sums
    for parameter in answerer.trainable().values():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        processes.add(parameter.grad)
    processes.add(sums.numbers)
    return Sums(sums.numbers, sum(tokens for _, tokens, _ in reports), sum(clips))


class Sums(NamedTuple):
    """Losses of an update: `numbers` [4] on the device are total, plain, labels and label tokens; see Losses."""

    numbers: torch.Tensor
    tokens: int
    clips: int


def run_passes(
    answerer: Answerer, update: Update, scaler: torch.amp.GradScaler, size: int, weight: Any, clips: Any
) -> Sums | None:
    """Run all forward and backward passes of an update, in passes of `size` clips; None if memory did not suffice.

    Raises torch's OutOfMemoryError if it did not suffice for one clip.

    `weight` and `clips` are the answer weight and the clips of the whole update, over all processes. Memory of a failed
    pass is freed only after this function returns, because the traceback keeps it alive. Nothing in here waits for the
    card.
    """
    sums: Sums | None = None
    try:
        for batch in update.passes:
            found = answerer(to_device(batch, answerer.device), weight / clips)
            # Divided by the answer weight of the whole update: passes with short answers weigh less, and neither the
            # batch nor the number of processes changes the gradient.
            scaler.scale(found.total / weight).backward()
            sums = _sum_losses(sums, found)
    except torch.OutOfMemoryError:
        if size == 1:
            raise
        return None
    return sums


def _sum_losses(sums: Sums | None, found: Losses) -> Sums:
    """Return the losses of an update's passes so far, with those of the newest."""
    numbers = torch.stack([found.total.detach().float(), found.plain, found.labels, found.label_tokens])
    if sums is None:
        return Sums(numbers, found.tokens, found.clips)
    return Sums(sums.numbers + numbers, sums.tokens + found.tokens, sums.clips + found.clips)


def lower_batch(state: State, log: Log, batch: int, rank: int | None) -> None:
    """Lower the batch for the rest of the run, and put it on record, with the process's `rank` if there are several."""
    state.batch = min(state.batch, batch)
    if not log.quiet:
        note_memory(log.run, state, batch, rank)
    place = "" if rank is None else f" in process {rank}"
    log.say(f"out of memory{place}: batch {batch} from here on")


def optimizer_step(
    answerer: Answerer, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, sums: Sums, state: State
) -> Measured:
    """Take one optimizer step, unless a gradient is infinite; return the update's losses and its norm before clipping.

    The card is waited for twice: for these numbers, and by a scaler that asks whether it found an infinity.
    """
    # Clipping needs gradients in their own scale. An infinite one shows in the norm, and unscale_ has noted it too:
    # scaler.step then skips the optimizer and scaler.update lowers the scale. A disabled scaler would step regardless.
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(answerer.trainable().values(), answerer.config.clip_norm)
    norm_value, total, plain, labels, inside = torch.cat([norm.float().reshape(1), sums.numbers]).tolist()
    measured = Measured(norm_value, total, plain, labels, inside, sums.tokens, sums.clips)
    finite = math.isfinite(measured.norm)
    if scaler.is_enabled() or finite:
        scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    # A skipped update moves on in the data, so that the same clips do not fail for ever, but not in the schedule.
    state.updates, state.skipped = (state.updates + 1, 0) if finite else (state.updates, state.skipped + 1)
    return measured


def _infinity(measured: Measured, config: Config) -> str:
    """Name what was infinite, loss or gradients, and a remedy."""
    if math.isfinite(measured.total):
        return "infinite gradients: lower lr, or use fp32"
    return f"an infinite loss: a number of the forward pass does not fit {config.compute}; use another compute type"


def learning_rate(config: Config, update: int) -> float:
    """Return the rate of an update: linear over the warm-up, then half a cosine down to a tenth of the peak."""
    warmup = max(1, round(config.warmup * config.steps))
    if update < warmup:
        return config.lr * (update + 1) / warmup
    share = (update - warmup) / max(1, config.steps - warmup)
    return config.lr * (0.55 + 0.45 * math.cos(math.pi * min(1.0, share)))


def make_optimizer(config: Config, answerer: Answerer) -> torch.optim.Optimizer:
    """Return AdamW over what learns, with weight decay on matrices only."""
    parameters = answerer.trainable().values()
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


def _validate(
    answerer: Answerer,
    collator: Collator,
    clips: ClipDataset,
    run: Path,
    state: State,
    log: Log,
    processes: Processes,
) -> None:
    """Evaluate on validation, each process some clips, and save the model if it is the best so far."""
    values = evaluate(answerer, collator, clips, run, processes)
    criterion = values["score"] + values["aa1_hidden"]
    state.stale += 1
    if criterion > state.best:
        state.best, state.best_update, state.stale = criterion, state.updates, 0
        if processes.first:
            save_best(run, answerer, collator.operations, state)
    log.validation(values)


@click.command()
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--run", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the run.")
@click.option("--frames", type=click.Path(path_type=Path, file_okay=False), help="Folder that holds the renderings.")
@click.option("--world", help="World of the renderings, instead of the file's.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a value of the file.")
@click.option("--from", "start", type=click.Path(path_type=Path, file_okay=False), help="Begin with this adapter.")
@click.option("--max-hours", type=float, help="Stop in time, with a checkpoint; the same command resumes.")
@click.option("--fit-hours", type=float, help="Lower the number of updates, once their pace is known, to end in time.")
def main(
    config: Path, run: Path, frames: Path | None, world: str | None, changes: tuple[str, ...], **choices: Any
) -> None:
    """Train as CONFIG says, resuming from the newest checkpoint in RUN."""
    try:
        settings = configs.read(config, **configs.parse_changes(changes))
        if world is not None:
            settings = replace(settings, world=world)
        if frames is not None:
            settings = configs.relative_to(settings, frames)
        train(settings, run, **choices)
    except HarnessError as error:
        fail_together(error)


if __name__ == "__main__":
    main()
