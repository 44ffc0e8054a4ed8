"""Model: a base with adapters or all weights to train, and small heads; how it is loaded, run, saved.

Precision on the T4 (fp16, no bf16): frozen matrices in fp16 or nf4; norms, adapters and heads in fp32. fp16 overflows
in this family: the residual stream is fp32, and so are the last MLPs of the vision tower, whose output passes 65,504 in
the 3B (vLLM's pull request 13968 clamps it there). `prepare_model_for_kbit_training` is not used: it would raise the
embedding and the whole vision tower to fp32, 1.8 GiB.

The loss needs logits on the answer's tokens only: hidden states come from the inner model, and `lm_head` is applied at
those positions. Full logits of a 152k vocabulary would not fit beside the rest. A frozen vision tower runs under
no_grad.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from finetune.base_models import find_base
from finetune.config import Config
from finetune.data import IGNORED, SYSTEM
from finetune.layers.attention import set_attention
from finetune.layers.geometry import lay_out, tower_geometry
from finetune.layers.projections import Adapters
from finetune.layers.vision_cache import Writer
from finetune.patches import patch_values
from finetune.tokens import load_tokenizer, special_ids, train_tokenizer
from harness.errors import UsageError
from reference.outside_files import read_object
from reference.rendering.prompt import task_prompt
from reference.task import CLIP_FRAMES, UNKNOWN

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
LORA_LAYERS = r"(.*\.)?model\.language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
"""Pattern of the language model's linear layers; a list of their last names would match the vision tower too."""
UNQUANTISED = ["lm_head", "model.visual"]
"""Without lm_head the tied embedding would be quantised; "visual" alone matches nothing."""
WIDE_BLOCKS = 2
"""Blocks at the end of the vision tower whose MLPs compute in fp32 when everything else is fp16."""
PIXELS = ("pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw")
INPUTS = ("input_ids", "attention_mask", "mm_token_type_ids", "second_per_grid_ts", *PIXELS)
ADAPTER, MODEL, HEADS, FACTS = "adapter", "model.safetensors", "heads.safetensors", "trained.json"


class Losses(NamedTuple):
    """Losses summed over a batch, on its device: `total` is weighted and minimised, the others are unweighted."""

    total: torch.Tensor
    plain: torch.Tensor  # cross entropy of all answer tokens
    labels: torch.Tensor  # of those inside the two labels
    label_tokens: torch.Tensor
    tokens: int
    clips: int


class Seen(NamedTuple):
    """Output of the vision tower for a batch: `features` [tokens, hidden]; `deep`, likewise, of Qwen3-VL's layers."""

    features: torch.Tensor
    deep: tuple[torch.Tensor, ...] = ()


