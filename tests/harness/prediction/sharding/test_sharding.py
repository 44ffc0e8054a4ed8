"""Entries in shards: merged they are the entry of one process, a part is never taken for one, and what is refused.

The models here are made up, and asked about `tiny`, a world with 24 clips to judge on. They state a latency: it is all
that two runs may differ in.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import harness
from harness.cards import CARD, PREDICTIONS, read_card
from harness.comparison import leaderboard
from harness.errors import HarnessError, UsageError
from harness.prediction.journal import PART
from harness.prediction.predictor import Reply, Wants
from harness.prediction.repeats import predict_repeats
from harness.prediction.sharding import entries
from harness.prediction.sharding.check import _shards
from harness.scoring.request import Request
from reference.shard import Shard
from tests.support import hand

LABELS = ("Tape", "Wrap", "Pack", "Label")


class Model:
    """Answers by the clip's id, batch by batch; fails after `most` clips."""

    training = None

    def __init__(self, batch_size: int = 4, wants: Wants | None = None, most: int = 100, training=None, **run):
        self.batch_size, self.wants, self.most, self.training = batch_size, wants, most, training
        self.card = {"description": "made up", "model": "nobody/nothing", "run": {"seed": 3} | run}
        self.batches = []

    def ask(self, questions, operations):
        self.batches.append([question.clip_id for question in questions])
        if sum(map(len, self.batches)) > self.most:
            raise RuntimeError("the model is tired")
        return [Reply(json.dumps(answer(question.clip_id)), latency_ms=1.5) for question in questions]


def answer(clip_id):
    place = int(clip_id[:4], 16)
    segment = hand.segment(place % 60, 60 + place % 60)
    return {"dominant_operation": LABELS[place % 4], "temporal_segment": segment, "next_operation": LABELS[place % 3]}


def in_shards(model, folder, total=3, **choices):
    """Ask for the shards, the last one first, each by a model of its own; return their folders in order."""
    for number in range(total, 0, -1):
        harness.predict(model(), folder / str(number), shard=f"{number}/{total}", **choices)
    return [folder / str(number) for number in range(1, total + 1)]


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


SAME = {
    "in batches of five, with a training record": (lambda: Model(5, training={"device": "cpu", "steps": 3}), {}),
    "a sample": (Model, {"sample": 4}),
}


@pytest.mark.parametrize("case", SAME)
def test_three_shards_are_one_entry(world, tmp_path, case):
    model, choices = SAME[case]
    harness.predict(model(), tmp_path / "one" / "mine", world=world, **choices)
    parts = in_shards(model, tmp_path / "shards", world=world, **choices)
    harness.merge(*parts[::-1], output=tmp_path / "merged" / "mine")
    assert content(tmp_path / "merged" / "mine") == content(tmp_path / "one" / "mine")


def test_three_shards_of_a_baseline_are_one_entry(world, tmp_path, monkeypatch):
    """By name: its command stands on the card, and its latency is measured."""
    monkeypatch.chdir(tmp_path)
    choices = {"world": world, "batch_size": 5, "options": {"seed": "7"}}
    harness.predict("baseline:random", "one/mine", **choices)
    parts = in_shards(lambda: "baseline:random", tmp_path / "shards", **choices)
    assert harness.merge(*parts, output="merged/mine").named == world, "a path, by which a score finds its truth"
    one, merged = read_card(tmp_path / "one" / "mine"), read_card(tmp_path / "merged" / "mine")
    assert merged.run["command"] == one.run["command"].replace("one/mine", "merged/mine")
    assert one.run | {"command": "", "wall_s": 0} == merged.run | {"command": "", "wall_s": 0}
    lines = [
        [json.loads(line) | {"latency_ms": 0} for line in (tmp_path / name / "mine" / PREDICTIONS).open()]
        for name in ("one", "merged")
    ]
    assert lines[0] == lines[1]


def test_pictures_are_drawn_for_the_shard_alone(world, tmp_path):
    pytest.importorskip("thorvg_python", reason="ThorVG is not installed")
    wants, said = Wants(2, 16, "uniform"), list[str]()
    parts = in_shards(lambda: Model(wants=wants), tmp_path, 2, world=world, workers=1, limit=8, say=said.append)
    folders = [text.split(" into ")[1].split(" (")[0] for text in said if text.startswith("rendering")]
    listed = [[json.loads(line)["clip_id"] for line in (Path(folder) / "clips.jsonl").open()] for folder in folders]
    assert listed == [[json.loads(line)["clip_id"] for line in (part / PREDICTIONS).open()] for part in parts[::-1]]
    with pytest.raises(UsageError, match=r"holds shard 1/1 of a rendering alone.*harness merge joins its shards"):
        made = tmp_path / "rendering"
        harness.render(world, made, split="test", limit=8, frames=2, size=16, workers=1, shard="1/1")
        harness.predict(Model(wants=wants), tmp_path / "x", world=world, frames=made, shard="1/2")


