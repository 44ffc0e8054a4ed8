"""Asking about own clips: what a model is shown, null for what cannot be read, no truth and no constant anywhere, and
that runs resume as they do for a split.

The folder is made here: three videos, one of them damaged behind its header, and something else.
"""

from __future__ import annotations

import json
import types
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed")
import av
from click.testing import CliRunner

import harness
from harness.cards import read_card
from harness.cli import cli
from harness.comparison.leaderboard import score_folder
from harness.errors import HarnessError, UsageError
from harness.prediction import models
from harness.prediction.journal import PART
from harness.prediction.own_clips.labels import read_labels
from harness.prediction.own_clips.questions import OwnQuestions, open_clips
from harness.prediction.predictor import Reply, Wants
from harness.scoring.request import Request
from harness.worlds.rendering import render
from reference.rendering.prompt import task_prompt
from reference.video.encode import write_video
from tests.support import hand

LABELS = ["Tape: the box is closed", "Pack", "Drive Off: the truck leaves"]
OPERATIONS = ("Tape", "Pack", "Drive Off")
MEANINGS = {"Tape": "the box is closed", "Drive Off": "the truck leaves"}
WANTS = Wants(frames=4, size=32, sampler="uniform")
ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Pack"}
NULLS = {"dominant_operation": None, "temporal_segment": None, "next_operation": None}
TEXT = json.dumps(ANSWER)


def level(second: float) -> int:
    return round(20 + 10 * second)


def film(path, seconds: float, fps: int = 25, size: tuple[int, int] = (32, 32)):
    """Write a video that gets brighter by 10 each second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = (np.full((size[1], size[0], 3), level(frame / fps), np.uint8) for frame in range(round(seconds * fps)))
    write_video(path, pictures, size, fps=fps)
    return path


@pytest.fixture(scope="module")
def monday(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "monday"
    film(folder / "dock" / "1.mp4", 5)
    film(folder / "dock" / "2.mp4", 11)
    content = film(folder / "damaged.mp4", 5).read_bytes()
    at = content.index(b"mdat") + 4
    (folder / "damaged.mp4").write_bytes(content[:at] + b"\xff" * (len(content) - at))
    (folder / "song.mkv").write_bytes(b"\x1aE\xdf\xa3 no MP4")
    return folder


def predict(folder, monday, ask=lambda question: TEXT, **choices):
    choices = {"wants": WANTS, "card": {"description": "made up"}, "clips": monday, "labels": LABELS} | choices
    return harness.predict(ask, folder, **choices)


def lines_of(folder):
    return {line["clip_id"]: line for line in map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())}


def answers_of(folder):
    return json.loads((folder / "answers.json").read_text())


# What a model is shown


def test_a_question_is_the_published_prompt_with_the_users_operations(monday):
    questions = OwnQuestions(open_clips(monday), read_labels(LABELS), WANTS)
    assert questions.clips == ("damaged", "dock/1", "dock/2/000000", "dock/2/000005")
    asked = questions.read(questions.clips)
    assert [question.clip_id for question in asked] == ["dock/1", "dock/2/000000", "dock/2/000005"]
    assert list(questions.faults) == ["damaged"] and "monday" not in questions.faults["damaged"]
    for question, start in zip(asked, (0, 0, 5), strict=True):
        assert question.indices.tolist() == [0, 41, 82, 124] and question.frames.shape == (4, 32, 32, 3)
        assert question.prompt == task_prompt(OPERATIONS, [0, 41, 82, 124], MEANINGS)
        shown = question.frames.mean(axis=(1, 2, 3))
        assert shown == pytest.approx([level(start + time) for time in question.times], abs=2)
    assert "- Drive Off: the truck leaves\n" in asked[0].prompt and "- Pack\n" in asked[0].prompt


def variable(path):
    """Write one picture a second for three seconds, then 25 a second: a phone in the dark, then in the light."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.time_base = stream.codec_context.time_base = Fraction(1, 100)
        for at in [0, 100, 200, *range(300, 504, 4)]:
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level(at / 100), np.uint8), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_a_variable_rate_is_shown_by_the_clock(tmp_path):
    variable(tmp_path / "v.mp4")
    [question] = OwnQuestions(open_clips(tmp_path), read_labels(LABELS), WANTS._replace(frames=6)).read(["v"])
    seconds = [time if time >= 3 else int(time) for time in question.times]
    assert question.frames.mean(axis=(1, 2, 3)) == pytest.approx([level(second) for second in seconds], abs=2)


