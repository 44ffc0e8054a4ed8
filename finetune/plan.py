"""What a run will need, before anything is loaded: `python -m finetune.plan [CONFIG] [--device t4]`.

The peak is a sum of parts. Weights, gradients and optimizer state are counted on the model as it will be built;
activations are the peak of the lines that train, run without data (tensor_memory). On a GPU its context is added, and
a tenth for fragmentation. On the CPU the plan is what torch will hold; the process itself comes on top.

A config without `weights` trains the twin on the CPU, so that is what is planned there; for a GPU it stands for the
checkpoint, unless all weights are trained.
"""

from __future__ import annotations

import logging
import sys
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import click

from finetune import config as configs
from finetune.config import Config
from finetune.evaluate import BATCH
from finetune.generate import MAX_TOKENS
from finetune.planning.devices import DEVICES, GIB, Device, Range, Work, asking_seconds, update_seconds
from finetune.planning.dry_run import Clip, Weights, activation_bytes, clip_of, subject, weights
from harness.errors import HarnessError, UsageError

CONTEXT_BYTES = int(0.6 * GIB)
SLACK = 0.1
MOST_BATCH, MOST_SIZE = 64, 1008
"""Where the search for the largest that fits ends."""
SURE = 0.95
"""A straight line that stays under this share of the device needs no second look."""


@dataclass(frozen=True)
class Plan:
    """`parts`: bytes by name, their sum is the peak. `counts`: parameters of those that are weights."""

    config: Config
    device: Device
    tiny: bool
    folder: Path | None
    parts: dict[str, int]
    counts: dict[str, int]
    clip: Clip

    @property
    def peak_bytes(self) -> int:
        return sum(self.parts.values())

    @property
    def peak_gib(self) -> float:
        return self.peak_bytes / GIB

    @property
    def fits(self) -> bool:
        return self.peak_gib <= self.device.usable_gib

    def changed(self, **changes: object) -> Plan:
        """Of the same run with other fields."""
        return _predict(replace(self.config, **changes), self.device, self.tiny, self.folder)  # type: ignore[arg-type]


def predict(config: Config, device: str = "t4", *, tiny: bool | None = None, folder: Path | None = None) -> Plan:
    """The memory plan of a config on one of DEVICES. `folder`: of the base's config.json and tokenizer; default, the
    config's `weights`. `tiny`: the twin's shape; default as this module's header says."""
    if device not in DEVICES:
        raise UsageError(f"no device {device!r}; there are {', '.join(DEVICES)}")
    if config.weights and folder is None:
        folder = Path(config.weights)
    if tiny is None:
        tiny = not config.weights and (device == "cpu" or config.adapter == "full")
    return _predict(config, DEVICES[device], subject(config, tiny=tiny, folder=folder).tiny, folder)


def predicted_gib(config: Config, device: str = "t4", **options: object) -> float:
    return predict(config, device, **options).peak_gib  # type: ignore[arg-type]


def _predict(config: Config, device: Device, tiny: bool, folder: Path | None) -> Plan:
    held = weights(config, tiny=tiny, folder=folder)
    gradients = 4 * sum(held.trained)
    inside = activation_bytes(config, tiny=tiny, folder=folder)
    parts = dict(held.bytes) | {
        "gradients, fp32": gradients,
        f"optimizer state, {config.optimizer}": _state_bytes(config, held),
        "activations": max(inside - (gradients if tiny else 0), _step_bytes(config, device, held)),
    }
    if device.tflops:
        parts["CUDA context"] = CONTEXT_BYTES
        parts["fragmentation"] = int(SLACK * sum(parts.values()))
    return Plan(config, device, tiny, folder, parts, held.counts, clip_of(config, tiny=tiny, folder=folder))