def test_clean_answers_are_merged_too(world, tmp_path):
    pytest.importorskip("thorvg_python", reason="ThorVG is not installed")
    choices = {"world": world, "workers": 1, "limit": 8}
    model = lambda: Model(wants=Wants(1, 16, "uniform"))  # noqa: E731
    harness.predict(model(), tmp_path / "one" / "mine", **choices)
    harness.predict(model(), tmp_path / "one" / "mine", **choices, as_domain="clean")
    parts = in_shards(model, tmp_path / "shards", 2, **choices)
    clean = choices | {"as_domain": "clean"}
    harness.predict(model(), parts[0], **clean, shard="1/2")
    with pytest.raises(UsageError, match="answers with --as-domain clean false, not true"):
        harness.merge(*parts, output=tmp_path / "merged" / "mine")
    harness.predict(model(), parts[1], **clean, shard="2/2", batch_size=2)
    with pytest.raises(UsageError, match="batch_size of the clean answers 2, not 4"):
        harness.merge(*parts, output=tmp_path / "merged" / "mine")
    harness.predict(model(), parts[1], **clean, shard="2/2", fresh=True)
    harness.merge(*parts, output=tmp_path / "merged" / "mine")
    assert content(tmp_path / "merged" / "mine") == content(tmp_path / "one" / "mine")


# A part


@pytest.fixture(scope="module")
def parts(world, tmp_path_factory):
    return in_shards(Model, tmp_path_factory.mktemp("parts"), world=world)


def test_a_part_is_not_scored(world, tmp_path, parts):
    for path in (parts[1], parts[1] / PREDICTIONS):
        for judge in (harness.score, harness.validate):
            with pytest.raises(UsageError, match=r"holds shard 2/3 of an entry alone.*harness merge"):
                judge(path, world=world)
    with pytest.raises(UsageError, match="harness merge"):
        harness.compare(parts[0], parts[1], world=world)
    with pytest.raises(UsageError, match="harness merge"):
        harness.submit(parts[0] / PREDICTIONS, name="mine", folder=tmp_path, world=world)
    entries, others = leaderboard.score_folder(parts[0].parent, Request(world=world))
    assert entries == [] and {each["reason"] for each in others.skipped} == {
        f"shard {number}/3 of an entry, which harness merge joins with the others" for number in (1, 2, 3)
    }


def test_a_shard_that_fails_resumes(world, tmp_path):
    with pytest.raises(HarnessError, match="tired"):
        harness.predict(Model(2, most=4), tmp_path / "2", world=world, shard="2/2")
    with pytest.raises(UsageError, match=r"not finished yet: .*2 \(shard 2 of 2\)"):
        harness.merge(tmp_path / "2", output=tmp_path / "merged")
    with pytest.raises(UsageError, match=r'holds the answers of another run .shard "2/2, clips 13 to 24 of 24'):
        harness.predict(Model(2), tmp_path / "2", world=world, shard="1/2")
    resumed = Model(2)
    made = harness.predict(resumed, tmp_path / "2", world=world, shard="2/2")
    assert (made.answered, made.expected, len(resumed.batches)) == (12, 12, 4)
    assert "shard 2 of 2" in str(made) and "harness merge" in str(made)


REFUSED = [
    ({"shard": "1/7"}, "6 batches of 4 clips cannot be cut into 7 shards; choose 6 or fewer"),
    (
        {"shard": "1/2", "limit": 3},
        "1 batch of 4 clips cannot be cut into 2 shards; choose 1, or a smaller --batch-size",
    ),
    ({"shard": "0/2"}, "expected a number and how many"),
    ({"shard": 3}, "shard=3: expected a text such as 3/8"),
    ({"shard": "1/2", "clips": "videos"}, "--clips are asked about in one process"),
    ({"shard": "env"}, "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set"),
]


@pytest.mark.parametrize("choices, said", REFUSED, ids=[said for _, said in REFUSED])
def test_what_cannot_be_cut_is_refused(world, tmp_path, choices, said, monkeypatch):
    for name in ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HarnessError) as refused:
        harness.predict(Model(), tmp_path / "mine", world=world, **choices)
    assert said in str(refused.value)
    assert not (tmp_path / "mine").exists()


