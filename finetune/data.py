"""Convert rendered clips to messages, and messages to tensors.

A clip's text is Qwen's chat form: system, one user turn with the placeholders of its frames and the question, the
answer. Only the answer and its end token carry labels. Padding is on the right in training and on the left in
generation; nothing is ever truncated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.base_models import Base, find_base
from finetune.config import Config
from finetune.patches import count_tokens, patch_grid, patchify, whole_pairs
from finetune.tokens import answer_text, special_ids
from harness.errors import UsageError
from harness.prediction.floors import Floors
from harness.prediction.replies import Reader
from reference.errors import RenderError
from reference.rendering.lists import TRUTH, read_description, truth_rows
from reference.task import CLIP_FRAMES, FPS, UNKNOWN
from reference.training.augment import Augmentation
from reference.training.datasets import Clips
from reference.training.hard_negatives import hard_negatives
from reference.truth.catalog import locate
from reference.truth.store import open_truth

SYSTEM = (
    "You watch short clips of a packing station and answer with one JSON object. Segments are counted in frames: "
    'frames 14-98 of 125 are {"start_frame": 14, "end_frame": 98}.'
)
NUMBERS = re.compile(r"\d+(\.5)? \(at \d+\.\d\d s\)(, |\.)")
END = "<|im_end|>"
IGNORED = -100
"""Label of tokens without a loss, as torch's cross entropy has it."""


class Target(NamedTuple):
    """Target answer of a clip: operation, segment [start, end) in frames, and up to three operations that follow it."""

    operation: str
    start: int
    end: int
    following: tuple[str, ...]

    @property
    def text(self) -> str:
        """Answer as the model is to generate it."""
        return answer_text(self.operation, self.start, self.end, self.following[0])


class Example(NamedTuple):
    """One clip as input of a model; `target` is None outside training."""

    clip_id: str
    frames: NDArray[np.uint8]  # [n, h, w, 3]
    indices: NDArray[Any]  # [n] frame numbers, halves between interpolated frames
    prompt: str
    target: Target | None = None


class ClipDataset:
    """Clips of a rendering with their truth, selected and augmented as a config says.

    `training=False` selects validation clips: never augmented, and `evaluate_clips` of them. Raises UsageError if the
    rendering does not fit the config or has no truth.
    """

    def __init__(self, folder: str | Path, config: Config, *, training: bool = True):
        folder = Path(folder)
        self.request = _read_request(folder, config)
        self.operations = world_operations(self.request["world"], self.request["split"])
        augmentation = _augmentation(config) if training else _interpolation(config)
        self.clips = Clips(folder, augment=augmentation, trusted=True, operations=self.operations)
        self.names = [row.clip_id for row in self.clips.rows]
        self.truth = _read_truth(folder, self.names)
        self.places = list(range(len(self.names)))
        if training and not config.randomised:
            self.places = [place for place in self.places if not self.truth[self.names[place]]["randomised"]]
        self.places = spread(self.places, config.clips if training else config.evaluate_clips)
        self.negatives = _negative_ids(config, self.names) if training and config.hard_negatives else None

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def reader(self) -> Reader:
        """Reader of answers about these clips; it keeps the floors of their split, and nothing of the truth."""
        with open_truth(self.request["world"], self.request["split"]) as truth:
            return Reader(Floors(truth))

    def example(self, number: int, epoch: int = 0) -> Example:
        """Return the selected clip of this number, augmented as in this epoch."""
        self.clips.epoch = epoch
        sample = self.clips[self.places[number]]
        return to_example(sample, self.truth[sample["clip_id"]])

    def order(self, seed: int, epoch: int) -> list[int]:
        """Return the numbers of an epoch's clips, shuffled by seed and epoch alone.

        With hard negatives each clip that has one is followed by it, and the epoch keeps its length.
        """
        shuffled = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(len(self)).tolist()
        if self.negatives is None:
            return shuffled
        numbers = {self.names[place]: number for number, place in enumerate(self.places)}
        paired: list[int] = []
        for number in shuffled:
            paired.append(number)
            negative = self.negatives.get(self.names[self.places[number]])
            if negative in numbers:
                paired.append(numbers[negative])
        return paired[: len(self)]