def _state_bytes(config: Config, held: Weights) -> int:
    """Two numbers a parameter: fp32, or a byte with a scale for 256; tensors under 4,096 stay fp32 in any case."""
    if config.optimizer == "adamw":
        return sum(8 * count + 4 for count in held.trained)
    return int(sum(count * 8 if count < 4096 else count * (2 + 8 / 256) for count in held.trained))


def _step_bytes(config: Config, device: Device, held: Weights) -> int:
    """What AdamW makes beside gradients and state: on a GPU for all tensors at once, on the CPU for one at a time."""
    if config.optimizer != "adamw":
        return 0
    return 4 * sum(held.trained) if device.tflops else 8 * max(held.trained)


def largest_batch(plan: Plan) -> int:
    """Most clips a pass that fit, MOST_BATCH at most; 0 if not even one does. Bytes grow in line with their number."""
    two, four = (plan.changed(batch=batch).peak_bytes for batch in (2, 4))
    most = min(MOST_BATCH, 3 + int((plan.device.usable_gib * GIB - two) / max(1, (four - two) / 2)))
    while most > 0 and not plan.changed(batch=most).fits:
        most -= 1
    return max(0, most)


def largest_size(plan: Plan) -> int:
    """Largest side of a frame in pixels that fits, MOST_SIZE at most; 0 if none does. Bytes grow with its square."""
    grid = plan.clip.grid
    small, middle = 4 * grid, 12 * grid
    one, two = (plan.changed(size=size).peak_bytes for size in (small, middle))
    slope = max(1, two - one) / (middle**2 - small**2)
    room = small**2 + (plan.device.usable_gib * GIB - one) / slope
    most = min(MOST_SIZE, int(max(0, room) ** 0.5)) // grid * grid
    sure = one + (most**2 - small**2) * slope < SURE * plan.device.usable_gib * GIB
    while most > 0 and not sure and not plan.changed(size=most).fits:
        most -= grid
    return max(0, most)


def ways_to_fit(plan: Plan, wanted: int = 3) -> list[tuple[dict[str, object], Plan]]:
    """Sets of changed fields that each make a plan fit, tried in the order of what they cost in quality."""
    found: list[tuple[dict[str, object], Plan]] = []
    for changes in _candidates(plan):
        if changes and not any(changes == before for before, _ in found):
            tried = plan.changed(**changes)
            if tried.fits:
                found.append((changes, tried))
        if len(found) == wanted:
            break
    return found


