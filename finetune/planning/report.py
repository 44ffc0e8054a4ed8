"""Text of a plan in 80 columns: memory part by part, what fits, how long it takes; or the refusal with its remedies."""

from __future__ import annotations

import textwrap

from finetune.layers.vision_cache import cache_folder, free_bytes
from finetune.planning.devices import GIB
from finetune.planning.fit import MAX_BATCH, MAX_SIZE, largest_batch, largest_size, ways_to_fit
from finetune.planning.hours import (
    LAUNCH_S,
    cache_bytes,
    estimate_durations,
    kept_share,
    pass_trace,
    run_hours,
    training_clips,
)
from finetune.planning.memory_plan import MemoryPlan
from finetune.planning.operators import launches


def report(plan: MemoryPlan, launch_s: float = LAUNCH_S) -> str:
    """Return the text that `python -m finetune.plan` prints; `launch_s` is the cost of an operator on the host."""
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
    return "\n".join([*lines, "", *duration_lines(plan, launch_s)])


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
        f"  {method}, {config.compute}, batch {config.batch} x {-(-config.clips_per_update // config.batch)} passes",
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


def duration_lines(plan: MemoryPlan, launch_s: float = LAUNCH_S) -> list[str]:
    """Return seconds of an update and an evaluation, hours of a run, and what they are based on."""
    if plan.config.compute not in plan.device.tflops:
        return wrap(f"No duration: {plan.device.name} does not compute in {plan.config.compute}.")
    config, found = plan.config, estimate_durations(plan, launch_s)
    host = "as on the host of that H100" if launch_s == LAUNCH_S else "as measured on this machine"
    lines = wrap(
        f"A pass of {config.batch} clips launches {launches(pass_trace(plan).tally):,} operators, in "
        f"{found.launching:.1f} s, and computes for {found.kernels:.1f} s. An update takes {found.update:.1f} s, an "
        f"evaluation of {config.evaluate_clips} clips {found.evaluation:.0f} s. The whole run, "
        f"{config.steps} updates and {found.evaluations} evaluations, takes {run_hours(plan, found):.1f} h."
    )
    return [
        *lines,
        *_cache_lines(plan),
        *wrap(
            "From the operators of a pass without data, at the shares of the peaks that an H100 reached "
            f"({plan.device.product_share:.0%} of the products', {plan.device.memory_share:.0%} of the memory's), and "
            f"{launch_s * 1e6:.0f} us an operator on the host, {host}. On an H100 such sums were within 5% of the time "
            "in kernels and 25% of the wall; on other devices they are reasoned, not measured."
        ),
    ]


def _cache_lines(plan: MemoryPlan) -> list[str]:
    """Return what is kept of a frozen tower, and whether there is room; nothing where nothing is kept."""
    need, config = cache_bytes(plan), plan.config
    if not need:
        return []
    text = (
        f"The frozen tower's output is kept: {plan.clip.feature_bytes / 1e6:.2f} MB a clip, {need / 1e9:.1f} GB for "
        f"{training_clips(plan):,} training clips, of {config.cache_gb:g} GB (cache_gb). {kept_share(plan):.0%} of the "
        "clips of all updates are read."
    )
    room = min(config.cache_gb * 1e9, free_bytes(cache_folder(config)))
    if room < need:
        text += f" {cache_folder(config)} has room for {room / 1e9:.1f} GB: the other clips are computed."
    return wrap(text)


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


def wrap(text: str, first: str = "", later: str = "") -> list[str]:
    """Return a text as lines of 80 columns."""
    return textwrap.wrap(text, 80, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
