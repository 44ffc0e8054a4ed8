"""Inputs of a model: pixels, texts, labels, padding; the grammar of its answers; clips; the config."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch

from finetune import config as configs
from finetune.base_models import BASES, find_base
from finetune.config import Config
from finetune.constrained import Grammar, answer_regex
from finetune.data import IGNORED, SYSTEM, ClipDataset, Collator, check_apart, label_spans
from finetune.generate import Row
from finetune.model import ensure_base
from finetune.patches import count_tokens, patchify
from finetune.planning.dry_run import make_blueprint
from finetune.tokens import answer_text, load_tokenizer
from harness.errors import UsageError
from reference.home import cache_home
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.task import CLIP_FRAMES, OPERATIONS
from reference.truth.imported import import_world
from reference.video.encode import write_video
from tests.support.finetune_material import SIDE, TWIN, example, placed, renderings

LABELS = OPERATIONS[:-1]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(ensure_base(TWIN, tmp_path_factory.mktemp("base"), OPERATIONS))


def collator(tokenizer, **changes) -> Collator:
    return Collator(replace(TWIN, **changes), tokenizer, OPERATIONS)


# Pixels


@pytest.mark.parametrize("side", [84, 112, 336])
def test_patches_are_those_of_the_reference_processor(side):
    """transformers' PIL processor works without torchvision, for images; the largest difference is 4.8e-7."""
    from transformers import Qwen2VLImageProcessorPil

    frames = example(side=side, frames=3).frames
    reference = Qwen2VLImageProcessorPil(do_resize=False)(list(frames), return_tensors="np")
    ours = patchify(frames, find_base(TWIN.base), as_video=False)
    assert np.array_equal(np.array(ours.grid), reference["image_grid_thw"])
    assert np.abs(ours.values - reference["pixel_values"]).max() < 1e-6