class Answerer(nn.Module):
    """Model that answers questions about clips.

    `backbone` is the conditional generation model, with or without PEFT around it; `heads` are in fp32, possibly none.
    """

    def __init__(self, backbone: nn.Module, config: Config, labels: int):
        super().__init__()
        self.backbone, self.config, self.base = backbone, config, find_base(config.base)
        hidden = backbone.config.text_config.hidden_size
        self.heads = nn.ModuleDict()
        if config.temporal_head:
            self.heads["segment"] = nn.Linear(hidden, 2 * CLIP_FRAMES)
        if config.steps_head:
            self.heads["following"] = nn.Linear(hidden, 3 * labels)
        for head in self.heads.values():
            nn.init.zeros_(head.bias)
            nn.init.normal_(head.weight, std=0.02)
        self.frozen_vision = config.adapter == "lora"
        self._geometries: dict[Any, dict[str, Any]] = {}
        self.writer: Writer | None = None
        self.adapters: Adapters | None = None
        if config.adapter == "lora" and not config.plain:
            self.adapters = Adapters(backbone, DTYPES[config.compute], config.dropout)

    @property
    def inner(self) -> Any:
        """The conditional generation model without PEFT."""
        return inner_model(self.backbone)

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device

    def trainable(self) -> dict[str, nn.Parameter]:
        """Return name -> parameter of everything that is trained."""
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return the context in which the backbone runs in the config's compute type."""
        if self.config.compute == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, DTYPES[self.config.compute])

    def states(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Return the last hidden states [b, length, hidden]."""
        if self._without_waiting(batch):
            return self._read(self.laid_out(batch), use_cache=False).last_hidden_state
        return self.read(batch).last_hidden_state

    def read(self, batch: Mapping[str, Any], *, use_cache: bool = False) -> Any:
        """Return the inner model's output for a batch, on whichever side its rows are padded."""
        if self.config.plain or "mm_token_type_ids" not in batch:
            return self._read_plainly(batch, use_cache=use_cache)
        mask = batch["attention_mask"].to(self.device)
        return self._read(self.laid_out(batch), attention_mask=mask, use_cache=use_cache)

    def _read_plainly(self, batch: Mapping[str, Any], *, use_cache: bool) -> Any:
        """Return the output for a batch as transformers computes it; the batch may hold `vision`."""
        inputs = {name: batch[name].to(self.device) for name in INPUTS if name in batch}
        if "frames" in batch and "vision" not in batch:
            inputs["pixel_values_videos" if self.config.as_video else "pixel_values"] = self._pixels(batch)
        if self.frozen_vision:
            # Gradient checkpointing makes inputs require gradients, the frozen tower's too. The tower therefore runs
            # apart: otherwise it would be recomputed and differentiated for nothing.
            inputs["mm_encoder_outputs"] = batch["vision"] if "vision" in batch else self.vision_features(inputs)
            inputs.pop("pixel_values_videos", inputs.pop("pixel_values", None))
        return self.inner.model(**inputs, use_cache=use_cache)

    @torch.no_grad()
    def vision_features(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return the vision tower's output for a batch, by kind: video or image."""
        model = self.inner.model
        if "pixel_values_videos" in inputs:
            grids = inputs["pixel_values_videos"], inputs["video_grid_thw"]
            return {"video": model.get_video_features(*grids, return_dict=True)}
        return {"image": model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"], return_dict=True)}

    def _without_waiting(self, batch: Mapping[str, Any]) -> bool:
        """Return True for a batch whose pass needs no number from the device: known tokens, padded on the right."""
        return not self.config.plain and "mm_token_type_ids" in batch and bool(batch["attention_mask"][:, 0].all())

    def _read(self, batch: Mapping[str, Any], **options: Any) -> Any:
        """Return the output for a batch as transformers computes it, with all that is known on the host given."""
        model = self.inner.model
        embedded = model.get_input_embeddings()(batch["input_ids"])
        seen = batch["seen"] if "seen" in batch else self.see(batch)
        flat = embedded.flatten(0, 1).index_copy(0, batch["places"], seen.features.to(embedded.dtype))
        deep = {"visual_pos_masks": batch["places"], "deepstack_visual_embeds": seen.deep} if seen.deep else {}
        return model.language_model(
            inputs_embeds=flat.unflatten(0, embedded.shape[:2]),
            position_ids=batch["positions"],
            **deep,
            **options,
        )

    def seen(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a batch may hold in place of its frames: the output of a frozen vision tower."""
        if not self.config.plain:
            return {"seen": self.see(batch)}
        grid = "video_grid_thw" if "video_grid_thw" in batch else "image_grid_thw"
        inputs = {"pixel_values_videos" if "video" in grid else "pixel_values": self._pixels(batch), grid: batch[grid]}
        outputs = self.vision_features(inputs)
        for output in outputs.values():
            output.last_hidden_state = None  # the states before the merger, which nothing reads
        return {"vision": outputs}

    def see(self, batch: Mapping[str, Any]) -> Seen:
        """Return the vision tower's output for a batch, without gradients if the tower is frozen.

        A batch may hold kept `features` in place of its frames; what is computed for the others is kept.
        """
        if "features" in batch:
            return self._split(batch["features"])
        seen = self._see(batch)
        if self.writer is None or "digests" not in batch:
            return seen
        joined = torch.cat([seen.features, *seen.deep], dim=-1)
        kept = joined.half()
        self.writer.write(batch["digests"], kept, len(kept) // len(batch["digests"]))
        # Kept or computed, a clip is the same: numbers that fp16 holds are rounded to it, larger ones keep no clip.
        return self._split(torch.where(kept.isfinite(), kept.to(joined.dtype), joined))

    def _split(self, joined: torch.Tensor) -> Seen:
        """Return features [tokens, width], in which deep ones stand behind the others, as the tower's output."""
        features, *deep = joined.split(self.inner.config.text_config.hidden_size, dim=-1)
        return Seen(features, tuple(deep))

    def _see(self, batch: Mapping[str, Any]) -> Seen:
        visual = self.inner.model.visual
        grid = batch["video_grid_thw" if "video_grid_thw" in batch else "image_grid_thw"].cpu()
        key = (grid.numpy().tobytes(), self.device)
        if key not in self._geometries:
            self._geometries = {key: tower_geometry(visual, grid, self.device)}
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_vision):
            output = visual(self._pixels(batch).to(visual.dtype), grid_thw=grid, **self._geometries[key])
        return Seen(output.pooler_output, tuple(getattr(output, "deepstack_features", ())))

    def _pixels(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the patches of a batch: its own, or those of its frames."""
        if "frames" in batch:
            return patch_values(batch["frames"], self.base, as_video=self.config.as_video)
        return batch["pixel_values_videos" if "pixel_values_videos" in batch else "pixel_values"]

    def forward(self, batch: Mapping[str, Any], clips_weight: float = 1.0) -> Losses:
        """Return the losses of a batch.

        `clips_weight` is the weight of a clip's head losses in units of an answer token's weight: a caller that divides
        the total by the update's answer weight gets the mean over tokens plus the mean over clips.
        """
        batch = self.laid_out(batch)
        if self.adapters and self.training:
            self.adapters.begin_pass(batch.get("seeds", range(len(batch["input_ids"]))), batch["input_ids"].shape[1])
        with self.autocast():
            states = self.states(batch)
            answers = states.flatten(0, 1).index_select(0, batch["answered"])
            logits = self.inner.lm_head(answers.to(self.inner.lm_head.weight.dtype))
        each = functional.cross_entropy(logits.float(), batch["targets"], reduction="none")
        answer = (each * batch["target_weights"]).sum()
        plain, inside = each.detach(), batch["target_inside"].float()
        return Losses(
            total=answer + clips_weight * self._head_losses(states, batch),
            plain=plain.sum(),
            labels=(plain * inside).sum(),
            label_tokens=inside.sum(),
            tokens=len(each),
            clips=len(states),
        )

    def laid_out(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a batch with what is known of it on the host, on the model's device; see layers.geometry."""
        if "answered" in batch or "positions" in batch:
            return dict(batch)
        found = lay_out(batch, self.base, self.inner.config)
        return {**batch, **{name: value.to(self.device) for name, value in found.items()}}

    def _head_losses(self, states: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the heads' cross entropies, each the mean of its 2 or 3 answers, summed over the clips."""
        total = states.new_zeros((), dtype=torch.float32)
        for name, weight in (("segment", self.config.temporal_head), ("following", self.config.steps_head)):
            if name in self.heads:
                target = batch[name]
                scores = self.head(name, states, batch["last"])
                flat = functional.cross_entropy(
                    scores.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="sum"
                )
                total = total + weight * flat / target.shape[1]
        return total

    def head(self, name: str, states: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Return scores of start and last frame [b, 2, 125], or of the next operations [b, 3, labels]; in fp32."""
        chosen = states[torch.arange(len(states), device=states.device), last].float()
        with torch.autocast(self.device.type, enabled=False):
            return self.heads[name](chosen).unflatten(-1, (2 if name == "segment" else 3, -1))

    def save(self, folder: Path) -> None:
        """Write the adapter in PEFT's form, or all weights, and the heads beside them, as safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.config.adapter == "lora":
            self.backbone.save_pretrained(folder / ADAPTER)
        else:
            state = {name: value for name, value in self.inner.state_dict().items() if name != "lm_head.weight"}
            save_file({name: value.contiguous() for name, value in state.items()}, folder / MODEL)
        if self.heads:
            save_file(self.heads.state_dict(), folder / HEADS)

    def restore(self, folder: Path) -> None:
        """Load what `save` wrote. Raises UsageError if the folder holds nothing that fits this model."""
        if not (folder / (ADAPTER if self.config.adapter == "lora" else MODEL)).exists():
            raise UsageError(f"{folder}: holds no trained {'adapter' if self.config.adapter == 'lora' else 'weights'}")
        if self.config.adapter == "lora":
            from peft import load_peft_weights, set_peft_model_state_dict

            set_peft_model_state_dict(self.backbone, load_peft_weights(str(folder / ADAPTER), device="cpu"))
        else:
            found = self.inner.load_state_dict(load_file(folder / MODEL), strict=False)
            if found.unexpected_keys or set(found.missing_keys) - {"lm_head.weight"}:
                raise UsageError(f"{folder}: weights of another model")
        if self.heads and (folder / HEADS).is_file():
            self.heads.load_state_dict(load_file(folder / HEADS))


def inner_model(backbone: Any) -> Any:
    """Return the model without PEFT around it."""
    return backbone.get_base_model() if hasattr(backbone, "get_base_model") else backbone


def ensure_base(config: Config, folder: Path, operations: Sequence[str]) -> Path:
    """Return the folder of the base's weights and tokenizer: the config's, or `folder` with random ones, made once."""
    if config.weights:
        return Path(config.weights)
    if not (folder / "config.json").is_file():
        scratch = folder.with_name(f".{folder.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        random_model(config, tiny_tokenizer(config, scratch, operations)).save_pretrained(scratch)
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    return folder


def tiny_tokenizer(config: Config, folder: Path, operations: Sequence[str]) -> Any:
    """Train the tiny tokenizer on this task's prompts and save it in `folder`."""
    labels = [label for label in operations if label != UNKNOWN]
    indices = [round(k * 124 / max(1, config.frames - 1)) for k in range(config.frames)]
    prompts = [task_prompt(labels, indices), SYSTEM, f"frames {' '.join(map(str, indices))} of {CLIP_FRAMES}"]
    return train_tokenizer(folder, labels, prompts)


def random_model(config: Config, tokenizer: Any) -> Any:
    """Return the base's twin with weights drawn from the seed."""
    shape = tiny_shape(config, tokenizer)
    torch.manual_seed(config.seed)
    return find_base(config.base).model_class()(shape).float()


def tiny_shape(config: Config, tokenizer: Any) -> Any:
    """Return the transformers config of the base's twin."""
    ids = special_ids(tokenizer)
    shape = find_base(config.base).config(
        tiny=True,
        width=config.width,
        ids=ids,
        vocab_size=len(tokenizer),
        initializer_range=config.init_std,
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|im_end|>"],
        bos_token_id=None,
    )
    shape.vision_config.initializer_range = config.init_std
    return shape


def load_model(
    config: Config, base: Path, operations: Sequence[str], device: str | torch.device
) -> tuple[Answerer, Any]:
    """Load a base and its tokenizer; return the model ready to train, and the tokenizer."""
    tokenizer = load_tokenizer(base)
    backbone = _load_backbone(config, base, device)
    backbone.generation_config = _greedy_settings(special_ids(tokenizer))
    labels = sum(label != UNKNOWN for label in operations)
    return prepare(config, backbone, labels).to(device), tokenizer


def _greedy_settings(ids: dict[str, int]) -> Any:
    """Return settings of greedy generation, in place of the base's own."""
    # Qwen's own contain a penalty on repetition, which would fall on the tokens of JSON.
    from transformers import GenerationConfig

    return GenerationConfig(do_sample=False, eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"])


def prepare(config: Config, backbone: Any, labels: int) -> Answerer:
    """Return a base model ready to train: frozen and with adapters (or whole), in the right precisions, with heads."""
    set_attention(backbone, plain=config.plain)
    if not config.plain:
        _compute_without_waiting(backbone)
    if config.adapter == "lora":
        backbone = _add_adapters(config, backbone)
    if config.compute != "fp32":
        _keep_residuals_fp32(backbone)
    if config.compute == "fp16":
        _run_last_vision_mlps_fp32(backbone)
    if config.checkpointing:
        backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    torch.manual_seed(config.seed)
    return Answerer(backbone, config, labels)


def _compute_without_waiting(backbone: Any) -> None:
    """Replace two steps of a base: patches are embedded by a product, and deep features added at given places."""
    embedding = backbone.model.visual.patch_embed

    def embed(patches: torch.Tensor) -> torch.Tensor:
        # The convolution's stride is its size, so it is this product, which is several times faster on a CPU.
        weight = embedding.proj.weight
        return functional.linear(patches.to(weight.dtype), weight.flatten(1), embedding.proj.bias)

    embedding.forward = embed
    backbone.model.language_model._deepstack_process = _add_at_places


def _add_at_places(states: torch.Tensor, places: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Return states [b, length, hidden] with features [n, hidden] added at places [n], or at those of a mask."""
    if places.dtype == torch.bool:
        places = places.flatten().nonzero().flatten()
    flat = states.flatten(0, 1).index_add(0, places, features.to(states.dtype))
    return flat.unflatten(0, states.shape[:2])


def _load_backbone(config: Config, base: Path, device: str | torch.device) -> Any:
    """Load a base model onto a device. Raises UsageError if the folder holds no weights of it."""
    import transformers
    from transformers import BitsAndBytesConfig

    dtype = DTYPES[config.compute]
    options: dict[str, Any] = {"dtype": dtype if config.adapter == "lora" else torch.float32}
    if config.quantise:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=UNQUANTISED,
        )
    transformers.utils.logging.disable_progress_bar()  # one second of work; its lines would fill a log
    model_class = find_base(config.base).model_class()
    try:
        backbone = model_class.from_pretrained(base, device_map={"": device}, attn_implementation="sdpa", **options)
    except OSError as error:
        raise UsageError(f"{base}: no weights of {config.base} ({_why_unloaded(base, error)})") from None
    for module in backbone.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # otherwise a CPU repacks nf4 weights at the first inference, and cannot train them afterwards
            module.support_avx512bf16_for_cpu = False
    return backbone


def _why_unloaded(base: Path, error: OSError) -> str:
    """Return why weights were not loaded: safetensors calls a file missing that this user may not read."""
    closed = [path.name for path in base.glob("*.safetensors") if not os.access(path, os.R_OK)]
    return f"this user may not read {closed[0]}" if closed else str(error).splitlines()[0]


def _add_adapters(config: Config, backbone: Any) -> Any:
    """Freeze a model, raise its norms and biases to fp32, and add LoRA matrices in fp32."""
    from peft import LoraConfig, get_peft_model

    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
        if parameter.ndim == 1:
            parameter.data = parameter.data.float()
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=LORA_LAYERS,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(config.seed)
    model = get_peft_model(backbone, lora)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def _keep_residuals_fp32(backbone: Any) -> None:
    """Convert the input of both stacks of layers to fp32, so that the residual sums over layers are fp32 too."""
    model = inner_model(backbone).model
    for entry in (model.language_model.embed_tokens, model.visual.patch_embed):
        entry.register_forward_hook(lambda module, inputs, output: output.float())


def _run_last_vision_mlps_fp32(backbone: Any) -> None:
    """Run the MLPs of the last vision blocks in fp32, where activations exceed the range of fp16."""
    for block in inner_model(backbone).model.visual.blocks[-WIDE_BLOCKS:]:
        block.mlp.float()
        block.mlp.forward = _without_autocast(block.mlp.forward)


def _without_autocast(forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def in_fp32(states: torch.Tensor) -> torch.Tensor:
        with torch.autocast(states.device.type, enabled=False):
            return forward(states.float())

    return in_fp32


def read_operations(folder: Path) -> tuple[str, ...]:
    """Return the labels that the model in a folder was trained with."""
    return tuple(read_object(folder / FACTS, UsageError)["operations"])
