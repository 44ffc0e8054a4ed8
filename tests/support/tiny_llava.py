"""A small random model of LLaVA's shape in a folder that `transformers serve` reads: its cache of models.

The weights are random, but for two directions of the text model's width that are the writer's own: the position after
the prompt leads to one of a few whole answers, each a single token, and an answer leads to the end. Which answer it is
the random rest decides, which sees the pictures. Without `answers` it is random altogether and never ends by itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAME = "tiny/llava"
REVISION = "0" * 40
WIDTH, SIDE, PATCH = 64, 56, 14
IMAGE, END, PAD, START = "<image>", "<end>", "<pad>", "<answer>"
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}<answer>{% endif %}"
)
LOUD = 8.0
"""Size of what is set by hand, against random weights of 1 at most."""


def build(home: Path, answers: Sequence[str] = (), *, seed: int = 0) -> dict[str, str]:
    """Write the model as NAME into a cache below `home`; return the environment that finds it there, and nothing else.

    `answers`: the texts that it can say.
    """
    import torch
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaProcessor
    from transformers import LlavaForConditionalGeneration as Llava

    repository = home / "hub" / f"models--{NAME.replace('/', '--')}"
    folder = repository / "snapshots" / REVISION
    tokenizer = _tokenizer(answers)
    ids = tokenizer.get_vocab()
    torch.manual_seed(seed)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 2 * WIDTH, "hidden_size": WIDTH}
    text = LlamaConfig(
        vocab_size=len(ids),
        max_position_embeddings=32_768,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=ids[END],
        pad_token_id=ids[PAD],
        **layers,
    )
    vision = CLIPVisionConfig(image_size=SIDE, patch_size=PATCH, initializer_range=0.2, **layers)
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=ids[IMAGE],
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    model = Llava(config).eval()
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = ids[END], ids[PAD]
    if answers:
        _lead(model, ids, answers)
    images = CLIPImageProcessorPil(size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    return kept | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def _tokenizer(answers: Sequence[str]) -> Any:
    """Return a tokenizer of bytes, with each answer as a token of its own."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens([IMAGE, END, PAD, START])
    bpe.add_tokens([AddedToken(answer, normalized=False) for answer in answers])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False, model_max_length=32_768
    )


def _lead(model: Any, ids: dict[str, int], answers: Sequence[str]) -> None:
    """Lead the position after the prompt to the answers, and the answers to the end."""
    import torch

    said = [ids[answer] for answer in answers]
    words, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        words /= LOUD  # pictures count for more than the letters of the prompt, of which there are ten times as many
        words[:, :2], head[:, :2] = 0, 0
        words[ids[START], 0], words[said, 1] = LOUD, 4 * LOUD
        head[said, 0], head[ids[END], :2] = LOUD, torch.tensor([-LOUD, LOUD])