def test_a_video_is_pairs_of_frames():
    """Of two equal frames the video's patches are the image's: an image is a doubled frame."""
    frame = example(frames=1).frames
    base = find_base(TWIN.base)
    video = patchify(np.repeat(frame, 2, 0), base, as_video=True)
    image = patchify(frame, base, as_video=False)
    assert video.grid == image.grid == [(1, SIDE // 14, SIDE // 14)]
    assert np.array_equal(video.values, image.values)


@pytest.mark.parametrize(
    ("frames", "side", "video", "images"),
    [(8, 336, 576, 1152), (8, 84, 36, 72), (8, 112, 64, 128), (7, 84, 36, 63)],
)
def test_tokens_of_a_clip(frames, side, video, images):
    base = find_base(TWIN.base)
    shown = example(frames=frames, side=side).frames
    assert sum(count_tokens(grid, base) for grid in patchify(shown, base, as_video=True).grid) == video
    assert sum(count_tokens(grid, base) for grid in patchify(shown, base, as_video=False).grid) == images


def test_frames_that_do_not_fit_the_patches_are_refused():
    with pytest.raises(UsageError, match=r"90 x 90.*multiples of 28"):
        patchify(example(side=90).frames, find_base(TWIN.base), as_video=True)


# Texts and labels


@pytest.mark.parametrize("prompt", ["full", "short"])
def test_labels_stand_on_the_answer_and_its_end_alone(tokenizer, prompt):
    examples = [example(seed) for seed in range(4)]
    batch = collator(tokenizer, prompt=prompt)(examples)
    for row, one in enumerate(examples):
        kept = batch["labels"][row][batch["labels"][row] != IGNORED]
        assert tokenizer.decode(kept) == one.target.text + "<|im_end|>"
        whole = tokenizer.decode(batch["input_ids"][row])
        assert whole.split("<|im_start|>assistant\n")[1].startswith(one.target.text)
        assert (SYSTEM in whole) == (prompt == "full")


def test_the_weight_of_labels_stands_on_the_two_operations(tokenizer):
    one = example(3)
    batch = collator(tokenizer, label_weight=5.0)([one])
    inside = batch["input_ids"][0][batch["inside"][0]]
    assert tokenizer.decode(inside) == one.target.operation + one.target.following[0]
    assert set(batch["weights"][0].tolist()) == {1.0, 5.0}
    assert (
        collator(tokenizer, label_weight=5.0).answer_weight([one])
        == ((batch["labels"] != IGNORED) * batch["weights"]).sum()
    )


def test_frame_numbers_and_times_are_in_the_prompt_unless_switched_off(tokenizer):
    one = example()
    for prompt, shown in (("full", "17 (at 0.68 s)"), ("short", "0 17 35 53 70 88 106 124 of 125")):
        grid = patchify(one.frames, find_base(TWIN.base), as_video=True).grid
        assert shown in collator(tokenizer, prompt=prompt).question(one, grid)
        without = collator(tokenizer, prompt=prompt, frame_numbers=False).question(one, grid)
        assert shown not in without and not re.search(r"\b(35|53|70|88)\b", without)


def test_padding_is_right_in_training_and_left_in_generation(tokenizer):
    short, long = example(0, frames=2), example(1)
    made = collator(tokenizer)
    trained, asked = made([short, long]), made.prompt_batch([short, long])
    assert trained["attention_mask"][0].tolist() == sorted(trained["attention_mask"][0].tolist(), reverse=True)
    assert asked["attention_mask"][0].tolist() == sorted(asked["attention_mask"][0].tolist())
    assert asked["input_ids"][:, -1].unique().numel() == 1, "every row ends where the answer begins"
    for batch in (trained, asked):
        video = batch["mm_token_type_ids"] == 2
        assert torch.equal(video, batch["input_ids"] == made.ids["<|video_pad|>"])
        assert video.sum(1).tolist() == [9, 36]


def test_a_clip_longer_than_the_model_reads_is_refused_and_never_cut(tokenizer, monkeypatch):
    made, long = collator(tokenizer), example(1)
    length = made([long])["input_ids"].shape[1]
    monkeypatch.setattr(tokenizer, "model_max_length", length)
    made([long])
    monkeypatch.setattr(tokenizer, "model_max_length", length - 1)
    with pytest.raises(UsageError, match=f"takes {length} tokens of {length - 1} at most"):
        made([long])


def test_the_seconds_between_pairs_follow_the_frames(tokenizer):
    assert collator(tokenizer).prompt_batch([example()])["second_per_grid_ts"].item() == pytest.approx(
        2 * (124 / 7) / 25
    )


def test_the_prompt_reads_numbers_digit_by_digit_and_labels_whole(tokenizer):
    text = answer_text("Put Items", 14, 98, "Final Check")
    tokens = [tokenizer.decode([token]) for token in tokenizer(text)["input_ids"]]
    assert [token for token in tokens if token.isdigit()] == ["1", "4", "9", "8"]
    assert {"Put Items", "Final Check"} <= set(tokens) and tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_answers_are_canonical():
    text = answer_text("Tape", 14, 98, "Put Items")
    assert text == (
        '{"dominant_operation": "Tape", "temporal_segment": {"start_frame": 14, "end_frame": 98}, '
        '"next_operation": "Put Items"}'
    )
    assert {name: text[low:high] for name, (low, high) in label_spans(text).items()} == {
        "dominant": "Tape",
        "next": "Put Items",
    }


# Grammar


def test_the_grammar_allows_every_answer_and_no_other():
    pattern = re.compile(answer_regex(LABELS))
    for start, end in ((0, 1), (0, 125), (124, 125), (14, 98), (9, 10)):
        assert pattern.fullmatch(answer_text("Tape", start, end, "Idle"))
    for text in (
        answer_text("Tape", 5, 5, "Idle"),
        answer_text("Tape", 9, 8, "Idle"),
        answer_text("Tape", 0, 126, "Idle"),
        answer_text("Unknown", 0, 9, "Idle"),
        answer_text("tape", 0, 9, "Idle"),
        "{}",
        answer_text("Tape", 1, 2, "Idle") + " ",
    ):
        assert not pattern.fullmatch(text), text


def test_constrained_noise_is_always_a_valid_answer(tokenizer):
    """Greedy over random logits, 16 rows: a model that knows nothing still answers within the rules."""
    width = len(tokenizer) + 3  # logits may be wider than the vocabulary
    grammar, random = Grammar(tokenizer, LABELS, width), torch.Generator().manual_seed(0)
    for row in [Row(grammar) for _ in range(16)]:
        while not row.whole:
            scores = torch.randn(width, generator=random).masked_fill(~row.mask, -torch.inf)
            row.choose(int(scores.argmax()), 0.0)
        *tokens, end = row.tokens
        answer = json.loads(tokenizer.decode(tokens))
        assert end == tokenizer.eos_token_id
        segment = answer["temporal_segment"]
        assert 0 <= segment["start_frame"] < segment["end_frame"] <= CLIP_FRAMES
        assert {answer["dominant_operation"], answer["next_operation"]} <= set(LABELS)


# Clips

TRAIN = 80
"""Clips of four sessions: some have a hard negative among them, and one session is randomised."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return renderings(tmp_path_factory.mktemp("frames"), train=TRAIN, validation=4)


def test_a_target_is_the_truth_of_its_clip(frames):
    learning = ClipDataset(frames / "train", placed(TWIN, frames))
    truth = {row["clip_id"]: row for row in map(json.loads, (frames / "train" / "truth.jsonl").open())}
    one = learning.example(5)
    row = truth[one.clip_id]
    assert one.target == (row["dominant_operation"], *row["temporal_segment"].values(), tuple(row["next_operations"]))
    assert one.frames.shape == (8, SIDE, SIDE, 3)


def test_the_order_is_a_shuffle_that_depends_on_seed_and_epoch(frames):
    learning = ClipDataset(frames / "train", placed(TWIN, frames))
    orders = [tuple(learning.order(seed, epoch)) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert orders[0] == orders[1] and len({*orders}) == 3 and sorted(orders[0]) == list(range(TRAIN))


def test_hard_negatives_stand_beside_their_clips(frames):
    """The same operation, the same place, another continuation; the epoch is as long as without."""
    learning = ClipDataset(frames / "train", placed(TWIN, frames, hard_negatives=True))
    order = learning.order(0, 0)
    assert len(order) == len(learning)
    targets = {number: learning.example(number).target for number in order}
    names = {learning.names[place]: number for number, place in enumerate(learning.places)}
    pairs = [
        (order[at], order[at + 1])
        for at in range(len(order) - 1)
        if names.get(learning.negatives.get(learning.names[order[at]])) == order[at + 1]
    ]
    assert pairs
    for one, other in pairs:
        assert targets[one].operation == targets[other].operation
        assert targets[one].following[0] != targets[other].following[0]


def test_clips_are_chosen_as_the_config_says(frames):
    whole = ClipDataset(frames / "train", placed(TWIN, frames))
    script = ClipDataset(frames / "train", placed(TWIN, frames, randomised=False))
    assert 0 < len(script) < len(whole) == TRAIN
    assert not any(script.truth[script.names[place]]["randomised"] for place in script.places)
    assert ClipDataset(frames / "train", placed(TWIN, frames, clips=7)).places == [k * TRAIN // 7 for k in range(7)]
    double = ClipDataset(frames / "train", placed(TWIN, frames, interpolate=True)).example(0)
    assert len(double.frames) == len(double.indices) == 15 and "8.5" not in double.prompt


def test_augmentation_changes_with_the_epoch_and_never_on_validation(frames):
    config = placed(TWIN, frames, augment=True)
    learning, judging = ClipDataset(config.train, config), ClipDataset(config.validation, config, training=False)
    assert not np.array_equal(learning.example(0, 0).frames, learning.example(0, 1).frames)
    assert np.array_equal(learning.example(0, 1).frames, learning.example(0, 1).frames)
    assert np.array_equal(judging.example(0, 0).frames, judging.example(0, 1).frames)
    assert learning.clips.augment.blur == 0, "a kernel of five pixels is a large part of a small frame"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """An imported world of two sessions, one to learn from and one to judge on, with a video of each."""
    folder = tmp_path_factory.mktemp("recordings")
    rows = [
        {
            "clip_id": f"{session}{i}",
            "session": session,
            "start_ms": 5000 * i,
            "dominant_operation": ("Strapping", "Tape")[i % 2],
            "start_frame": 5,
            "end_frame": 70,
            "next_operation": ("Tape", "Strapping")[i % 2],
        }
        for session in ("day-1", "day-2")
        for i in range(3)
    ]
    (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    world = import_world([folder / "truth.jsonl"], cache_home(), name="strapped", train=["day-1"], validation=["day-2"])
    write_video(folder / "v.mp4", (np.full((48, 64, 3), index % 250, np.uint8) for index in range(400)), (64, 48))
    for split in ("train", "validation"):
        video = {"video": str(folder / "v.mp4"), "video_start_ms": 0}
        render(Request(world=world.name, split=split, size=SIDE, **video), folder / split)
    return placed(replace(TWIN, world=world.name), folder)


def test_imported_recordings_are_learned_from(recordings):
    """Sessions of one's own as train and validation: their truth is there, their labels are the model's labels."""
    train, validation = ClipDataset(recordings.train, recordings), ClipDataset(recordings.validation, recordings)
    assert (len(train), len(validation)) == (3, 3)
    assert train.operations == ("Tape", "Strapping")
    assert train.example(0).target[:3] == ("Strapping", 5, 70)
    assert make_blueprint(recordings, tiny=True).operations == train.operations, "the plan knows the world as well"
    blended = ClipDataset(recordings.train, replace(recordings, interpolate=True))
    assert "- Strapping" in blended.example(0).prompt and "Wrap" not in blended.example(0).prompt
    check_apart(train, validation)
    check_apart(train, train)
    train.request = train.request | {"split": "validation-2"}
    validation.truth = train.truth
    validation.names = train.names
    with pytest.raises(UsageError, match="session day-1 is in the renderings for training and for validation"):
        check_apart(train, validation)
    with pytest.raises(UsageError, match="hard_negatives: strapped was imported; only a world with a process can"):
        ClipDataset(recordings.train, replace(recordings, hard_negatives=True))


def test_a_rendering_that_does_not_fit_is_refused(frames):
    with pytest.raises(UsageError, match="rendered with size 84, the config says 112"):
        ClipDataset(frames / "train", placed(TWIN, frames, size=112))
    with pytest.raises(UsageError, match="no rendering"):
        ClipDataset(frames, placed(TWIN, frames))


# Config


def test_a_config_is_read_as_it_was_written(tmp_path):
    config = replace(TWIN, lr=3e-4, train='a "b"')
    configs.write(config, tmp_path)
    assert configs.read(tmp_path / configs.NAME) == config
    assert all(entry.metadata["why"] for entry in fields(Config))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rate = 1", "unknown keys learning_rate"),
        ("steps = 1.5", "steps = 1.5, expected int"),
        ("steps = 0", "steps = 0, expected more than 0"),
        ('weights = "base"\nwidth = 2', "width = 2 is of random weights"),
        ('adapter = "none"', "expected one of lora, full"),
        ('adapter = "full"', "quantised weights cannot be trained"),
        ("steps = ", "Invalid value"),
    ],
)
def test_a_wrong_config_is_refused_by_name(tmp_path, text, said):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UsageError, match=f"c.toml.*{said}"):
        configs.read(tmp_path / "c.toml")


def test_values_on_the_command_line_are_typed():
    assert configs.override(TWIN, lr="1e-4", size="112", train="here", augment="true") == replace(
        TWIN, lr=1e-4, size=112, train="here", augment=True
    )
    assert asdict(TWIN)["steps"] == TWIN.steps


@pytest.mark.parametrize("base", BASES)
def test_pairs_of_frames_are_separate_if_the_base_separates_them(base, tokenizer):
    made = collator(tokenizer, base=base, size=64 if "Qwen3" in base else SIDE)
    one = example(side=made.config.size)
    text = made.question(one, patchify(one.frames, made.base, as_video=True).grid)
    apart = text.count("<|vision_start|>")
    assert apart == (4 if made.base.pairs_apart else 1)
    if made.base.pairs_apart:
        assert "<0.3 seconds><|vision_start|>" in text and "<4.6 seconds><|vision_start|>" in text
