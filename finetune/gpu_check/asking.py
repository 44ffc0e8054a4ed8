"""Answers of a model of random weights, held to the grammar: seconds in a batch and one by one, calls of the model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch

from finetune.data import ClipDataset
from finetune.gpu_check.passes import RUN
from finetune.gpu_check.setup import Line, Setup, figure
from finetune.gpu_check.steps import ONE, SIXTEEN
from finetune.planning.devices import GIB
from finetune.predictor import load


def measure_answers(setup: Setup, hold: str) -> Iterator[Line]:
    """Ask a run whose weights are held as `hold` says; each way once to warm up, then measured."""
    row, begun = f"asking {hold}", time.monotonic()
    config = setup.config()
    model = load(str(setup.work / "runs" / RUN), {"hold": hold, "batch": str(setup.sizes.asked)})
    setup.synchronise()
    yield figure(row, "loading, s", time.monotonic() - begun)
    clips = ClipDataset(config.validation, config, training=False)
    examples = [clips.example(number)._replace(target=None) for number in range(setup.sizes.asked)]

    def seconds(count: int, first: int = 0) -> float:
        begun = time.monotonic()
        model.reply(examples[first : first + count])
        setup.synchronise()
        return time.monotonic() - begun

    seconds(1)
    calls: list[int] = []
    hook = model.answerer.inner.model.language_model.register_forward_hook(lambda *_: calls.append(1))
    singles = [seconds(1, number) for number in range(len(examples))]
    hook.remove()
    yield figure(row, ONE, statistics.median(singles))
    yield figure(row, "batch 1, longest s", max(singles))
    yield figure(row, "calls of the model an answer", len(calls) / len(singles))
    seconds(len(examples))
    batches = [seconds(len(examples)) for _ in range(setup.sizes.repeats)]
    yield figure(row, SIXTEEN, statistics.median(batches) / len(examples))
    if not setup.rehearsal:
        yield figure(row, "allocated, GiB", torch.cuda.max_memory_allocated() / GIB)
