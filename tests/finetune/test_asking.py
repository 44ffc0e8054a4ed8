"""Asking under a grammar: the answers of decoding step by step, in as many calls as there are choices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from finetune.base_models import BASES
from finetune.data import Collator
from finetune.generate import answer_grammar, constrained_answers
from finetune.model import Answerer, load_model, random_model, tiny_tokenizer
from reference.task import OPERATIONS
from tests.support import step_by_step
from tests.support.finetune_material import TWIN, example, words_tokenizer

MOST_CALLS = 12
MODELS = [*((base, tiny_tokenizer) for base in BASES), (TWIN.base, words_tokenizer)]


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: f"{model[0]}-{model[1].__name__}")
def model(request, tmp_path_factory):
    """Random twin of a base with a tokenizer: labels are one token each, or several as in Qwen's."""
    (name, tokenizer), folder = request.param, tmp_path_factory.mktemp("base")
    config = replace(TWIN, base=name, size=64 if "Qwen3" in name else 84, weights=str(folder))
    random_model(config, tokenizer(config, folder, OPERATIONS)).save_pretrained(folder)
    answerer, loaded = load_model(config, folder, OPERATIONS, "cpu")
    return answerer.eval(), Collator(config, loaded, OPERATIONS)


@contextmanager
def counted(answerer: Answerer) -> Iterator[list[int]]:
    """Yield a list to which every call of the language model adds the number of tokens that it read in a row."""
    calls: list[int] = []
    hook = answerer.inner.model.language_model.register_forward_hook(
        lambda module, inputs, output: calls.append(output.last_hidden_state.shape[1])
    )
    yield calls
    hook.remove()


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