def _candidates(plan: Plan) -> Iterator[dict[str, object]]:
    config = plan.config
    free: list[dict[str, object]] = [{"checkpointing": True}, {"optimizer": "paged_adamw_8bit"}, {"quantise": True}]
    free = [one for one in free if _differs(config, one) and not (config.adapter == "full" and "quantise" in one)]
    yield from free
    yield _joined(free)
    for base in ({}, _joined(free)):
        if most := largest_batch(plan.changed(**base)):
            yield base | _batch(config, most)
        video = base | {"as_video": True}
        if not config.as_video:
            yield video
            if most := largest_batch(plan.changed(**video)):
                yield video | _batch(config, most)
        if most := largest_size(plan.changed(**base)):
            yield base | {"size": most}
        if not config.as_video and (most := largest_size(plan.changed(**video))):
            yield video | {"size": most}
    if config.adapter == "full":
        yield {"adapter": "lora"}
        yield {"adapter": "lora", "quantise": True, "checkpointing": True} | _batch(config, 1)
    for frames in (config.frames // 2, config.frames // 4):
        if frames:
            yield _joined(free) | _batch(config, 1) | {"frames": frames}


def _differs(config: Config, changes: dict[str, object]) -> bool:
    return any(getattr(config, name) != value for name, value in changes.items())


def _joined(changes: list[dict[str, object]]) -> dict[str, object]:
    return {name: value for one in changes for name, value in one.items()}


def _batch(config: Config, batch: int) -> dict[str, object]:
    """With as many clips an update as before, or a few more."""
    batch = min(batch, config.clips_a_step)
    return {"batch": batch, "accumulation": -(-config.clips_a_step // batch)}


def work_of(plan: Plan) -> Work:
    """Operations of products with weights and of the language model's attention; the vision tower's is small beside.
    Those of its MLPs that compute in fp32 count as the fp16 ones that take as long."""
    config, clip = plan.config, plan.clip
    parameters = {
        kind: sum(count for name, count in plan.counts.items() if name.startswith(kind))
        for kind in ("language layers", "vision tower", "embedding")
    }
    language = 2 * clip.tokens * parameters["language layers"] + 4 * clip.tokens**2 * clip.hidden * clip.layers
    wide = plan.counts.get("vision tower, fp32", 0) if (config.adapter, config.compute) == ("lora", "fp16") else 0
    rates = plan.device.tflops
    vision = 2 * clip.patches * (parameters["vision tower"] + wide * (rates["fp16"] / rates["fp32"] - 1))
    again = int(config.checkpointing)
    passes, seen = (2 + again, 1) if config.adapter == "lora" else (3 + again, 3 + again)
    flops = int(passes * language + seen * vision + 6 * clip.answer * parameters["embedding"])
    moved = parameters["language layers"] * (4.5 if config.quantise else 2)
    return Work(flops, language + vision, moved, passes, clip.layers, clip.answer)


def times(plan: Plan) -> tuple[Range, Range, int]:
    """Seconds of an update, seconds of an evaluation, and how many evaluations a whole run has."""
    config, work = plan.config, work_of(plan)
    update = update_seconds(work, plan.device, config.compute, config.batch, config.accumulation)
    asking = asking_seconds(work, plan.device, config.compute, config.evaluate_clips, BATCH["cuda"], MAX_TOKENS)
    return update, asking, -(-config.steps // config.evaluate_every) if config.evaluate_every else 1


def report(plan: Plan) -> str:
    """In 80 columns."""
    lines = [*_asked(plan), "", *_table(plan), "", *_remarks(plan)]
    if not plan.fits:
        return "\n".join([*lines, "", *_refusal(plan)])
    if not plan.device.tflops:
        return "\n".join(lines)
    most, size = largest_batch(plan), largest_size(plan)
    lines += _wrapped(
        f"Largest batch at {plan.config.size} px: {most}{' or more' * (most == MOST_BATCH)}. Largest frames at batch "
        f"{plan.config.batch}: {size} px{' or more' * (size > MOST_SIZE - plan.clip.grid)}."
    )
    return "\n".join([*lines, "", *time_lines(plan)])


def _asked(plan: Plan) -> list[str]:
    config, clip = plan.config, plan.clip
    shape = "its twin" if plan.tiny else "weights of the checkpoint"
    how = "all weights"
    if config.adapter == "lora":
        how = f"LoRA of rank {config.rank}{' on nf4' if config.quantise else ''}"
    kind = "one video" if config.as_video else "single images"
    return [
        f"Memory plan for {plan.device.name}",
        f"  {config.base}, {shape}",
        f"  {how}, {config.compute}, batch {config.batch} x {config.accumulation} passes",
        f"  {config.frames} frames of {config.size} px as {kind}: {clip.tokens:,} tokens a clip,",
        f"  {clip.pictures:,} of them pictures, {clip.answer} the answer",
    ]


def _table(plan: Plan) -> list[str]:
    lines = [f"  {'':<40}{'parameters':>14}{'GiB':>10}"]
    for name, size in plan.parts.items():
        count = plan.counts.get(name, 0)
        lines.append(f"  {name:<40}{f'{count:,}' if count else '':>14}{size / GIB:>10.3f}")
    verdict = "fits" if plan.fits else "does not fit"
    lines.append(f"  {'peak':<40}{'':>14}{plan.peak_gib:>10.3f}")
    return [*lines, f"  {'usable':<40}{'':>14}{plan.device.usable_gib:>10.3f}  {verdict}"]


def _remarks(plan: Plan) -> list[str]:
    config, clip = plan.config, plan.clip
    other = plan.changed(checkpointing=not config.checkpointing).parts["activations"] / GIB
    logits = config.batch * clip.vocabulary * 10 / GIB
    return _wrapped(
        f"Activations {'without' if config.checkpointing else 'with'} checkpointing: {other:.3f} GiB. They include the "
        f"logits of the answers' tokens, {logits * clip.answer:.3f} GiB; of all tokens they would take "
        f"{logits * clip.tokens:.3f}."
    )


def time_lines(plan: Plan) -> list[str]:
    """Seconds of an update and an evaluation, hours of a run, and what they rest on."""
    if plan.config.compute not in plan.device.tflops:
        return _wrapped(f"No time: {plan.device.name} does not compute in {plan.config.compute}.")
    update, asking, count = times(plan)
    updates, askings = update.times(plan.config.steps / 3600), asking.times(count / 3600)
    peak, compute = plan.device.tflops[plan.config.compute], plan.config.compute
    return [
        f"An update takes {_shown(update)} s, {plan.config.steps} of them {_shown(updates)} h.",
        f"An evaluation of {plan.config.evaluate_clips} clips takes {_shown(asking)} s, {count} of them "
        f"{_shown(askings)} h.",
        f"The whole run: {_shown(updates.plus(askings))} h.",
        *_wrapped(
            f"Reasoned, not measured on a GPU: {work_of(plan).flops / 1e12:.1f} TFLOP a clip, forward "
            f"{'twice' if plan.config.checkpointing else 'once'} and backward, at 25 to 45 % of {peak:g} TFLOP/s "
            f"({compute})" + (", and unpacking of the 4-bit weights" if plan.config.quantise else "") + "."
        ),
    ]


def _refusal(plan: Plan) -> list[str]:
    over = plan.peak_gib - plan.device.usable_gib
    ways = ways_to_fit(plan)
    if not ways:
        return [f"Refused: {over:.1f} GiB too much, and no change that was tried makes it fit."]
    lines = [f"Refused: {over:.1f} GiB too much. Any one of these makes it fit:"]
    for changes, tried in ways:
        sets = " ".join(f"--set {name}={str(value).lower()}" for name, value in changes.items())
        lines += _wrapped(f"{sets}   {tried.peak_gib:.1f} GiB", "  ", "      ")
    return lines


def _shown(value: Range) -> str:
    digits = 0 if value.low >= 10 else 1
    return f"{value.low:.{digits}f} to {value.high:.{digits}f}"


def _wrapped(text: str, first: str = "", later: str = "") -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def field_lines() -> list[str]:
    """Every field with its default and reason."""
    lines = []
    for entry in fields(Config):
        lines.append(f"{entry.name} = {entry.default!r}")
        lines += _wrapped(entry.metadata["why"], "    ", "    ")
    return lines


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--device", type=click.Choice(list(DEVICES)), default="t4", show_default=True, help="What it must fit.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Instead of the file's value.")
@click.option("--fields", "list_fields", is_flag=True, help="List all fields with their defaults and reasons.")
def main(config: Path | None, device: str, changes: tuple[str, ...], list_fields: bool) -> None:
    """Plan the run of CONFIG (the defaults if left out): memory and hours. Exit code 2 if it cannot fit.

    Example: python -m finetune.plan --device t4 --set batch=4
    """
    if list_fields:
        print("\n".join(field_lines()))
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        asked = dict(change.split("=", 1) for change in changes)
        read = configs.read(config, **asked) if config else configs.changed(Config(), **asked)
        plan = predict(read, device)
        print(report(plan))
    except HarnessError as error:
        sys.exit(f"error: {error}")
    if not plan.fits:
        sys.exit(2)


if __name__ == "__main__":
    main()
