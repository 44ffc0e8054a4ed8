"""Table of the base models: shapes of the published models, and of their tiny twins for tests and CPUs.

A twin is a model of the same class and the same config keys with small numbers, so it runs the same code. The shapes
are those of the published config.json files (Qwen team); a test holds the parameter counts. The weights have licences
of their own: Qwen2.5-VL-3B comes under the Qwen Research License, which allows no commercial use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from reference.task import DEFAULT_SIZE

SPECIALS = {
    "<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<|vision_start|>": 151652,
    "<|vision_end|>": 151653, "<|image_pad|>": 151655, "<|video_pad|>": 151656,
}  # fmt: skip
"""Token -> its id in the published tokenizers."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Base:
    """A base model; `text` and `vision`, and those of the twin, are keyword arguments of its transformers config."""

    id: str
    kind: str  # prefix of the classes in transformers
    parameters: int
    text: dict[str, Any]
    vision: dict[str, Any]
    tiny_text: dict[str, Any]
    tiny_vision: dict[str, Any]
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    seconds_in_positions: bool = False  # positions scale with second_per_grid_ts
    size: int = DEFAULT_SIZE  # side of a frame in pixels, where a config names none
    pairs_apart: bool = False  # each pair of frames has a placeholder of its own, with its time as text

    def model_class(self) -> Any:
        """Return the class in transformers. Raises UsageError if the installed version lacks it."""
        import transformers

        name = f"{self.kind}ForConditionalGeneration"
        if not hasattr(transformers, name):
            raise UsageError(f"transformers {transformers.__version__} has no {name}: {self.id} needs a newer one")
        return getattr(transformers, name)

    def config(self, *, tiny: bool, width: int = 1, ids: dict[str, int] | None = None, **text: Any) -> Any:
        """Return the transformers config, with `ids` of the special tokens and further keys of the text part.

        `width`: the twin's states are so many times as wide, with as many times the heads.
        """
        ids = ids or SPECIALS
        return self.model_class().config_class(
            text_config=(_widened(self.tiny_text, width) if tiny else self.text) | text,
            vision_config=_widened(self.tiny_vision, width) if tiny else self.vision,
            tie_word_embeddings=True,
            image_token_id=ids["<|image_pad|>"],
            video_token_id=ids["<|video_pad|>"],
            vision_start_token_id=ids["<|vision_start|>"],
            vision_end_token_id=ids["<|vision_end|>"],
        )


def _rope(theta: float, *section: int, **more: Any) -> dict[str, Any]:
    """Return keys of rotary positions; `section`: of half a head's dimensions, those for time, height and width."""
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta, "mrope_section": list(section), **more}}


def _widened(shape: dict[str, Any], width: int) -> dict[str, Any]:
    """Return a shape whose states are `width` times as wide; a head's dimensions, which positions turn, stay."""
    return shape | {key: shape[key] * width for key in WIDTHS if key in shape}


WIDTHS = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "embed_dim",
    "num_heads",
    "out_hidden_size",
)
"""Keys of a shape that are sizes of its states, or numbers of its heads."""
QWEN_PATCHES = {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
TINY_TEXT = {
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, **_rope(10_000.0, 4, 6, 6),
}  # fmt: skip

BASES = {
    base.id: base
    for base in (
        Base(
            id="Qwen/Qwen2.5-VL-3B-Instruct",
            kind="Qwen2_5_VL",
            parameters=3_754_622_976,
            text={
                "vocab_size": 151_936,
                "hidden_size": 2048,
                "intermediate_size": 11_008,
                "num_hidden_layers": 36,
                "num_attention_heads": 16,
                "num_key_value_heads": 2,
                "max_position_embeddings": 128_000,
                **_rope(1e6, 16, 24, 24),
            },
            vision={
                "depth": 32,
                "hidden_size": 1280,
                "intermediate_size": 3420,
                "num_heads": 16,
                "out_hidden_size": 2048,
                "window_size": 112,
                "fullatt_block_indexes": [7, 15, 23, 31],
                "tokens_per_second": 2,
                **QWEN_PATCHES,
            },
            tiny_text=TINY_TEXT,
            tiny_vision={
                "depth": 2,
                "hidden_size": 64,
                "intermediate_size": 192,
                "num_heads": 4,
                "out_hidden_size": 128,
                "window_size": 56,
                "fullatt_block_indexes": [1],
                "tokens_per_second": 2,
                **QWEN_PATCHES,
            },
            seconds_in_positions=True,
        ),
        Base(
            id="Qwen/Qwen2-VL-2B-Instruct",
            kind="Qwen2VL",
            parameters=2_208_985_600,
            text={
                "vocab_size": 151_936,
                "hidden_size": 1536,
                "intermediate_size": 8960,
                "num_hidden_layers": 28,
                "num_attention_heads": 12,
                "num_key_value_heads": 2,
                "max_position_embeddings": 32_768,
                **_rope(1e6, 16, 24, 24),
            },
            vision={"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "num_heads": 16, "mlp_ratio": 4}
            | QWEN_PATCHES,
            tiny_text=TINY_TEXT,
            tiny_vision={"depth": 2, "embed_dim": 64, "hidden_size": 128, "num_heads": 4, "mlp_ratio": 3}
            | QWEN_PATCHES,
        ),
        Base(
            id="Qwen/Qwen3-VL-2B-Instruct",
            kind="Qwen3VL",
            parameters=2_127_532_032,
            text={
                "vocab_size": 151_936,
                "hidden_size": 2048,
                "intermediate_size": 6144,
                "num_hidden_layers": 28,
                "num_attention_heads": 16,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "max_position_embeddings": 262_144,
                **_rope(5e6, 24, 20, 20, mrope_interleaved=True),
            },
            vision={
                "depth": 24,
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_heads": 16,
                "out_hidden_size": 2048,
                "num_position_embeddings": 2304,
                "deepstack_visual_indexes": [5, 11, 17],
                **QWEN_PATCHES,
                "patch_size": 16,
            },
            tiny_text=TINY_TEXT | {"head_dim": 32} | _rope(10_000.0, 6, 5, 5, mrope_interleaved=True),
            tiny_vision={
                "depth": 2,
                "hidden_size": 64,
                "intermediate_size": 192,
                "num_heads": 4,
                "out_hidden_size": 128,
                "num_position_embeddings": 64,
                "deepstack_visual_indexes": [0],
                **QWEN_PATCHES,
                "patch_size": 16,
            },
            mean=HALF,
            std=HALF,
            size=352,
            pairs_apart=True,
        ),
    )
}


def find_base(name: str) -> Base:
    """Return a base model by its id. Raises UsageError if there is none."""
    if name not in BASES:
        raise UsageError(f"unknown base model {name!r}; there are {', '.join(BASES)}")
    return BASES[name]
