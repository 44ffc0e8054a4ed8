"""Asking: under a grammar as decoding step by step, in as many calls as there are choices; adapters folded in."""

from __future__ import annotations

import gc
import json
import math
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finetune import config as configs
from finetune import predictor
from finetune.base_models import BASES
from finetune.config import Config
from finetune.data import Collator
from finetune.generate import answer_grammar, constrained_answers, to_generation
from finetune.merge import fold_adapters, fuse_norms
from finetune.model import DTYPES, FACTS, Answerer, ensure_base, load_model, random_model, tiny_tokenizer
from finetune.predictor import load
from harness.errors import UsageError
from reference.task import OPERATIONS
from tests.support import step_by_step
from tests.support.finetune_material import MOST_CALLS, QLORA, TWIN, counted, example, words_tokenizer

MODELS = [*((base, tiny_tokenizer) for base in BASES), (TWIN.base, words_tokenizer)]


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: f"{model[0]}-{model[1].__name__}")
def model(request, tmp_path_factory):
    """Random twin of a base with a tokenizer: labels are one token each, or several as in Qwen's."""
    (name, tokenizer), folder = request.param, tmp_path_factory.mktemp("base")
    config = replace(TWIN, base=name, size=64 if "Qwen3" in name else 84, weights=str(folder))
    random_model(config, tokenizer(config, folder, OPERATIONS)).save_pretrained(folder)
    answerer, loaded = load_model(config, folder, OPERATIONS, "cpu")
    return answerer.eval(), Collator(config, loaded, OPERATIONS)


@pytest.mark.parametrize("rows", [1, 16])
def test_answers_are_those_of_decoding_step_by_step(model, rows):
    """Same tokens, same probabilities, and a call of the model for each choice of the row that has most of them."""
    answerer, collator = model
    examples = [example(seed, frames=8 - 2 * (seed % 3), side=collator.config.size) for seed in range(rows)]
    batch = collator.prompt_batch(examples)
    with torch.no_grad(), counted(answerer) as calls:
        found = constrained_answers(answerer, batch, answer_grammar(answerer, collator))
    with counted(answerer) as before:
        expected = step_by_step.answers(answerer, collator, batch)
    assert found.tokens == [[token.id for token in row] for row in expected]
    for logs, row in zip(found.logs, expected, strict=True):
        assert logs == pytest.approx([token.log for token in row], abs=1e-5)
    assert len(calls) == max(sum(token.choices > 1 for token in row) for row in expected) <= MOST_CALLS
    assert len(before) == max(map(len, expected))


@pytest.mark.parametrize("dropped", [0, 1])
def test_a_confidence_is_that_of_the_tokens_that_overlap_the_label(model, dropped):
    """Behind characters of several tokens too, whole or cut."""
    tokenizer = model[1].tokenizer
    before, label, after = '€ 😀 "dominant_operation": "', "Inner Packing", '", "next_operation": "nothing'
    coded = tokenizer(before + label + after, return_offsets_mapping=True, add_special_tokens=False)
    span = len(before), len(before + label)
    logs = [-0.01 * place for place in range(len(coded["input_ids"]))]
    inside = [
        log for log, (low, high) in zip(logs, coded["offset_mapping"], strict=True) if low < span[1] and span[0] < high
    ]
    found = to_generation(tokenizer, coded["input_ids"][dropped:], logs[dropped:])
    assert found.confidence == pytest.approx(math.exp(sum(inside))) and found.next_confidence is None
    assert found.text.endswith(label + after)


def test_tokens_that_begin_no_answer_are_refused(model):
    grammar = answer_grammar(*model)
    opening = grammar.step(()).forced
    with pytest.raises(ValueError, match="begin no answer"):
        grammar.step((*opening, grammar.end))
    assert grammar.step(()).forced == opening


def adapted(config: Config, folder: Path, *, by: float) -> tuple[Answerer, Collator]:
    """A model with adapters, which begin as zero, moved by `by`."""
    answerer, tokenizer = load_model(config, ensure_base(config, folder / "base", OPERATIONS), OPERATIONS, "cpu")
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in answerer.eval().trainable().values():
            parameter.add_(by * torch.randn_like(parameter))
    return answerer, Collator(config, tokenizer, OPERATIONS)


def read(answerer: Answerer, collator: Collator) -> torch.Tensor:
    with torch.no_grad(), answerer.autocast():
        return answerer.states(collator([example(0), example(1, frames=4)]))


@pytest.mark.parametrize(
    ("quantise", "compute", "by", "allowed"),
    [
        (True, "fp32", 0.0, 0.0),  # the unpacked weights are those that the trained form multiplies
        (True, "fp32", 0.05, 3e-5),
        (False, "fp32", 0.05, 3e-5),
        (True, "fp16", 0.05, 0.05),  # of states up to 4, which fp16 itself moves by .3: adapters are rounded elsewhere
    ],
)
def test_folded_adapters_give_the_states_of_the_trained_form(tmp_path, quantise, compute, by, allowed):
    config = replace(QLORA, quantise=quantise, compute=compute, checkpointing=False)
    answerer, collator = adapted(config, tmp_path, by=by)
    trained = read(answerer, collator)
    packed = [weakref.ref(one) for one in answerer.parameters() if one.dtype == torch.uint8]
    fold_adapters(answerer, DTYPES[compute])
    gc.collect()
    assert bool(packed) == quantise and not any(one() is not None for one in packed), "no packed weight is left"
    layers = {type(layer).__name__ for layer in answerer.backbone.model.language_model.layers.modules()}
    assert "Linear" in layers and not {"Linear4bit", "Dropout"} & layers, "no adapter is left"
    folded = read(answerer, collator)
    assert (folded - trained).abs().max() <= allowed
    fuse_norms(answerer, DTYPES[compute])
    torch.testing.assert_close(read(answerer, collator), folded, rtol=0, atol=1e-6)


def test_weights_are_held_unpacked_where_memory_allows_and_the_card_says_so(tmp_path, monkeypatch):
    config = replace(QLORA, compute="fp32", checkpointing=False, weights=str(tmp_path / "base"))
    ensure_base(replace(config, weights=""), tmp_path / "base", OPERATIONS)
    answerer, _ = adapted(config, tmp_path, by=0.05)
    answerer.save(tmp_path / "best")
    (tmp_path / "best" / FACTS).write_text(json.dumps({"operations": OPERATIONS}))
    configs.write(config, tmp_path)
    roomy, asked = load(str(tmp_path), {}), load(str(tmp_path), {"hold": "4bit"})
    monkeypatch.setattr(predictor, "_free_bytes", lambda device: predictor.ASKING_BYTES)
    scarce = load(str(tmp_path), {})
    held = [model.card["run"]["options"]["hold"] for model in (roomy, asked, scarce)]
    assert held == ["fp16", "4bit", "4bit"]
    assert roomy.card["run"]["parameters"] == asked.card["run"]["parameters"]
    examples = [example(0), example(1)]
    assert [one.text for one in roomy.reply(examples)] == [one.text for one in asked.reply(examples)]
    configs.write(replace(config, quantise=False), tmp_path)
    with pytest.raises(UsageError, match=r"hold=fp16: .* was not trained on 4-bit weights"):
        load(str(tmp_path), {"hold": "fp16"})