def test_wide_videos_are_shown_whole_and_samplers_look_at_them(tmp_path):
    film(tmp_path / "v.mp4", 5, size=(64, 32))
    [question] = OwnQuestions(open_clips(tmp_path), read_labels(LABELS), WANTS._replace(sampler="motion")).read(["v"])
    assert question.frames.shape == (4, 32, 32, 3) and len(set(question.indices.tolist())) == 4
    assert question.frames[:, :8].max() == 0 and question.frames[:, 8:24].min() > 10, "black above and below"


def test_a_model_without_eyes_is_asked_about_every_clip(monday, tmp_path):
    made = predict(tmp_path / "a", monday, wants=None)
    assert (made.answered, made.expected) == (4, 4)


# What is written


def test_what_cannot_be_read_is_null_and_never_the_constant(monday, tmp_path):
    replies = iter(["The worker tapes.", '{"dominant_operation": "drive_off", "temp', Reply(TEXT, None, 0.5)])
    made = predict(tmp_path / "mine", monday, lambda question: next(replies))
    cut = '{"dominant_operation": "drive_off", "temp'
    found = [{**line, "latency_ms": 0} for line in lines_of(tmp_path / "mine").values()]
    assert found == [
        {"clip_id": clip_id, **fields, "latency_ms": 0, "raw_output": raw, "source": source}
        for clip_id, fields, raw, source in (
            ("dock/1", NULLS, "The worker tapes.", "fallback"),
            ("dock/2/000000", NULLS | {"dominant_operation": "Drive Off"}, cut, "fallback"),
            ("dock/2/000005", ANSWER | {"confidence": 0.5}, TEXT, "model"),
        )
    ]
    assert made.operations == {"no operation": 1, "Drive Off": 1, "Tape": 1}
    assert "3 of 4 clips of monday answered" in repr(made) and "2 not read (null), 1 of them with the" in repr(made)
    assert "not shown, because they cannot be read: damaged (" in repr(made)


def test_answers_json_stands_in_the_cards_place(monday, tmp_path):
    said = []
    predict(tmp_path / "mine", monday, say=said.append)
    facts = answers_of(tmp_path / "mine")
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["answers.json", "predictions.jsonl"]
    assert not {"world", "split", "truth_digest", "commitment"} & set(facts)
    assert facts["operations"] == {"Tape": "the box is closed", "Pack": "", "Drive Off": "the truck leaves"}
    assert (facts["kind"], facts["clips"]["found"], facts["clips"]["rests"]) == ("model", 4, {"dock/2.mp4": 1.0})
    assert list(facts["clips"]["left_out"]) == ["song.mkv"] and list(facts["clips"]["not_shown"]) == ["damaged"]
    assert "a Matroska or WebM file" in said[0] and said[1].endswith("less than a clip of 5 s: dock/2.mp4 1 s")


@pytest.fixture(scope="module")
def four(tmp_path_factory, home):
    """Import a world of four clips."""
    hand.world("own-four", hand.grid(2, 2), tmp_path_factory.mktemp("four"), home)
    return "own-four"


def test_an_entry_and_answers_replace_each_other(monday, tmp_path, four):
    folder = tmp_path / "mine"
    predict(folder, monday)
    harness.answers_page(folder)
    with pytest.raises(UsageError, match="holds an entry already; --fresh replaces it"):
        predict(folder, monday)
    harness.predict(lambda question: ANSWER, folder, world=four, fresh=True)
    assert sorted(path.name for path in folder.iterdir()) == ["card.toml", "predictions.jsonl"]
    assert read_card(folder).world == four
    predict(folder, monday, fresh=True)
    assert sorted(path.name for path in folder.iterdir()) == ["answers.json", "predictions.jsonl"]


# Resuming


class Stop(Exception):
    """Ends a run."""


def failing_at(clip_id, asked):
    def ask(question):
        asked.append(question.clip_id)
        if question.clip_id == clip_id:
            raise Stop("no more")
        return TEXT

    return ask


