"""Model: which parts learn, in which precision, and that batching, saving and merging change no answer."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from finetune import config as configs
from finetune.base_models import BASES
from finetune.constrained import Grammar
from finetune.data import IGNORED, Collator
from finetune.generate import OVERFLOWED, best_segment, generate
from finetune.merge import merge
from finetune.model import FACTS, MODEL, Answerer, ensure_base, load_model
from harness.errors import UsageError
from reference.task import OPERATIONS
from tests.support.finetune_material import QLORA, TWIN, example

LORA = replace(QLORA, quantise=False, compute="fp32", checkpointing=False, temporal_head=1.0, steps_head=1.0)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A base's folder of random weights, made once a kind."""
    folder = tmp_path_factory.mktemp("bases")

    def at(config):
        return ensure_base(config, folder / config.base.split("/")[1], OPERATIONS)

    return at


@pytest.fixture(autouse=True)
def short_answers(monkeypatch):
    """Random weights never end a free answer: a quarter of its tokens shows as much."""
    monkeypatch.setattr("finetune.generate.MAX_TOKENS", 24)


def loaded(config, bases) -> tuple[Answerer, Collator]:
    answerer, tokenizer = load_model(config, bases(config), OPERATIONS, "cpu")
    return answerer, Collator(config, tokenizer, OPERATIONS)


def stirred(answerer: Answerer) -> Answerer:
    """Adapters begin as zero; move everything that learns a little."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in answerer.trainable().values():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return answerer.eval()


def losses(answerer, collator, examples) -> float:
    with torch.no_grad():
        return float(answerer(collator(examples)).total)


@pytest.mark.parametrize("base", BASES)
def test_each_base_learns_and_answers_as_a_tiny_model_of_its_class(base, bases):
    """Loss falls on one batch, and generation runs, constrained by nothing."""
    config = replace(TWIN, base=base, size=64 if "Qwen3" in base else 84, lr=3e-3)
    answerer, collator = loaded(config, bases)
    assert type(answerer.inner).__name__.startswith(BASES[base].kind)
    examples = [example(seed, side=config.size) for seed in range(4)]
    optimizer = torch.optim.AdamW(answerer.trainable().values(), config.lr)
    seen = []
    for _ in range(12):
        found = answerer(collator(examples))
        found.total.backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(found.plain / found.tokens)
    assert seen[-1] < 0.6 * seen[0]
    assert len(generate(answerer, collator, examples, None)) == 4


@pytest.mark.parametrize("as_video", [True, False])
def test_a_batch_is_as_good_as_its_clips_one_by_one(bases, as_video):
    """Rows of different length, padded right in training and left in generation."""
    answerer, collator = loaded(replace(LORA, as_video=as_video), bases)
    stirred(answerer)
    examples = [example(seed, frames=frames) for seed, frames in enumerate((8, 4, 8, 6))]
    together, alone = losses(answerer, collator, examples), sum(losses(answerer, collator, [one]) for one in examples)
    assert together == pytest.approx(alone, rel=1e-5)
    said = generate(answerer, collator, examples, None)
    assert [one.text for one in said] == [generate(answerer, collator, [one], None)[0].text for one in examples]


def test_logits_are_computed_on_answer_positions_only(bases):
    answerer, collator = loaded(LORA, bases)
    rows = []
    answerer.inner.lm_head.register_forward_hook(lambda module, inputs, output: rows.append(output.shape))
    batch = collator([example(0), example(1)])
    answerer(batch)
    assert rows == [((batch["labels"] != IGNORED).sum(), len(collator.tokenizer))]


def test_positions_need_the_token_types(bases):
    """Without them the model runs silently on one-dimensional positions, and answers differently."""
    answerer, collator = loaded(LORA, bases)
    batch = collator([example(0)])
    with torch.no_grad():
        right = answerer(batch).plain
        wrong = answerer({name: value for name, value in batch.items() if name != "mm_token_type_ids"}).plain
    assert abs(right - wrong) > 1e-4


def test_a_frozen_vision_tower_runs_without_gradients_and_gives_the_same_loss(bases):
    answerer, collator = loaded(LORA, bases)
    examples = [example(0)]
    seen = losses(stirred(answerer), collator, examples)
    answerer.frozen_vision = False
    assert losses(answerer, collator, examples) == pytest.approx(seen, rel=1e-6)


def test_adapters_stand_on_the_language_models_linear_layers_only(bases):
    answerer, _ = loaded(replace(LORA, temporal_head=0.0, steps_head=0.0), bases)
    names = list(answerer.trainable())
    assert len(names) == 2 * 7 * 3, "A and B of seven layers in three blocks"
    assert all("language_model.layers" in name and "lora_" in name for name in names)


def test_precision_of_what_learns_and_what_does_not(bases):
    answerer, _ = loaded(QLORA, bases)
    kinds = {name: parameter.dtype for name, parameter in answerer.named_parameters()}
    for name, parameter in answerer.named_parameters():
        wide = ".visual.blocks." in name and ".mlp." in name  # the last two of the twin are all
        if wide or parameter.requires_grad or parameter.ndim == 1:
            assert kinds[name] == torch.float32, name
        elif "language_model.layers" in name:
            assert kinds[name] == torch.uint8, f"{name}: nf4"
        else:
            assert kinds[name] == torch.float16, name


def test_four_bits_train_in_half_precision_on_the_cpu(bases):
    """nf4 weights, fp16 compute, scaled loss, 8-bit Adam: loss falls, nothing but the adapters moves."""
    import bitsandbytes

    config = replace(QLORA, lr=1e-2)
    answerer, collator = loaded(config, bases)
    before = {name: value.clone() for name, value in answerer.state_dict().items() if "lora_" not in name}
    optimizer = bitsandbytes.optim.AdamW8bit(answerer.trainable().values(), lr=config.lr)
    scaler = torch.amp.GradScaler("cpu")
    examples, seen = [example(0), example(1)], []
    for _ in range(6):
        found = answerer(collator(examples))
        scaler.scale(found.total / found.tokens).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        seen.append(found.plain)
    assert seen[-1] < 0.9 * seen[0]
    after = answerer.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("config", [LORA, replace(TWIN, temporal_head=1.0)], ids=["adapters", "all weights"])
def test_a_saved_model_answers_exactly_the_same(bases, config, tmp_path):
    answerer, collator = loaded(config, bases)
    stirred(answerer).save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".safetensors", ".json", ".md"}
    other, _ = loaded(config, bases)
    examples = [example(0), example(1)]
    assert losses(other.eval(), collator, examples) != losses(answerer, collator, examples)
    other.restore(tmp_path)
    assert losses(other, collator, examples) == losses(answerer, collator, examples)
    assert generate(other, collator, examples, None) == generate(answerer, collator, examples, None)


def test_generation_settings_of_a_base_change_no_answer(bases, tmp_path):
    """Qwen's checkpoints bring a penalty on repetition, which would fall on JSON, digits and labels alike."""
    answerer, collator = loaded(TWIN, bases)
    folder = shutil.copytree(bases(TWIN), tmp_path / "base")
    settings = {"do_sample": True, "temperature": 0.1, "top_p": 0.01, "repetition_penalty": 1.5}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    other, _ = load_model(TWIN, folder, OPERATIONS, "cpu")
    examples = [example(0), example(1)]
    assert generate(other, collator, examples, None) == generate(answerer, collator, examples, None)