def check_apart(train: ClipDataset, validation: ClipDataset) -> None:
    """Raise UsageError where two splits share a session: the best model would be the one that knows it.

    A validation on the training split itself, which tells what is known by heart, is meant so.
    """
    if all(train.request[name] == validation.request[name] for name in ("world", "split")):
        return
    learned = {train.truth[name]["session"] for name in train.names}
    if shared := sorted(learned & {validation.truth[name]["session"] for name in validation.names}):
        raise UsageError(
            f"session {shared[0]} is in the renderings for training and for validation; take another split"
        )


def spread(places: list[int], count: int) -> list[int]:
    """Return `count` of the places at even distances; all of them if `count` is 0 or too large."""
    return places if not 0 < count < len(places) else [places[k * len(places) // count] for k in range(count)]


def to_example(sample: Mapping[str, Any], truth: Mapping[str, Any] | None = None) -> Example:
    """Convert a sample of reference.training.datasets.

    The segment is the sample's own, because augmentation may have shifted it; the following operations are the truth's.
    """
    target = None
    if truth is not None:
        segment = sample["truth"]["temporal_segment"]
        target = Target(
            operation=truth["dominant_operation"],
            start=segment["start_frame"],
            end=segment["end_frame"],
            following=tuple(truth["next_operations"]),
        )
    return Example(sample["clip_id"], sample["frames"], sample["indices"], sample["prompt"], target)


def _augmentation(config: Config) -> Augmentation | None:
    """Return the augmentation of training clips, if any."""
    if not config.augment:
        return _interpolation(config)
    # Blur's kernel spans five pixels, a large part of a small frame: one pass for each 168 pixels of the side.
    return Augmentation(interpolate=config.interpolate, seed=config.seed, blur=config.size // 168)


def _interpolation(config: Config) -> Augmentation | None:
    """Return what adds the blended frames and changes nothing else, if the config asks for them."""
    return Augmentation(0, 0, 0, 0, interpolate=True, shift=0) if config.interpolate else None


def _read_request(folder: Path, config: Config) -> dict[str, Any]:
    """Return the request that a rendering was made from. Raises UsageError if it does not fit the config."""
    try:
        request = read_description(folder)["request"]
    except RenderError as error:
        raise UsageError(f"{folder}: no rendering ({error}); harness world render makes one") from None
    for name in ("world", "size", "frames", "sampler"):
        if request[name] != getattr(config, name):
            raise UsageError(f"{folder}: rendered with {name} {request[name]}, the config says {getattr(config, name)}")
    return request


def world_operations(world: str, split: str) -> tuple[str, ...]:
    """Return the labels of a world in canonical order, Unknown included. Raises TruthError where its truth is away."""
    origin = locate(world)
    origin.need_answers()
    origin.check_split(split)
    return origin.operations()


def _read_truth(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of truth.jsonl by clip id. Raises UsageError where one of the named clips has none."""
    path = folder / TRUTH
    if not path.is_file():
        raise UsageError(f"{folder}: no {TRUTH} to train or evaluate with; render the split train or validation")
    usual: dict[str, Any] = {"randomised": None, "next_operations": []}
    rows = {row["clip_id"]: usual | row for row in truth_rows(folder)}
    if missing := next((name for name in names if name not in rows), None):
        raise UsageError(f"{path}: has no line for clip {missing}")
    return rows


def _negative_ids(config: Config, names: Sequence[str]) -> dict[str, str]:
    """Return clip id -> id of its hard negative."""
    process = locate(config.world).process
    if process is None:
        raise UsageError(f"hard_negatives: {config.world} was imported; only a world with a process can name them")
    negatives = hard_negatives(process)
    if not set(negatives) & set(names):
        raise UsageError(f"hard_negatives: {config.train} holds no clip of {config.world}'s training split")
    return {clip_id: negative.negative_id for clip_id, negative in negatives.items()}


@dataclass
class Collator:
    """Converter of examples to a batch of torch tensors for a base model."""

    config: Config
    tokenizer: Any
    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        self.base: Base = find_base(self.config.base)
        self.ids = special_ids(self.tokenizer)
        self.labels = [label for label in self.operations if label != UNKNOWN]

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return a training batch of b rows, padded on the right.

        Beside the model's inputs: `frames` [n, h, w, 3] of all clips, in bytes; `labels` [b, length], IGNORED outside
        the answer; `inside`, true on the tokens of the two operations; `weights` of the loss; `last` [b], position of
        the prompt's last token; `segment` [b, 2], start and last frame; `following` [b, 3], label numbers, IGNORED
        where unknown.
        """
        grids = self._grids(examples)
        prompts = self._encode_prompts(examples, grids)
        targets = [example.target for example in examples]
        if None in targets:
            raise ValueError("a training batch needs the target of every clip")
        answers = [self._encode_answer(target) for target in targets if target]
        rows = [prompt + ids for prompt, (ids, _) in zip(prompts, answers, strict=True)]
        batch = self._pad(rows, left=False) | self._grid_inputs(examples, grids)
        shown = [whole_pairs(example.frames, as_video=self.config.as_video) for example in examples]
        batch["frames"] = torch.from_numpy(np.concatenate(shown))
        batch["labels"], batch["inside"] = (
            torch.full_like(batch["input_ids"], IGNORED),
            torch.zeros_like(batch["input_ids"], dtype=torch.bool),
        )
        for row, prompt, (ids, inside) in zip(range(len(rows)), prompts, answers, strict=True):
            place = slice(len(prompt), len(prompt) + len(ids))
            batch["labels"][row, place], batch["inside"][row, place] = torch.tensor(ids), torch.tensor(inside)
        batch["weights"] = 1.0 + (self.config.label_weight - 1.0) * batch["inside"]
        batch["last"] = torch.tensor([len(prompt) - 1 for prompt in prompts])
        batch["segment"] = torch.tensor([[target.start, target.end - 1] for target in targets if target])
        batch["following"] = torch.tensor([self._following_numbers(target) for target in targets if target])
        return batch

    def prompt_batch(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return a batch for generation: prompts alone, padded on the left."""
        grids = self._grids(examples)
        clips = [patchify(example.frames, self.base, as_video=self.config.as_video) for example in examples]
        values = torch.from_numpy(np.concatenate([clip.values for clip in clips]))
        batch = self._pad(self._encode_prompts(examples, grids), left=True) | self._grid_inputs(examples, grids)
        return batch | {"pixel_values_videos" if self.config.as_video else "pixel_values": values}

    def answer_weight(self, examples: Sequence[Example]) -> float:
        """Return the sum of the answer tokens' weights, by which an update's loss is divided."""
        flags = [flag for example in examples if example.target for flag in self._encode_answer(example.target)[1]]
        return len(flags) + (self.config.label_weight - 1.0) * sum(flags)

    def question(self, example: Example, grid: Sequence[tuple[int, int, int]]) -> str:
        """Return the text before the answer."""
        body = self._placeholders(example, grid) + self._prompt_text(example)
        system = f"<|im_start|>system\n{SYSTEM}{END}\n" if self.config.prompt == "full" else ""
        return f"{system}<|im_start|>user\n{body}{END}\n<|im_start|>assistant\n"

    def _prompt_text(self, example: Example) -> str:
        numbers = " ".join(f"{index:g}" for index in example.indices.tolist())
        if self.config.prompt == "short":
            return f"frames {numbers} of {CLIP_FRAMES}" if self.config.frame_numbers else f"frames of {CLIP_FRAMES}"
        return example.prompt if self.config.frame_numbers else NUMBERS.sub("", example.prompt)

    def _placeholders(self, example: Example, grid: Sequence[tuple[int, int, int]]) -> str:
        """Return the placeholder tokens of the frames, with the pairs' times as text if the base reads them so."""
        kind = "<|video_pad|>" if self.config.as_video else "<|image_pad|>"
        if not (self.config.as_video and self.base.pairs_apart):
            return "".join(f"<|vision_start|>{kind * count_tokens(one, self.base)}<|vision_end|>" for one in grid)
        times, rows, columns = grid[0]
        # The time of a pair is the mean of its two frames; patchify doubles an odd last frame, so its time is its own.
        seconds = np.append(example.indices, example.indices[-1])[: 2 * times].reshape(times, 2).mean(axis=1) / FPS
        pads = kind * count_tokens((1, rows, columns), self.base)
        return "".join(f"<{second:.1f} seconds><|vision_start|>{pads}<|vision_end|>" for second in seconds)

    def _encode_answer(self, target: Target) -> tuple[list[int], list[bool]]:
        """Return the token ids of the answer and its end, and which of them lie inside the two labels."""
        coded = self.tokenizer(target.text, add_special_tokens=False, return_offsets_mapping=True)
        spans = label_spans(target.text).values()
        inside = [any(low < end and start < high for low, high in spans) for start, end in coded["offset_mapping"]]
        return [*coded["input_ids"], self.ids[END]], [*inside, False]

    def _following_numbers(self, target: Target) -> list[int]:
        numbers = [self.labels.index(label) if label in self.labels else IGNORED for label in target.following[:3]]
        return numbers + [IGNORED] * (3 - len(numbers))

    def _grids(self, examples: Sequence[Example]) -> list[list[tuple[int, int, int]]]:
        return [patch_grid(example.frames, self.base, as_video=self.config.as_video) for example in examples]

    def _encode_prompts(
        self, examples: Sequence[Example], grids: Sequence[Sequence[tuple[int, int, int]]]
    ) -> list[list[int]]:
        questions = [self.question(example, grid) for example, grid in zip(examples, grids, strict=True)]
        return [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in questions]

    def _pad(self, rows: Sequence[list[int]], *, left: bool) -> dict[str, Any]:
        """Return token ids, attention mask and token types [b, length]; UsageError if a row is too long to be read."""
        length, pad = max(map(len, rows)), self.ids["<|endoftext|>"]
        if length > (limit := self.tokenizer.model_max_length):
            raise UsageError(f"a clip takes {length:,} tokens of {limit:,} at most: take fewer or smaller frames")
        fill = [[pad] * (length - len(row)) for row in rows]
        ids = torch.tensor([gap + row if left else row + gap for row, gap in zip(rows, fill, strict=True)])
        mask = torch.tensor(
            [
                [0] * len(gap) + [1] * len(row) if left else [1] * len(row) + [0] * len(gap)
                for row, gap in zip(rows, fill, strict=True)
            ]
        )
        # 0 text, 1 image, 2 video. Without token types transformers falls back silently to one-dimensional positions.
        kinds = (ids == self.ids["<|image_pad|>"]) + 2 * (ids == self.ids["<|video_pad|>"])
        return {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": kinds.int()}

    def _grid_inputs(
        self, examples: Sequence[Example], grids: Sequence[Sequence[tuple[int, int, int]]]
    ) -> dict[str, torch.Tensor]:
        """Return the grids of all clips' patches, and the seconds between pairs."""
        grid = torch.tensor([one for each in grids for one in each])
        if not self.config.as_video:
            return {"image_grid_thw": grid}
        batch = {"video_grid_thw": grid}
        if self.base.seconds_in_positions:
            batch["second_per_grid_ts"] = torch.tensor([_pair_seconds(example.indices) for example in examples])
        return batch


def _pair_seconds(indices: NDArray[Any]) -> float:
    """Return the mean seconds between temporal patches, pairs of frames; 1 for a single frame."""
    # M-RoPE multiplies a patch's number by this and by tokens_per_second to get its temporal position. The stock
    # processor would derive it from 24 frames a second; these clips have 25, and only every n-th frame is sampled.
    return float(2 * (indices[-1] - indices[0]) / max(1, len(indices) - 1) / FPS) or 1.0


LABEL = re.compile(r'"(dominant|next)_operation": "([^"]*)"')


def label_spans(text: str) -> dict[str, tuple[int, int]]:
    """Return the positions of an answer's labels: "dominant", "next" -> [start, end) in characters."""
    return {match[1]: match.span(2) for match in LABEL.finditer(text)}