def test_a_run_resumes_and_asks_nothing_twice(monday, tmp_path):
    asked, folder = [], tmp_path / "mine"
    with pytest.raises(HarnessError, match=r"failed on dock/2/000005: .*Stop: no more"):
        predict(folder, monday, failing_at("dock/2/000005", asked))
    assert (folder / PART).exists() and not (folder / "answers.json").exists()
    said = []
    made = predict(folder, monday, failing_at(None, asked), say=said.append)
    assert asked == ["dock/1", "dock/2/000000", "dock/2/000005", "dock/2/000005"] and made.answered == 3
    assert "2 of 4 clips were answered before, 2 to go" in said


OTHERS = [
    ({"labels": [*LABELS, "Wrap"]}, "labels", "another operation"),
    ({"labels": ["Tape", "Pack", "Drive Off"]}, "labels", "no descriptions"),
    ({"wants": WANTS._replace(frames=5)}, "pictures", "other pictures"),
    ({"card": {"description": "another"}}, "card", "another model"),
]


@pytest.mark.parametrize(("changes", "key", "why"), OTHERS, ids=[case[2] for case in OTHERS])
def test_another_run_is_refused_and_named(changes, key, why, monday, tmp_path):
    with pytest.raises(HarnessError):
        predict(tmp_path / "mine", monday, failing_at("dock/1", []))
    (tmp_path / "mine" / PART).write_text(json.dumps({"clip_id": "x", "source": "model", "latency_ms": 1}) + "\n")
    ask = failing_at(None, [])
    with pytest.raises(UsageError, match=rf"holds the answers of another run \({key} "):
        predict(tmp_path / "mine", monday, ask, **changes)
    assert predict(tmp_path / "mine", monday, ask, **changes, fresh=True).answered == 3


def test_other_clips_are_another_run(monday, tmp_path):
    with pytest.raises(HarnessError):
        predict(tmp_path / "mine", monday, failing_at("dock/2/000000", []))
    film(tmp_path / "tuesday" / "a.mp4", 5)
    with pytest.raises(UsageError, match=r"another run \(clips "):
        predict(tmp_path / "mine", tmp_path / "tuesday", failing_at(None, []))


def test_a_limit_asks_about_the_first_clips(monday, tmp_path):
    assert list(lines_of(predict(tmp_path / "mine", monday, limit=2).path.parent)) == ["dock/1"]


# What is refused


def test_nothing_to_show_is_an_error(monday, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "damaged.mp4").write_bytes((monday / "damaged.mp4").read_bytes())
    with pytest.raises(HarnessError, match="no clip could be shown: damaged: "):
        predict(tmp_path / "mine", tmp_path / "bad")