def test_the_environment_names_a_shard(world, tmp_path, monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert harness.predict(Model(), tmp_path / "2", world=world, shard="env/3").shard == Shard(2, 3)
    with pytest.raises(UsageError, match="--shard cuts one run: leave --repeats out"):
        predict_repeats(Model(), tmp_path / "k", 2, world=world, shard="1/2")


# Merging


def test_shards_that_are_not_one_whole_are_refused(world, tmp_path, parts):
    whole = tmp_path / "whole"
    harness.predict(Model(), whole, world=world)
    others = in_shards(lambda: Model(seed=4), tmp_path / "others", world=world)
    halves = in_shards(Model, tmp_path / "halves", total=2, world=world)
    twice = shutil.copytree(parts[1], tmp_path / "twice")
    (tmp_path / "empty").mkdir()
    cases = [
        ([], "name the folders of the shards"),
        ([parts[0]], "shards 2 and 3 of 3 are missing; ask for them with --shard 2/3 and so on"),
        ([parts[0], parts[2]], "shard 2 of 3 is missing; ask for it with --shard 2/3"),
        ([*parts, twice], "hold the same shard 2 of 3; name one of them"),
        ([*parts, halves[0]], "shard 1 of 3, and .* is shard 1 of 2: shards of one cut can be merged"),
        ([parts[0], others[1], parts[2]], "is of another whole than .*seed.*4.*, not .*3.*; leave it out"),
        ([*parts, whole], "holds a whole entry, or the run of one, and no shard; leave it out"),
        ([*parts, tmp_path / "nowhere"], "no such folder"),
        ([*parts, tmp_path / "empty"], "holds no card.toml and no render.json"),
    ]
    for folders, said in cases:
        with pytest.raises(UsageError, match=said):
            harness.merge(*folders, output=tmp_path / "merged")
    with pytest.raises(UsageError, match="holds something already"):
        harness.merge(*parts, output=whole)
    line = json.loads((twice / PREDICTIONS).read_text().splitlines()[0])
    rest = (twice / PREDICTIONS).read_text().partition("\n")[2]
    changed = json.dumps(line | {"next_operation": "Pick"}) + "\n" + rest
    (twice / PREDICTIONS).write_text(changed)
    with pytest.raises(UsageError, match="with different contents; name the one that counts"):
        harness.merge(*parts, twice, output=tmp_path / "merged")
    with pytest.raises(UsageError, match=r"sha256 is .*, the card says"):
        harness.merge(parts[0], twice, parts[2], output=tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_of_options_those_that_differ_are_shown_and_paths_may_be_others(world, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(world).parent)
    choices = {"batch_size": 5, "limit": 10}
    harness.predict("baseline:constant", tmp_path / "1", world=world, shard="1/2", **choices)
    for place, options in (("2", {}), ("other", {"seed": "0"})):
        made = tmp_path / place
        harness.predict("baseline:constant", made, world=Path(world).name, shard="2/2", options=options, **choices)
    with pytest.raises(UsageError, match=r"\(options --option seed=0, not none\); leave it out"):
        harness.merge(tmp_path / "1", tmp_path / "other", output=tmp_path / "merged")
    assert harness.merge(tmp_path / "1", tmp_path / "2", output=tmp_path / "merged").clips == 10


def test_a_merge_into_a_shard_is_refused(parts, tmp_path):
    with pytest.raises(UsageError, match="which may be removed after the merge; choose a folder outside"):
        harness.merge(*parts, output=parts[0] / "merged")
    assert not (parts[0] / "merged").exists()


def test_a_killed_merge_leaves_nothing(parts, tmp_path, monkeypatch):
    """At every file that it writes; whoever merges next sweeps what lies beside it under a temporary name."""
    written, write = [], entries.write_entry

    def killed(folder, *_, **__):
        written.append(folder)
        (folder / PREDICTIONS).write_text("half")
        os._exit(9)

    monkeypatch.setattr(entries, "write_entry", killed)
    child = os.fork()
    if not child:
        harness.merge(*parts, output=tmp_path / "merged")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "merged").exists()
    monkeypatch.setattr(entries, "write_entry", write)
    harness.merge(*parts, output=tmp_path / "merged")
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]
    assert sorted(path.name for path in (tmp_path / "merged").iterdir()) == [CARD, PREDICTIONS]
    assert not (parts[0] / PART).exists()


def test_missing_shards_are_named_in_ranges():
    assert _shards([2]) == "shard 2"
    assert _shards([2, 3]) == "shards 2 and 3"
    assert _shards([1, 4, 5, 6, 8]) == "shards 1, 4 to 6 and 8"
