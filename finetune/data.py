"""Rendered clips -> messages -> tensors.

A clip's text is Qwen's chat form: system, one user turn with the placeholders of its frames and the question, the
answer. Labels stand on the answer and its end token, nowhere else. Padding is on the right in training, on the left in
generation; nothing is ever cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finetune.base_models import Base, find_base
from finetune.config import Config
from finetune.patches import Patches, patches, tokens_of
from finetune.tokens import answer_text, special_ids
from harness.errors import UsageError
from reference.task import CLIP_FRAMES, FPS, UNKNOWN
from reference.training.augment import Augmentation
from reference.training.datasets import Clips

SYSTEM = (
    "You watch short clips of a packing station and answer with one JSON object. Segments are counted in frames: "
    'frames 14-98 of 125 are {"start_frame": 14, "end_frame": 98}.'
)
NUMBERS = re.compile(r"\d+(\.5)? \(at \d+\.\d\d s\)(, |\.)")
END = "<|im_end|>"
IGNORED = -100


class Lesson(NamedTuple):
    """What is learned from a clip: the answer, and up to three operations that follow its segment."""

    operation: str
    start: int
    end: int
    following: tuple[str, ...]

    @property
    def text(self) -> str:
        return answer_text(self.operation, self.start, self.end, self.following[0])


class Example(NamedTuple):
    """One clip as a model gets it. `frames` uint8 [n, h, w, 3]; `indices` [n]; `lesson` is None where it is asked."""

    clip_id: str
    frames: NDArray[np.uint8]
    indices: NDArray[Any]
    prompt: str
    lesson: Lesson | None = None


class Training:
    """The clips of a rendering with their truth, chosen and augmented as a config says."""

    def __init__(self, folder: str | Path, config: Config, *, learning: bool = True):
        folder = Path(folder)
        self.request = _request(folder, config)
        self.operations = operations_of(self.request["world"], self.request["split"])
        self.clips = Clips(folder, augment=_augmented(config) if learning else _still(config), trusted=True)
        self.truth = _truth(folder)
        self.names = [json.loads(line)["clip_id"] for line in (folder / "clips.jsonl").open(encoding="utf-8")]
        self.places = list(range(len(self.names)))
        if learning and not config.randomised:
            self.places = [place for place in self.places if not self.truth[self.names[place]]["randomised"]]
        self.places = spread(self.places, config.clips if learning else config.evaluate_clips)
        self.negatives = _negatives(config, self.names) if learning and config.hard_negatives else None

    def __len__(self) -> int:
        return len(self.places)

    def example(self, number: int, epoch: int = 0) -> Example:
        place = self.places[number]
        self.clips.epoch = epoch
        sample = self.clips[place]
        return example_of(sample, self.truth[sample["clip_id"]])

    def order(self, seed: int, epoch: int) -> list[int]:
        """The numbers of an epoch's clips: a shuffle that depends on nothing else.

        With hard negatives each clip that has one is followed by it, and the epoch is as long as without.
        """
        shuffled = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(len(self)).tolist()
        if self.negatives is None:
            return shuffled
        number = {self.names[place]: at for at, place in enumerate(self.places)}
        paired: list[int] = []
        for at in shuffled:
            paired.append(at)
            other = self.negatives.get(self.names[self.places[at]])
            if other in number:
                paired.append(number[other])
        return paired[: len(self)]


def spread(places: list[int], count: int) -> list[int]:
    """`count` of them, evenly; all where 0 or more than there are."""
    return places if not 0 < count < len(places) else [places[k * len(places) // count] for k in range(count)]


def example_of(sample: Mapping[str, Any], truth: Mapping[str, Any] | None = None) -> Example:
    """From a sample of reference.training.datasets. Its own segment, which augmentation may have moved, comes first."""
    lesson = None
    if truth is not None:
        segment = sample["truth"]["temporal_segment"]
        lesson = Lesson(
            truth["dominant_operation"], segment["start_frame"], segment["end_frame"], tuple(truth["next_operations"])
        )
    return Example(sample["clip_id"], sample["frames"], sample["indices"], sample["prompt"], lesson)


def _augmented(config: Config) -> Augmentation | None:
    """A pass of blur for each 168 pixels of the side: a kernel of five pixels is a large part of a small frame."""
    if not config.augment:
        return _still(config)
    return Augmentation(interpolate=config.interpolate, seed=config.seed, blur=config.size // 168)


def _still(config: Config) -> Augmentation | None:
    return Augmentation(0, 0, 0, 0, interpolate=True, shift=0) if config.interpolate else None


def _request(folder: Path, config: Config) -> dict[str, Any]:
    """What was asked of the renderer, as far as it fits the config."""
    try:
        asked = json.loads((folder / "render.json").read_text(encoding="utf-8"))["request"]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder}: no rendering ({error!r}); harness world render makes one") from None
    for name in ("world", "size", "frames", "sampler"):
        if asked[name] != getattr(config, name):
            raise UsageError(f"{folder}: rendered with {name} {asked[name]}, the config says {getattr(config, name)}")
    return asked


def operations_of(world: str, split: str) -> tuple[str, ...]:
    """The labels of a world in canonical order, Unknown among them."""
    from reference.truth.store import open_truth

    with open_truth(world, split) as truth:
        return truth.operations


def _truth(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "truth.jsonl"
    if not path.is_file():
        raise UsageError(f"{folder}: no truth.jsonl, so nothing can be learned there (train and validation have one)")
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["clip_id"]: row for row in rows}


def _negatives(config: Config, names: Sequence[str]) -> dict[str, str]:
    from reference.process.world import load_world
    from reference.training.hard_negatives import hard_negatives

    found = hard_negatives(load_world(config.world))
    if not set(found) & set(names):
        raise UsageError(f"hard_negatives: {config.train} holds no clip of {config.world}'s training split")
    return {clip_id: negative.negative_id for clip_id, negative in found.items()}


@dataclass
class Collator:
    """Examples -> a batch of torch tensors for a base model."""

    config: Config
    tokenizer: Any
    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        self.base: Base = find_base(self.config.base)
        self.ids = special_ids(self.tokenizer)
        self.labels = [label for label in self.operations if label != UNKNOWN]

    def question(self, example: Example, grid: Sequence[tuple[int, int, int]]) -> str:
        """All that stands before the answer."""
        body = self._pictures(example, grid) + self._asked(example)
        system = f"<|im_start|>system\n{SYSTEM}{END}\n" if self.config.prompt == "full" else ""
        return f"{system}<|im_start|>user\n{body}{END}\n<|im_start|>assistant\n"

    def _asked(self, example: Example) -> str:
        numbers = " ".join(f"{index:g}" for index in example.indices.tolist())
        if self.config.prompt == "short":
            return f"frames {numbers} of {CLIP_FRAMES}" if self.config.frame_numbers else f"frames of {CLIP_FRAMES}"
        return example.prompt if self.config.frame_numbers else NUMBERS.sub("", example.prompt)

    def _pictures(self, example: Example, grid: Sequence[tuple[int, int, int]]) -> str:
        kind = "<|video_pad|>" if self.config.as_video else "<|image_pad|>"
        if not (self.config.as_video and self.base.pairs_apart):
            return "".join(f"<|vision_start|>{kind * tokens_of(one, self.base)}<|vision_end|>" for one in grid)
        times, rows, columns = grid[0]
        seconds = np.append(example.indices, example.indices[-1])[: 2 * times].reshape(times, 2).mean(axis=1) / FPS
        pads = kind * tokens_of((1, rows, columns), self.base)
        return "".join(f"<{second:.1f} seconds><|vision_start|>{pads}<|vision_end|>" for second in seconds)

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """For training: with `labels` (IGNORED but on the answer), `inside` (the two operations' tokens), `weights`,
        `last` (place of the prompt's last token), `segment` [b, 2] and `following` [b, 3] (IGNORED where unknown)."""
        shown = [patches(example.frames, self.base, as_video=self.config.as_video) for example in examples]
        prompts = self._prompts(examples, shown)
        lessons = [example.lesson for example in examples]
        if None in lessons:
            raise ValueError("a clip without its answer cannot be learned from")
        answers = [self._answer(lesson) for lesson in lessons if lesson]
        rows = [prompt + ids for prompt, (ids, _) in zip(prompts, answers, strict=True)]
        batch = self._padded(rows, left=False) | self._vision(examples, shown)
        import torch

        batch["labels"], batch["inside"] = (
            torch.full_like(batch["input_ids"], IGNORED),
            torch.zeros_like(batch["input_ids"], dtype=torch.bool),
        )
        for row, prompt, (ids, inside) in zip(range(len(rows)), prompts, answers, strict=True):
            place = slice(len(prompt), len(prompt) + len(ids))
            batch["labels"][row, place], batch["inside"][row, place] = torch.tensor(ids), torch.tensor(inside)
        batch["weights"] = 1.0 + (self.config.label_weight - 1.0) * batch["inside"]
        batch["last"] = torch.tensor([len(prompt) - 1 for prompt in prompts])
        batch["segment"] = torch.tensor([[lesson.start, lesson.end - 1] for lesson in lessons if lesson])
        batch["following"] = torch.tensor([self._following(lesson) for lesson in lessons if lesson])
        return batch

    def ask(self, examples: Sequence[Example]) -> dict[str, Any]:
        """For generation: padded on the left."""
        shown = [patches(example.frames, self.base, as_video=self.config.as_video) for example in examples]
        return self._padded(self._prompts(examples, shown), left=True) | self._vision(examples, shown)

    def answer_weight(self, examples: Sequence[Example]) -> float:
        """The sum of the answer tokens' weights: what an update's loss is divided by."""
        flags = [flag for example in examples if example.lesson for flag in self._answer(example.lesson)[1]]
        return len(flags) + (self.config.label_weight - 1.0) * sum(flags)

    def _answer(self, lesson: Lesson) -> tuple[list[int], list[bool]]:
        """Token ids of the answer and its end, and which of them stand inside the two labels."""
        coded = self.tokenizer(lesson.text, add_special_tokens=False, return_offsets_mapping=True)
        spans = label_spans(lesson.text).values()
        inside = [any(low < end and start < high for low, high in spans) for start, end in coded["offset_mapping"]]
        return [*coded["input_ids"], self.ids[END]], [*inside, False]

    def _following(self, lesson: Lesson) -> list[int]:
        known = [self.labels.index(label) if label in self.labels else IGNORED for label in lesson.following[:3]]
        return known + [IGNORED] * (3 - len(known))

    def _prompts(self, examples: Sequence[Example], shown: Sequence[Patches]) -> list[list[int]]:
        return [self._encode(self.question(one, seen.grid)) for one, seen in zip(examples, shown, strict=True)]

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _padded(self, rows: Sequence[list[int]], *, left: bool) -> dict[str, Any]:
        """`mm_token_type_ids` (0 text, 1 image, 2 video): without them positions are silently one-dimensional."""
        import torch

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
        kinds = (ids == self.ids["<|image_pad|>"]) + 2 * (ids == self.ids["<|video_pad|>"])
        return {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": kinds.int()}

    def _vision(self, examples: Sequence[Example], shown: Sequence[Patches]) -> dict[str, Any]:
        import torch

        values = torch.from_numpy(np.concatenate([one.values for one in shown]))
        grid = torch.tensor([one for each in shown for one in each.grid])
        if not self.config.as_video:
            return {"pixel_values": values, "image_grid_thw": grid}
        batch = {"pixel_values_videos": values, "video_grid_thw": grid}
        if self.base.seconds_in_positions:
            batch["second_per_grid_ts"] = torch.tensor([_pair_seconds(example.indices) for example in examples])
        return batch


def _pair_seconds(indices: NDArray[Any]) -> float:
    """Seconds between the pairs of frames that share a temporal patch, on average."""
    return float(2 * (indices[-1] - indices[0]) / max(1, len(indices) - 1) / FPS) or 1.0


LABEL = re.compile(r'"(dominant|next)_operation": "([^"]*)"')


def label_spans(text: str) -> dict[str, tuple[int, int]]:
    """Where the labels of an answer stand: "dominant", "next" -> [start, end) in characters."""
    return {match[1]: match.span(2) for match in LABEL.finditer(text)}
