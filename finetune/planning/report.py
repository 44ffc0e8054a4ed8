"""Text of a plan in 80 columns: memory part by part, what fits, how long it takes; or the refusal with its remedies."""

from __future__ import annotations

import textwrap

from finetune.planning.devices import GIB
from finetune.planning.fit import MAX_BATCH, MAX_SIZE, largest_batch, largest_size, ways_to_fit
from finetune.planning.hours import Range, count_work, estimate_durations
from finetune.planning.memory_plan import MemoryPlan


def report(plan: MemoryPlan) -> str:
    """Return the text that `python -m finetune.plan` prints."""
    lines = [*_run_lines(plan), "", *_part_lines(plan), "", *_activation_lines(plan)]
    if not plan.fits:
        return "\n".join([*lines, "", *_refusal_lines(plan)])
    if not plan.device.tflops:
        return "\n".join(lines)
    batch, size = largest_batch(plan), largest_size(plan)
    lines += wrap(
        f"Largest batch at {plan.config.size} px: {batch}{' or more' * (batch == MAX_BATCH)}. Largest frames at batch "
        f"{plan.config.batch}: {size} px{' or more' * (size > MAX_SIZE - plan.clip.grid)}."
    )
    return "\n".join([*lines, "", *duration_lines(plan)])


def _run_lines(plan: MemoryPlan) -> list[str]:
    """Return what is planned: device, model, adapter, frames."""
    config, clip = plan.config, plan.clip
    shape = "its twin" if plan.tiny else "published size"
    method = "all weights"
    if config.adapter == "lora":
        method = f"LoRA of rank {config.rank}{' on nf4' if config.quantise else ''}"
    kind = "one video" if config.as_video else "single images"
    return [
        f"Memory plan for {plan.device.name}",
        f"  {config.base}, {shape}",
        f"  {method}, {config.compute}, batch {config.batch} x {config.accumulation} passes",
        f"  {config.frames} frames of {config.size} px as {kind}: {clip.tokens:,} tokens per clip,",
        f"  of which {clip.vision_tokens:,} are vision and {clip.answer} the answer",
    ]


def _part_lines(plan: MemoryPlan) -> list[str]:
    """Return the table of parts with their parameters and GiB, the peak, and what is usable."""
    lines = [f"  {'':<40}{'parameters':>14}{'GiB':>10}"]
    for name, size in plan.parts.items():
        count = plan.counts.get(name, 0)
        lines.append(f"  {name:<40}{f'{count:,}' if count else '':>14}{size / GIB:>10.3f}")
    verdict = "fits" if plan.fits else "does not fit"
    lines.append(f"  {'peak':<40}{'':>14}{plan.peak_gib:>10.3f}")
    return [*lines, f"  {'usable':<40}{'':>14}{plan.device.usable_gib:>10.3f}  {verdict}"]


def _activation_lines(plan: MemoryPlan) -> list[str]:
    """Return what checkpointing and logits at answer tokens alone save."""
    config, clip = plan.config, plan.clip
    other = plan.replan(checkpointing=not config.checkpointing).parts["activations"] / GIB
    logits = config.batch * clip.vocabulary * 10 / GIB  # 2 bytes, 4 for the loss in fp32, 4 for its gradient
    return wrap(
        f"Activations {'without' if config.checkpointing else 'with'} checkpointing: {other:.3f} GiB. They include the "
        f"logits of the answers' tokens, {logits * clip.answer:.3f} GiB; those of all tokens would take "
        f"{logits * clip.tokens:.3f} GiB."
    )


def duration_lines(plan: MemoryPlan) -> list[str]:
    """Return seconds of an update and an evaluation, hours of a run, and what they are based on."""
    if plan.config.compute not in plan.device.tflops:
        return wrap(f"No duration: {plan.device.name} does not compute in {plan.config.compute}.")
    update, evaluation, count = estimate_durations(plan)
    updates, evaluations = update.times(plan.config.steps / 3600), evaluation.times(count / 3600)
    peak, compute = plan.device.tflops[plan.config.compute], plan.config.compute
    return [
        f"An update takes {_range_text(update)} s, {plan.config.steps} updates {_range_text(updates)} h.",
        f"An evaluation of {plan.config.evaluate_clips} clips takes {_range_text(evaluation)} s, {count} evaluations "
        f"{_range_text(evaluations)} h.",
        f"The whole run takes {_range_text(updates.plus(evaluations))} h.",
        *wrap(
            f"Reasoned, not measured on a GPU: {count_work(plan).flops / 1e12:.1f} TFLOP per clip, forward "
            f"{'twice' if plan.config.checkpointing else 'once'} and backward, at 25 to 45% of {peak:g} TFLOP/s "
            f"({compute})" + (", and unpacking of the 4-bit weights" if plan.config.quantise else "") + "."
        ),
    ]


def _refusal_lines(plan: MemoryPlan) -> list[str]:
    over = plan.peak_gib - plan.device.usable_gib
    ways = ways_to_fit(plan)
    if not ways:
        return [f"Refused: {over:.1f} GiB too much, and none of the changes that were tried makes it fit."]
    lines = [f"Refused: {over:.1f} GiB too much. Any one of these makes it fit:"]
    for changes, other in ways:
        sets = " ".join(f"--set {name}={str(value).lower()}" for name, value in changes.items())
        lines += wrap(f"{sets}   {other.peak_gib:.1f} GiB", "  ", "      ")
    return lines


def _range_text(value: Range) -> str:
    digits = 0 if value.low >= 10 else 1
    return f"{value.low:.{digits}f} to {value.high:.{digits}f}"


def wrap(text: str, first: str = "", later: str = "") -> list[str]:
    """Return a text as lines of 80 columns."""
    return textwrap.wrap(text, 80, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