def test_weights_of_another_model_are_refused(bases, tmp_path):
    answerer, _ = loaded(TWIN, bases)
    save_file({"strange": torch.zeros(1)}, tmp_path / MODEL)
    with pytest.raises(UsageError, match="weights of another model"):
        answerer.restore(tmp_path)
    with pytest.raises(UsageError, match="holds no trained weights"):
        answerer.restore(tmp_path / "nowhere")


def test_weights_that_may_not_be_read_are_not_called_missing(bases, tmp_path, monkeypatch):
    """safetensors says so of a file of another user, which is how a container finds the weights of its host."""
    base = shutil.copytree(bases(TWIN), tmp_path / "base")
    for path in base.glob("*.safetensors"):
        path.unlink()
        path.symlink_to(tmp_path / "closed")
    config = replace(TWIN, weights=str(base))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UsageError, match=r"no weights of .* \(this user may not read model\.safetensors\)"):
        load_model(config, base, OPERATIONS, "cpu")


def test_merged_weights_answer_as_base_and_adapter(bases, tmp_path):
    config = replace(LORA, weights=str(bases(LORA)), temporal_head=0.0, steps_head=0.0)
    answerer, collator = loaded(config, bases)
    stirred(answerer).save(tmp_path / "run" / "best")
    (tmp_path / "run" / "best" / FACTS).write_text(json.dumps({"operations": OPERATIONS}))
    configs.write(config, tmp_path / "run")
    (bases(LORA) / "preprocessor_config.json").write_text("{}")
    merge(tmp_path / "run", tmp_path / "merged")
    assert (tmp_path / "merged" / "preprocessor_config.json").read_text() == "{}"
    whole = replace(config, adapter="full", weights=str(tmp_path / "merged"))
    merged, _ = load_model(whole, tmp_path / "merged", OPERATIONS, "cpu")
    examples = [example(0), example(1)]
    assert losses(merged.eval(), collator, examples) == pytest.approx(losses(answerer, collator, examples), rel=1e-5)


