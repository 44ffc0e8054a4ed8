"""The card is never waited for: a pass and an update on tensors without data, where each wait is counted.

Tensors without data stand for those on the card, real ones for those of the host. Both are of the device "cpu", because
a torch that is built without CUDA can index no tensor of a card, with data or without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from finetune.base_models import BASES
from finetune.checkpoint import State
from finetune.config import Config
from finetune.layers.geometry import ON_HOST, lay_out, tower_geometry
from finetune.model import Answerer
from finetune.planning.dry_run import make_blueprint
from finetune.planning.tensor_memory import FAKE, FakeTensorTracker, repeat_clip, strip_data
from finetune.read_ahead import Update
from finetune.train import make_optimizer, optimizer_step, run_passes
from tests.support.finetune_material import QLORA

aten = torch.ops.aten
READS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default,
         aten.is_nonzero.default, aten._unique2.default, aten.repeat_interleave.Tensor}  # fmt: skip
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
TO_HOST = {"cpu", "tolist", "numpy"}


class Waits(FakeTensorTracker):
    """Counter of the operators that read from the card; what they read is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        on_card = any(isinstance(one, FakeTensor) for one in tree_leaves((args, kwargs)))
        masks = func in INDEXING and any(place is not None and place.dtype == torch.bool for place in args[1])
        if on_card and (func in READS or masks):
            self.found.append(str(func))
        return super().__torch_dispatch__(func, types, args, kwargs)


class Copies(TorchFunctionMode):
    """Counter of copies to the host, which no operator shows for tensors of the device "cpu"."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in TO_HOST and isinstance(args[0], FakeTensor):
            self.waits.found.append(name)
            return getattr(torch.zeros(args[0].shape), name)()
        return func(*args, **(kwargs or {}))


def on_card(value: Any) -> Any:
    """Return a tensor without data, everything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    with FAKE:
        return torch.empty(value.shape, dtype=value.dtype)


def prepared(config: Config) -> tuple[Answerer, dict[str, Any]]:
    """Return a model and the batch of a pass as the training loop has them."""
    blueprint = make_blueprint(config, tiny=True)
    answerer = strip_data(blueprint.build(blueprint.shape)).train()
    batch = repeat_clip(blueprint.example_batch(), 2)
    batch |= lay_out(batch, blueprint.base, blueprint.shape)
    moved = {name: value if name in ON_HOST else on_card(value) for name, value in batch.items()}
    geometry = tower_geometry(answerer.inner.model.visual, batch["video_grid_thw"], answerer.device)
    # The ends of windows stay on the host; what else a tower computes with is on the card.
    key = (batch["video_grid_thw"].numpy().tobytes(), answerer.device)
    answerer._geometries = {key: {k: v if k.startswith("cu_") else on_card(v) for k, v in geometry.items()}}
    return answerer, moved


@pytest.mark.parametrize("base", BASES)
def test_a_pass_waits_for_nothing_and_an_update_twice(base):
    """fp16 with a scaled loss: the update's numbers, and inside torch whether the scaler saw an infinity."""
    size = 96 if "Qwen3" in base else 84
    config = replace(QLORA, base=base, size=size, optimizer="adamw", steps_head=1.0)
    answerer, batch = prepared(config)
    optimizer, scaler = make_optimizer(config, answerer), torch.amp.GradScaler("cpu")
    with Waits() as waits, Copies(waits):
        sums = run_passes(answerer, Update([batch, batch], 80.0, 4), scaler, 2, 80.0, 4)
        assert waits.found == []
        optimizer_step(answerer, optimizer, scaler, sums, State(batch=2))
    # One list of five numbers, which a tensor without data reads one by one. The scaler reads a tensor that it makes
    # itself, which is real here.
    assert waits.found == [str(aten._local_scalar_dense.default)] * 5


def test_reading_from_the_card_is_seen():
    """The counter counts."""
    numbers = on_card(torch.ones(4))
    with Waits() as waits, Copies(waits):
        numbers.sum().item()
        numbers.cpu()
        tree_map(torch.Tensor.tolist, [numbers])
    assert waits.found == [str(aten._local_scalar_dense.default), "cpu", "tolist"]
