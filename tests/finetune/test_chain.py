"""The whole chain on the twin: frames, training, prediction, score; and the dependence of its answers on the frames."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import harness
from finetune.data import ClipDataset
from finetune.evaluate import evaluate
from finetune.generate import Generation, generate
from finetune.predictor import Finetuned, load
from finetune.run_log import read_log
from finetune.train import train
from harness.cards import read_card
from harness.cli import cli
from harness.errors import UsageError
from harness.prediction.predictor import Question
from reference.process.split import session_states
from reference.process.world import load_world
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.task import CLIP_FRAMES, DEFAULT_WORLD, OPERATIONS
from tests.support.finetune_material import SIDE, TWIN, counted, placed, renderings
from tests.support.serving import served

CLIPS, UPDATES = 8, 120
"""Clips that are learned by heart, in so many updates."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return renderings(tmp_path_factory.mktemp("frames"), train=8, validation=4, test=12)


@pytest.fixture(scope="module")
def forwards(tmp_path_factory):
    """The first clip of each of eight sessions, of the split whose truth is small: the run is judged on it, too."""
    sessions = (session_states(load_world(DEFAULT_WORLD), "validation", index) for index in range(CLIPS))
    clips = tuple(next(states)[0].clip_id for states in sessions)
    folder = tmp_path_factory.mktemp("forwards") / "clips"
    render(Request(split="validation", size=SIDE, clips=clips), folder, workers=1)
    return folder


