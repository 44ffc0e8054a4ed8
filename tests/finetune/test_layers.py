"""What is computed in place of transformers and PEFT: equal to them, with few kernels, and without waiting."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from finetune.base_models import BASES, find_base
from finetune.config import Config
from finetune.data import Collator
from finetune.layers.attention import attend_in_windows
from finetune.layers.geometry import token_positions
from finetune.model import ensure_base, load_model
from reference.task import OPERATIONS
from tests.support.finetune_material import QLORA, TWIN, example

QWEN = "Qwen/Qwen2.5-VL-3B-Instruct"


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Folders of random weights by base and shape, made once."""
    folder = tmp_path_factory.mktemp("bases")
    return lambda config: ensure_base(config, folder / config.base.split("/")[1], OPERATIONS)


def both_ways(config: Config, bases) -> list:
    """The same weights on the plain path and on ours, with the collator of both."""
    made = []
    for plain in (True, False):
        answerer, tokenizer = load_model(replace(config, plain=plain), bases(config), OPERATIONS, "cpu")
        made.append(answerer)
    return [*made, Collator(config, tokenizer, OPERATIONS)]


LENGTHS = [((16, 16, 16), "windows of one length"), ((16, 8, 8, 4, 16, 4), "and of several"), ((7,), "one window")]


@pytest.mark.parametrize(("lengths", "why"), LENGTHS, ids=[case[1] for case in LENGTHS])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 2e-3)])
def test_windows_together_are_windows_one_by_one(lengths, why, dtype, tolerance):
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(1, 4, sum(lengths), 16, generator=generator, dtype=torch.float32).to(dtype) for _ in range(3)]
    ends = torch.tensor([0, *lengths]).cumsum(0)
    together, _ = attend_in_windows(None, *parts, cu_seq_lens_q=ends, scaling=0.25)
    cut = zip(*(part.split(lengths, dim=2) for part in parts), strict=True)
    attend = torch.nn.functional.scaled_dot_product_attention
    alone = torch.cat([attend(*window, scale=0.25) for window in cut], dim=2).transpose(1, 2)
    torch.testing.assert_close(together, alone, rtol=0, atol=tolerance)


@pytest.mark.parametrize("as_video", [True, False], ids=["video", "images"])
@pytest.mark.parametrize("base", BASES)
def test_loss_and_gradients_are_those_of_the_plain_path(base, as_video, bases):
    """Clips of different length, with windows of several lengths at 84 px: fp32, every parameter."""
    config = replace(TWIN, base=base, size=96 if "Qwen3" in base else 84, as_video=as_video, temporal_head=1.0)
    plain, ours, collator = both_ways(config, bases)
    batch = collator([example(seed, side=config.size, frames=frames) for seed, frames in enumerate((8, 4, 7))])
    losses = [answerer(batch) for answerer in (plain, ours)]
    for found in losses:
        found.total.backward()
    assert float(losses[1].total.detach()) == pytest.approx(float(losses[0].total.detach()), rel=1e-6)
    for (name, one), other in zip(plain.trainable().items(), ours.trainable().values(), strict=True):
        if one.grad is not None:
            worst = float((one.grad - other.grad).abs().max())
            assert worst <= 5e-5 * float(one.grad.abs().max()) + 1e-8, name
    positions, _ = plain.inner.model.get_rope_index(
        batch["input_ids"],
        **{name: batch[name] for name in ("mm_token_type_ids", "attention_mask", *GRIDS) if name in batch},
    )
    assert torch.equal(positions, torch.from_numpy(token_positions(batch, find_base(base), plain.inner.config)))


GRIDS = ("image_grid_thw", "video_grid_thw", "second_per_grid_ts")


ADAPTED = [
    ({"quantise": False, "compute": "fp32", "checkpointing": False}, 1e-5, "fp32"),
    ({}, 0.02, "fp16 on nf4: both paths round, at different places"),
]


@pytest.mark.parametrize(("changes", "tolerance", "why"), ADAPTED, ids=[case[2] for case in ADAPTED])
def test_adapters_in_one_function_learn_as_on_the_plain_path(changes, tolerance, why, bases):
    """Gradients of all adapters, moved away from their beginning at 0: the largest relative difference of one."""
    plain, ours, collator = both_ways(replace(QLORA, **changes), bases)
    batch, gradients = collator([example(0), example(1)]), []
    for answerer in (plain, ours):
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in answerer.trainable().values():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        answerer.train()
        (answerer(batch).total * 64).backward()
        gradients.append([parameter.grad for parameter in answerer.trainable().values()])
    for one, other in zip(*gradients, strict=True):
        assert float((one - other).norm() / one.norm()) < tolerance


def test_what_is_dropped_depends_on_the_clip_and_not_on_its_batch(bases):
    """Dropout of 20%: the loss of two clips is that of each alone with its seed, and another with another seed."""
    config = replace(QLORA, quantise=False, compute="fp32", checkpointing=False, dropout=0.2)
    _, ours, collator = both_ways(config, bases)
    for parameter in ours.trainable().values():
        parameter.data.add_(0.02)
    ours.train()
    examples = [example(0), example(1)]
    together = collator(examples) | {"seeds": [5, 9]}
    alone = [collator([one]) | {"seeds": [seed]} for one, seed in zip(examples, (5, 9), strict=True)]
    other = collator(examples) | {"seeds": [5, 10]}
    found = [float(ours(batch).total.detach()) for batch in (together, *alone, other)]
    assert found[0] == pytest.approx(found[1] + found[2], rel=1e-5)
    assert abs(found[3] - found[0]) > 1e-4
    kept = ours.adapters.noise.kept(torch.Size((2, 50, 128)), 3)
    assert float(kept.float().mean()) == pytest.approx(0.8, abs=0.02)