def test_a_merged_checkpoint_has_one_type(bases, tmp_path):
    """Parts that were fp16, fp32 or nf4 in training are written as bf16, which has the range of fp32."""
    config = replace(QLORA, weights=str(bases(QLORA)))
    answerer, _ = loaded(config, bases)
    answerer.save(tmp_path / "run" / "best")
    (tmp_path / "run" / "best" / FACTS).write_text(json.dumps({"operations": OPERATIONS}))
    configs.write(config, tmp_path / "run")
    merge(tmp_path / "run", tmp_path / "merged")
    assert {value.dtype for value in load_file(tmp_path / "merged" / MODEL).values()} == {torch.bfloat16}


def test_heads_learn_from_the_prompts_last_state(bases):
    """Left-padded or right-padded, the heads read the same place."""
    answerer, collator = loaded(LORA, bases)
    examples = [example(0, frames=4), example(1)]
    stirred(answerer)
    batch, asked = collator(examples), collator.prompt_batch(examples)
    with torch.no_grad():
        right = answerer.head("segment", answerer.states(batch), batch["last"])
        last = torch.full((2,), asked["input_ids"].shape[1] - 1)
        left = answerer.head("segment", answerer.states(asked), last)
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)
    assert right.shape == (2, 2, 125)
    assert generate(answerer, collator, examples, None)[0].following in OPERATIONS[:-1]


@pytest.mark.parametrize(
    ("start", "last", "expected"),
    [(3, 9, (3, 10)), (0, 0, (0, 1)), (124, 124, (124, 125))],
)
def test_the_best_segment_is_the_likeliest_that_is_one(start, last, expected):
    scores = torch.full((2, 125), -5.0)
    scores[0, start] = scores[1, last] = 0.0
    assert best_segment(*scores) == expected


def test_the_best_segment_never_ends_before_it_starts():
    scores = torch.full((2, 125), -9.0)
    scores[0, 80], scores[1, 20] = 0.0, 0.0  # impossible together
    scores[0, 10], scores[1, 90] = -1.0, -2.0
    assert best_segment(*scores) == (10, 21)


def test_checkpointing_changes_no_gradient(bases):
    found = []
    for checkpointing in (False, True):
        answerer, collator = loaded(replace(LORA, checkpointing=checkpointing), bases)
        stirred(answerer).train()
        answerer(collator([example(0)])).total.backward()
        found.append([parameter.grad for parameter in answerer.trainable().values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_the_norms_of_a_half_precision_model_are_full(bases):
    """The residual stream is fp32 where fp16 would overflow."""
    answerer, collator = loaded(QLORA, bases)
    kinds = set()
    for layer in answerer.inner.model.language_model.layers:
        layer.register_forward_hook(
            lambda module, inputs, output: kinds.add((output[0] if isinstance(output, tuple) else output).dtype)
        )
    answerer(collator([example(0)]))
    assert kinds == {torch.float32} and isinstance(answerer.backbone, nn.Module)


@pytest.mark.parametrize("base", BASES)
def test_output_of_the_last_vision_blocks_may_exceed_the_range_of_fp16(base, bases):
    """Their MLPs' output made thousands of times larger: the same as in fp32, where half precision has infinities."""
    config = replace(QLORA, base=base, quantise=False, size=64 if "Qwen3" in base else 84)
    wide, collator = loaded(replace(config, compute="fp32"), bases)
    half, _ = loaded(config, bases)
    batch = collator.prompt_batch([example(0, side=config.size)])
    seen = []
    for answerer in (wide, half):
        mlp = answerer.inner.model.visual.blocks[-1].mlp
        for name in ("down_proj", "fc2", "linear_fc2"):
            if hasattr(mlp, name):
                getattr(mlp, name).weight.data *= 1e6
        with answerer.autocast():
            seen.append(
                answerer.inner.model.visual(
                    batch["pixel_values_videos"], grid_thw=batch["video_grid_thw"]
                ).last_hidden_state
            )
    assert seen[0].abs().max() > torch.finfo(torch.float16).max
    torch.testing.assert_close(seen[1].float(), seen[0], rtol=0.05, atol=0.02 * float(seen[0].abs().max()))


def test_scores_that_are_no_numbers_are_no_answer(bases):
    """Under a grammar they would look like one, and a sure one."""
    answerer, collator = loaded(TWIN, bases)
    with torch.no_grad():
        answerer.inner.model.language_model.norm.weight.mul_(torch.nan)
    grammar = Grammar(collator.tokenizer, collator.labels, answerer.inner.lm_head.weight.shape[0])
    for said in generate(answerer, collator, [example(0), example(1)], grammar):
        assert said.text == OVERFLOWED and said.confidence is None