@pytest.fixture(scope="module")
def both_ways(forwards, tmp_path_factory):
    """Eight clips, and the same played backwards: their segments are mirrored, all else stays."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(forwards / "frames", folder / "frames")
    (folder / "render.json").write_bytes((forwards / "render.json").read_bytes())
    for name in ("clips.jsonl", "truth.jsonl"):
        rows = [json.loads(line) for line in (forwards / name).open()]
        text = "".join(json.dumps(row) + "\n" for one in rows for row in (one, backwards(one)))
        (folder / name).write_text(text)
    return folder


def backwards(row: dict) -> dict:
    """A line of clips.jsonl or truth.jsonl, of the clip played backwards."""
    row = row | {"clip_id": row["clip_id"] + "-backwards"}
    if "frames" in row:
        return row | {"frames": row["frames"][::-1]}
    start, end = row["temporal_segment"].values()
    return row | {"temporal_segment": {"start_frame": CLIP_FRAMES - end, "end_frame": CLIP_FRAMES - start}}


@pytest.fixture(scope="module")
def run(forwards, both_ways, tmp_path_factory):
    """A twin that has learned eight clips forwards and backwards by heart, with a head for the segment."""
    config = replace(TWIN, steps=UPDATES, checkpoint_every=UPDATES, batch=8, lr=2e-3, evaluate_clips=CLIPS)
    config = replace(config, temporal_head=0.5, threads=1)
    folder = tmp_path_factory.mktemp("run")
    train(replace(config, train=str(both_ways), validation=str(forwards)), folder)
    return folder


def learned(run: Path) -> tuple[Finetuned, ClipDataset]:
    model = load(str(run), {"threads": "1"})
    return model, ClipDataset(model.config.train, model.config)


def test_sixteen_clips_are_learned_by_heart(run):
    """The loss goes to nothing, and every answer comes out as it was taught, token by token.

    At first nothing is known: the loss is about the log of the vocabulary, with wide logits. `make proof` has the loss
    on more clips than can be learned by heart.
    """
    model, learning = learned(run)
    examples = [learning.example(number) for number in range(len(learning))]
    assert [reply.text for reply in model.reply(examples)] == [one.target.text for one in examples]
    record = json.loads((run / "training.json").read_text())
    assert 6.0 < record["loss"][0][1] < 10.0
    assert len(examples) == 2 * CLIPS and record["final_loss"] < 0.05 and record["validation"][-1]["valid"] == 1.0
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_the_order_of_frames_matters(run):
    """The same frames in another order are another clip: shuffled, they lose their segments (but for those that are the
    same played backwards, as the whole clip is)."""
    model, learning = learned(run)
    examples = [learning.example(number) for number in range(len(learning))]
    examples = [one for one in examples if overlap(one.target, mirrored(one.target)) < 0.6]
    orders = [np.arange(8), *(np.random.default_rng(seed).permutation(8) for seed in range(5))]
    overlaps = []
    for order in orders:
        replies = model.reply([one._replace(frames=one.frames[order]) for one in examples])
        said = [json.loads(reply.text)["temporal_segment"] for reply in replies]
        overlaps.append(np.mean([overlap(one.target, segment) for one, segment in zip(examples, said, strict=True)]))
    assert len(examples) >= 4 and overlaps[0] == 1.0 and np.mean(overlaps[1:]) < 0.85


def mirrored(target) -> dict:
    return {"start_frame": CLIP_FRAMES - target.end, "end_frame": CLIP_FRAMES - target.start}


def overlap(target, segment) -> float:
    """Temporal IoU."""
    start, end = segment["start_frame"], segment["end_frame"]
    shared = max(0, min(end, target.end) - max(start, target.start))
    return shared / (end - start + target.end - target.start - shared)


def test_from_a_run_to_a_scored_entry(run, frames, tmp_path):
    """`harness predict --model finetune:RUN`: the entry is complete, scored, and its card names config and weights."""
    entry = tmp_path / "entry"
    command = ["predict", "--model", f"finetune:{run}", "--frames", str(frames), "-o", str(entry)]
    command += ["--option", "threads=1"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in (entry / "predictions.jsonl").open()]
    assert len(lines) == 12 and {line["source"] for line in lines} == {"model"}
    assert all(0 <= line["confidence"] <= 1 and line["latency_ms"] > 0 and line["raw_output"] for line in lines)
    card = read_card(entry)
    assert card.run["predictor"]["config"]["steps"] == UPDATES and len(card.run["predictor"]["trained_sha256"]) == 64
    assert json.loads((entry / "training.json").read_text())["steps"] == UPDATES
    score = harness.score(entry / "predictions.jsonl")
    assert score.record["coverage"] == pytest.approx(12 / 2880)
    assert score.record["sections"]["out_of_memory"]["applies"]


def test_a_served_run_says_what_it_says_in_this_process(run, frames, tmp_path):
    """`harness predict --model openai:...` at our own server: operations, segments and text of `finetune:RUN`."""
    in_process = predicted(tmp_path / "own", "--model", f"finetune:{run}", "--option", "threads=1", frames=frames)
    with served(f"finetune:{run}", options={"threads": "1"}, deadline_s=60) as server:
        shown = ["--option", "image=png", "--option", f"size={SIDE}", "--url", f"{server.url}/v1"]
        asked = predicted(tmp_path / "asked", "--model", f"openai:{server.service.name}", *shown, frames=frames)
        with server.client() as client:
            info = client.get("/info").text
    assert str(run.parent) not in info and str(frames.parent) not in info
    assert len(in_process) == 12
    names = ("clip_id", "dominant_operation", "temporal_segment", "next_operation", "raw_output")
    assert [[line[name] for name in names] for line in asked] == [[line[name] for name in names] for line in in_process]


def predicted(entry: Path, *words: str, frames: Path) -> list[dict]:
    command = ["predict", *words, "--frames", str(frames), "-o", str(entry), "--no-score"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in (entry / "predictions.jsonl").open()]


def test_a_confidence_is_the_probability_of_the_label(run):
    """Memorised clips have a high confidence, noise a low one."""
    model, judging = learned(run)
    known = model.reply([judging.example(number) for number in range(4)])
    assert min(reply.confidence for reply in known) > 0.8
    noise = [judging.example(number)._replace(frames=blotches(number)) for number in range(16)]
    assert min(reply.confidence for reply in model.reply(noise)) < 0.8


def blotches(seed: int) -> np.ndarray:
    """Return eight pictures of random squares, of 6 to 42 pixels: what no clip looks like."""
    random, side = np.random.default_rng(seed), (6, 14, 21, 42)[seed % 4]
    squares = random.integers(0, 256, (8, 84 // side, 84 // side, 3), np.uint8)
    return squares.repeat(side, 1).repeat(side, 2)


def test_a_head_can_answer_the_segment(run):
    """The head agrees roughly with the text, which is kept as generated."""
    _, judging = learned(run)
    model = load(str(run), {"segment": "head", "threads": "1"})
    example = judging.example(0)
    reply = model.reply([example])[0]
    segment = reply.answer["temporal_segment"]
    assert abs(segment["start_frame"] - example.target.start) <= 25 and segment["start_frame"] < segment["end_frame"]
    assert json.loads(reply.text)["next_operation"] == reply.answer["next_operation"]


def test_a_run_answers_where_its_base_lies_elsewhere(run, tmp_path):
    """A run downloaded from Kaggle works with its base in another folder; a wrong folder is an error with a remedy."""
    here = tmp_path / "run"
    shutil.copytree(run, here)
    (here / "base").rename(tmp_path / "base")
    text = (here / "config.toml").read_text().replace('weights = ""', 'weights = "/kaggle/input/model"')
    (here / "config.toml").write_text(text)
    with pytest.raises(UsageError, match=r"/kaggle/input/model: no tokenizer.json.*weights=FOLDER"):
        load(str(here), {})
    moved, example = load(str(here), {"weights": str(tmp_path / "base"), "threads": "1"}), learned(run)[1].example(0)
    assert moved.reply([example])[0].text == learned(run)[0].reply([example])[0].text


def test_a_run_is_asked_for_choices_alone(run):
    """By `harness predict` and `harness serve`, which ask it like this: a token each would be twice as many calls."""
    model, judging = learned(run)
    examples = [judging.example(number) for number in range(2 * CLIPS)]
    questions = [Question(one.clip_id, one.frames, one.indices, np.zeros(8), one.prompt) for one in examples]
    with counted(model.answerer) as calls:
        replies = model.ask(questions, OPERATIONS)
    assert [reply.text for reply in replies] == [one.target.text for one in examples]
    assert len(calls) <= 8


def test_out_of_memory_a_batch_is_answered_in_halves(run, monkeypatch):
    model, judging = learned(run)
    examples, asked = [judging.example(number) for number in range(5)], []
    whole = model.reply(examples)

    def scarce(answerer, collator, some, grammar):
        asked.append(len(some))
        if len(some) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(answerer, collator, some, grammar)

    monkeypatch.setattr("finetune.generate.generate", scarce)
    assert [one.text for one in model.reply(examples)] == [one.text for one in whole]
    assert asked == [5, 2, 3, 1, 2]


def test_an_evaluation_asks_under_the_grammar_and_a_sample_freely(run, tmp_path, monkeypatch):
    """All clips as prediction asks them, and some more of them freely, for the share of valid answers."""
    model, _ = learned(run)
    clips, asked = ClipDataset(model.config.validation, model.config, training=False), []

    def noted(answerer, collator, some, grammar):
        asked.append((len(some), grammar is not None))
        return generate(answerer, collator, some, grammar)

    monkeypatch.setattr("finetune.generate.generate", noted)
    monkeypatch.setattr("finetune.evaluate.FREE_CLIPS", 3)
    values = evaluate(model.answerer, model.collator, clips, tmp_path)
    assert asked == [(CLIPS, True), (3, False)]
    assert values["score"] == pytest.approx(1.0) and values["valid"] == 1.0


@pytest.mark.parametrize("text", ['{"dominant_operation": "Tape", "next_operation": "Pack"}', "[1]", "{"])
def test_a_head_repairs_no_broken_answer(run, text):
    """The broken text counts, and the harness answers in its place."""
    model = load(str(run), {"segment": "head", "threads": "1"})
    assert model._to_reply(Generation(text, 0.5, 0.5, segment=(1, 2))).answer is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"constrained": "yes"}, "no --option constrained; there are"),
        ({"constrain": "maybe"}, "expected one of yes, no"),
        ({"next": "head"}, "has no head for next"),
        ({"threads": "many"}, "expected a number"),
    ],
)
def test_wrong_options_are_refused(run, options, said):
    with pytest.raises(UsageError, match=said):
        load(str(run), options)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no trained model"):
        load(str(tmp_path), {})


def test_training_continues_in_another_style(run, frames, tmp_path):
    """From the adapter of one run, on clips drawn differently: its loss there falls below that of the first run."""
    style = tmp_path / "style"
    render(Request(split="validation", size=SIDE, limit=16, as_domain="lens"), style / "other", workers=1)
    config = replace(learned(run)[0].config, train=str(style / "other"), validation=str(style / "other"), steps=20)
    train(config, tmp_path / "adapted", start=run / "best")
    rows = [row for row in read_log(tmp_path / "adapted" / "log.jsonl") if "loss" in row]
    zero_shot, adapted = rows[0]["loss"], rows[-1]["loss"]
    assert adapted < 0.5 * zero_shot


def test_augmented_clips_are_read_ahead_and_the_run_is_the_same_every_time(frames, tmp_path):
    config = placed(TWIN, frames, steps=2, batch=2, augment=True, clips=8, evaluate_clips=4, threads=1)
    losses = []
    for name, workers in (("one", 0), ("two", 1)):  # read in a thread, and in a process
        train(replace(config, workers=workers), tmp_path / name)
        losses.append([row["loss"] for row in read_log(tmp_path / name / "log.jsonl") if "loss" in row])
    assert losses[0] == losses[1]