REFUSED = [
    ({"frames": "x"}, "--clips shows its own pictures: leave --frames out"),
    ({"clips": "nowhere"}, "nowhere: no such folder"),
    ({"labels": ["Tape"]}, "labels: 1 operations, expected 2 to 254"),
    ({"labels": "no.txt"}, "no.txt: No such file or directory"),
    ({"clips_fps": -1}, "--clips-fps -1: expected a rate above 0"),
    ({"wants": Wants(126, 32)}, "the model wants 126 frames of 32 x 32"),
    ({"wants": Wants(8, 32, "none")}, "by the sampler none; a clip has 125 frames"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[case[1][:20] for case in REFUSED])
def test_refused(changes, message, monday, tmp_path):
    with pytest.raises(UsageError, match=message):
        predict(tmp_path / "mine", monday, **changes)
    assert not (tmp_path / "mine").exists()


def test_a_baseline_has_no_training_split(monday, tmp_path):
    with pytest.raises(UsageError, match="baseline:constant answers from a training split, and --clips has none"):
        harness.predict("baseline:constant", tmp_path / "mine", clips=monday, labels=LABELS)


# Renderings


@pytest.fixture(scope="module")
def rendering(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendering") / "train"
    render(world, folder, split="train", frames=4, size=32, limit=3)
    return folder


@pytest.mark.parametrize("name", ["", "clips.jsonl"])
def test_a_rendering_is_asked_about_with_other_operations(name, rendering, tmp_path):
    asked = []
    made = predict(tmp_path / "mine", rendering / name, lambda question: asked.append(question) or TEXT)
    assert (rendering / "truth.jsonl").exists() and made.answered == len(asked) == 3
    assert all(question.prompt == task_prompt(OPERATIONS, [0, 41, 82, 124], MEANINGS) for question in asked)
    assert answers_of(tmp_path / "mine")["rendering"] == ["tiny", "train"]


def test_a_rendering_with_other_pictures_is_refused(rendering, tmp_path):
    wanted = "has frames 4, size 32; the model wants a rendering with --frames 8 --size 64$"
    with pytest.raises(UsageError, match=wanted):
        predict(tmp_path / "mine", rendering, wants=Wants(8, 64))
    with pytest.raises(UsageError, match=r"is a rendering, .* leave --clips-fps out"):
        predict(tmp_path / "mine", rendering, clips_fps=5)


# Judging


@pytest.fixture(scope="module")
def answered(monday, tmp_path_factory):
    folder = tmp_path_factory.mktemp("answered") / "mine"
    predict(folder, monday)
    return folder


JUDGES = [
    lambda folder: harness.score(folder / "predictions.jsonl"),
    lambda folder: harness.score(folder),
    lambda folder: harness.validate(folder / "predictions.jsonl"),
    lambda folder: harness.compare(folder, "constant"),
    lambda folder: harness.report_page(folder / "predictions.jsonl", folder / "page.html"),
    lambda folder: harness.submit(folder / "predictions.jsonl", name="mine", folder=folder / "submissions"),
]


@pytest.mark.parametrize("judge", JUDGES, ids=["score", "a folder", "validate", "compare", "report", "submit"])
def test_commands_that_judge_say_what_it_is(judge, answered):
    with pytest.raises(UsageError, match=r"answers about clips without a truth \(harness predict --clips\), .*--world"):
        judge(answered)
    assert len(list(answered.iterdir())) == 2


def test_the_leaderboard_leaves_it_out_and_says_what_it_is(answered, four):
    entries, unranked = score_folder(answered.parent, Request(world=four))
    reasons = [row["reason"] for row in unranked.skipped]
    assert entries == [] and reasons == ["answers about clips without a truth (predict --clips)"]


def test_a_truth_of_the_clips_judges_them_later(answered, tmp_path, home):
    """Nothing has to be asked again: the ids are those of the answers."""
    answer = {**hand.segment(3, 90), "dominant_operation": "Tape", "next_operation": "Pack"}
    truth = [hand.clip(0, place, clip_id=clip_id, **answer) for place, clip_id in enumerate(lines_of(answered))]
    hand.world("own-monday", truth, tmp_path, home)
    assert harness.score(answered / "predictions.jsonl", world="own-monday").metrics["score"].value == 1


# The command


class Model:
    """Answers Tape."""

    wants, batch_size, training, card = WANTS, 2, None, {"description": "made up"}

    def ask(self, questions, operations):
        assert tuple(operations) == OPERATIONS
        return [Reply(TEXT) for _ in questions]


def test_the_command_ends_with_a_page(monday, tmp_path, monkeypatch):
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    point = types.SimpleNamespace(name="mine", load=lambda: lambda rest, options: Model(), dist=None, value="")
    monkeypatch.setattr(models.metadata, "entry_points", lambda group: [point])
    words = ["predict", "--model", "mine:x", "--clips", str(monday), "-o", str(tmp_path / "mine")]
    done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, UsageError) and "--labels FILE names them" in str(done.exception)
    done = CliRunner().invoke(cli, [*words, "--labels", str(tmp_path / "labels.txt")])
    assert done.exception is None, done.output
    assert "3 of 4 clips of monday answered" in done.output and "\n  Tape 3\n" in done.output
    assert f"{tmp_path / 'mine' / 'answers.html'}: " in done.output and "pictures of 3 clips" in done.output
    command = answers_of(tmp_path / "mine")["run"]["command"]
    assert f"--clips {monday} --labels {tmp_path / 'labels.txt'} -o" in command and "--split" not in command
    for other in ("--split", "train"), ("--truth", "x"):
        done = CliRunner().invoke(cli, [*words, "--labels", "x", *other])
        assert f"{other[0]} is about the clips of a split" in str(done.exception)
    done = CliRunner().invoke(cli, ["predict", "--model", "mine:x", "-o", "x", "--labels", "x"])
    assert "--labels belongs to --clips" in str(done.exception)
