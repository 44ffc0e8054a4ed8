"""Training: it resumes after a kill, survives a full memory, and takes the same step on two processes."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from finetune import config as configs
from finetune import train as training
from finetune.checkpoint import State, newest_checkpoint
from finetune.config import Config
from finetune.run_log import Log, read_log, used_memory_gib
from finetune.train import TrainingError, learning_rate, train
from tests.support import two_processes
from tests.support.finetune_material import QLORA, TWIN, placed, renderings
from tests.support.training_runs import accumulating, drive, equal, parameters

SMALL = replace(TWIN, batch=4, steps=6, threads=1, evaluate_clips=2)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return renderings(tmp_path_factory.mktemp("frames"), train=24, validation=8)


@pytest.fixture(autouse=True)
def updates_alone(monkeypatch):
    """Leave out what a run does beside updates: test_plan.py has the plan, test_chain.py free answers and the curve."""
    monkeypatch.setattr(training, "estimate_peak_gib", lambda *arguments, **options: 1.0)
    monkeypatch.setattr("finetune.generate.MAX_TOKENS", 4)
    monkeypatch.setattr("finetune.run_log.draw_loss", lambda rows, path: path.write_bytes(b""))


def test_a_run_that_was_killed_ends_as_the_uncut_one(frames, python, tmp_path):
    """Bit for bit: kill -9 after a checkpoint and one of two passes; `make proof` kills at random."""
    config = accumulating(frames, steps=2)
    cut, uncut = tmp_path / "cut", tmp_path / "uncut"
    ends = drive(config, str(uncut), f"{cut}:4", str(cut), python=python)
    assert ends == [(0, True), (-9, True), (0, True)]
    assert equal(cut, uncut)
    for run in (cut, uncut):
        assert [row["step"] for row in read_log(run / "log.jsonl") if "loss" in row] == [1, 2]


def test_a_run_stopped_in_time_and_resumed_ends_as_the_uncut_one(frames, tmp_path):
    """`max_hours` stops after the update under way, with a model that answers and its record; the same call resumes."""
    config = placed(SMALL, frames, steps=3)
    train(config, tmp_path / "uncut")
    while train(config, tmp_path / "cut", max_hours=0.0).updates < config.steps:
        assert (tmp_path / "cut" / "best" / "model.safetensors").is_file()
        assert json.loads((tmp_path / "cut" / "training.json").read_text())["best_update"] == 1
    assert equal(tmp_path / "cut", tmp_path / "uncut")


def test_out_of_memory_halves_the_batch(frames, tmp_path, monkeypatch):
    """The step is made all the same, with the same gradients, and the event is on record."""
    config = placed(SMALL, frames, steps=2)
    train(config, tmp_path / "enough")
    forward = training.Answerer.forward

    def scarce(self, batch, *rest):
        if len(batch["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, batch, *rest)

    monkeypatch.setattr(training.Answerer, "forward", scarce)
    state = train(config, tmp_path / "scarce")
    assert (state.batch, state.ooms) == (2, [{"step": 0, "batch": 2}])
    record = json.loads((tmp_path / "scarce" / "training.json").read_text())
    assert record["oom_events"] == 1
    for name, value in parameters(tmp_path / "enough").items():
        torch.testing.assert_close(parameters(tmp_path / "scarce")[name], value, rtol=1e-3, atol=1e-5)


def test_memory_that_does_not_hold_one_clip_is_an_error(frames, tmp_path, monkeypatch):
    def full(self, *arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(training.Answerer, "forward", full)
    with pytest.raises(TrainingError, match="out of memory, in a pass of one clip: take fewer"):
        train(placed(SMALL, frames), tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    assert (record["ooms"], record["steps"]) == ([{"step": 0, "batch": 0}], 0)


@pytest.fixture(scope="module")
def together(frames, python, tmp_path_factory):
    """Folder with the runs of tests.support.two_processes beside `one`, their first run by one process."""
    folder = tmp_path_factory.mktemp("together")
    changes = {"quantise": False, "compute": "fp32", "checkpointing": False, "optimizer": "adamw", "prompt": "short"}
    config = replace(QLORA, **changes, batch=2, accumulation=4, dropout=0.1, augment=True, steps=2)
    config = placed(config, frames, evaluate_clips=3, threads=1)
    configs.write(config, folder)
    launcher = two_processes.launch("tests.support.two_processes", str(folder), python=python)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finetune.evaluate.BATCH", {"cpu": 1})
        patch.setattr("finetune.evaluate.FREE_CLIPS", 2)
        patch.setattr("finetune.generate.MAX_TOKENS", 4)
        patch.setattr("finetune.run_log.draw_loss", lambda rows, path: path.write_bytes(b""))
        patch.setattr(training, "estimate_peak_gib", lambda *arguments, **options: 1.0)
        train(config, folder / "one")
        said = launcher.communicate(timeout=500)[0]
        seen = [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]
        assert launcher.returncode != 0 and not any(Path(f"/proc/{one['pid']}").exists() for one in seen), said
        train(config, folder / "killed")
    return folder, seen


@pytest.mark.parametrize("run", ["two", "killed"])
def test_two_processes_take_the_step_of_one(run, together):
    """accelerate, gloo: 2 processes x 2 passes x batch 2 as 1 x 4 x 2, to 1e-6, with dropout and augmentation.

    The run whose second process was killed has ended in both, and was resumed by one.
    """
    folder, _ = together
    beside, alone = parameters(folder / run), parameters(folder / "one")
    worst = max(float((beside[name] - alone[name]).abs().max()) for name in alone if name.startswith("parameter/"))
    assert worst < 1e-6
    rows, expected = read_log(folder / run / "log.jsonl"), read_log(folder / "one" / "log.jsonl")
    for row, other in zip(rows, expected, strict=True):
        for name in {"loss", "label_loss", "norm", "lr", "validation"} & other.keys():
            assert row[name] == pytest.approx(other[name], rel=1e-5), name
    texts = [(folder / name / "validation.jsonl").read_text() for name in (run, "one")]
    assert texts[0] == texts[1] and texts[0].count("\n") == 3


def test_a_batch_halved_in_one_process_is_halved_and_on_record_in_all(together):
    """Memory of the second process holds one clip; by its clock, the time is over."""
    folder, seen = together
    assert [(one["batch"], one["updates"]) for one in seen] == [(1, 1)] * 2
    record = json.loads((folder / "scarce" / "training.json").read_text())
    assert record["ooms"] == [{"step": 0, "batch": 1, "process": 1}] and record["oom_events"] == 1
    assert read_log(folder / "scarce" / "log.jsonl")[0] == {"step": 1, "out_of_memory": {"batch": 1, "process": 1}}


def test_a_batch_that_is_left_open_is_the_same_in_all_processes(together):
    """Their plans say 5 and 6, and the memory of the second one holds 3 clips."""
    folder, seen = together
    assert [one["decided"] for one in seen] == [3, 3] and configs.read(folder / "open" / configs.NAME).batch == 3


def test_memory_that_does_not_suffice_in_one_process_ends_all(together):
    folder, seen = together
    for one in seen:
        assert one["said"].startswith("out of memory in process 1 of 2, counted from 0, in a pass of one clip: take ")
    record = json.loads((folder / "full" / "training.json").read_text())
    assert record["ooms"] == [{"step": 0, "batch": 0, "process": 1}] and record["oom_events"] == 1


def test_the_loss_does_not_depend_on_the_batch(frames, tmp_path):
    """Without dropout: adapters, 8 clips an update in passes of 8, 3 and 1."""
    changes = {"quantise": False, "compute": "fp32", "checkpointing": False, "optimizer": "adamw", "clips": 8}
    config = placed(replace(QLORA, **changes), frames, steps=2, threads=1, evaluate_clips=1, cache_gb=0.0)
    losses = []
    for batch in (8, 3, 1):
        folder = tmp_path / str(batch)
        # Passes of three do not divide eight: an update has its clips whatever the batch.
        state = train_few(replace(config, batch=8, accumulation=1), folder, batch)
        assert state.clips == 16
        losses.append([row["loss"] for row in read_log(folder / "log.jsonl") if "loss" in row])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5) and losses[2] == pytest.approx(losses[0], rel=1e-5)


def train_few(config: Config, folder: Path, batch: int) -> State:
    """Train in passes of so many clips, whatever the config says of an update."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_validate", lambda *arguments: None)
        patch.setattr(training, "State", lambda batch_size=batch, **_: State(batch=batch_size))
        return train(config, folder)


def test_a_batch_that_is_left_open_is_decided_once(frames, tmp_path):
    """By the plan and a first pass, which holds 3 clips here; it is written to the run's config and kept at resume."""
    forward = training.Answerer.forward

    def scarce(self, batch, *rest):
        if len(batch["input_ids"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, batch, *rest)

    config = placed(SMALL, frames, steps=1, batch=0, accumulation=0, clips=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_validate", lambda *arguments: None)
        patch.setattr(training.Answerer, "forward", scarce)
        patch.setattr(training, "plan_memory", lambda *arguments, **_: SimpleNamespace(config=SimpleNamespace(batch=5)))
        train(config, tmp_path)
        patch.setattr(training, "plan_memory", None)
        state = train(replace(config, steps=2), tmp_path)
    assert (state.batch, configs.read(tmp_path / configs.NAME).batch, state.clips, state.ooms) == (3, 3, 64, [])


def test_a_run_corrects_its_plan(frames, tmp_path, capsys, monkeypatch):
    """After its third update here: seconds an update and memory beside the planned ones, and the end by the clock."""
    monkeypatch.setattr("finetune.planning.correction.AFTER", 3)
    monkeypatch.setattr(training, "_validate", lambda *arguments: None)
    planned = SimpleNamespace(update=0.25, evaluation=1.0)
    monkeypatch.setattr(training, "planned_durations", lambda *arguments, **_: planned)
    # The numbers of another process, which is a second an update slower.
    slower = lambda self, value: [value, value + 1.0] if isinstance(value, float) else [value]  # noqa: E731
    monkeypatch.setattr(training.Processes, "gather", slower)
    config = placed(SMALL, frames, steps=400, batch=2, clips=4)
    state = train(config, tmp_path, fit_hours=0.0005)
    said = capsys.readouterr().err
    assert re.search(
        r"3/400: an update takes \d+\.\d\d s \(planned 0\.25\), memory .* GiB \(planned .*\); .* left, until", said
    )
    assert re.search(r"more than 0\.0 h: \d+ updates from here on", said)
    assert 3 < state.updates == state.fitted_steps < 400
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["planned_update_s"] == 0.25 and record["measured_update_s"] > 1


def scaled(by: float, monkeypatch) -> None:
    """The loss of every pass times `by`; `register_hook` makes infinite gradients of a finite one."""
    forward = training.Answerer.forward

    def changed(self, *arguments):
        found = forward(self, *arguments)
        if math.isfinite(by):
            found.total.register_hook(lambda gradient: gradient * math.inf)
        return found._replace(total=found.total * by)

    monkeypatch.setattr(training.Answerer, "forward", changed)


INFINITE = [(1.0, "infinite gradients: lower lr"), (math.inf, "an infinite loss: .* does not fit fp32")]


@pytest.mark.parametrize(("by", "said"), INFINITE)
def test_infinite_updates_are_skipped_and_stop_a_run_in_the_end(by, said, frames, tmp_path, monkeypatch):
    """A skipped update moves nothing: neither weights nor the schedule."""
    scaled(by, monkeypatch)
    with pytest.raises(TrainingError, match=f"3 updates in a row had {said}"):
        train(placed(SMALL, frames, max_skipped=2), tmp_path)
    before, after = (load_file(path / "state.safetensors") for path in sorted((tmp_path / "checkpoints").iterdir())[:2])
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_one_folder_holds_one_run(frames, tmp_path):
    train(placed(SMALL, frames, steps=1), tmp_path)
    with pytest.raises(TrainingError, match="a run with another lr"):
        train(placed(SMALL, frames, steps=1, lr=1e-4), tmp_path)
    assert train(placed(SMALL, frames, steps=2), tmp_path).updates == 2


def test_a_run_can_begin_with_the_weights_of_another(frames, tmp_path):
    config = placed(SMALL, frames, steps=1, evaluate_every=1, evaluate_clips=4)
    train(config, tmp_path / "first")
    train(replace(config, seed=5, lr=1e-12), tmp_path / "second", start=tmp_path / "first" / "best")
    first, second = parameters(tmp_path / "first"), parameters(tmp_path / "second")
    for name, value in first.items():
        if name.startswith("parameter/"):
            torch.testing.assert_close(second[name], value, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("update", "expected", "why"),
    [
        (0, 0.1, "a tenth of ten warm-up updates"),
        (9, 1.0, "the end of the warm-up"),
        (10, 1.0, "the peak"),
        (105, 0.55, "half of the cosine, between 1 and 0.1"),
        (200, 0.1, "the end"),
    ],
)
def test_the_learning_rate_rises_and_falls(update, expected, why):
    config = replace(TWIN, steps=200, warmup=0.05, lr=1.0)
    assert learning_rate(config, update) == pytest.approx(expected), why


def test_memory_on_a_shared_card_is_the_process_own(monkeypatch):
    """What torch has reserved at its peak and the plan's share for CUDA's context, whatever else is on the card."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda: 5 * 2**30)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (0, 80 * 2**30))
    assert used_memory_gib() == pytest.approx(5.6)


def test_a_torn_log_is_repaired(tmp_path):
    rows = [{"step": step, "loss": 1.0} for step in (1, 2, 3)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "log.jsonl").write_text(text + '{"step": 4, "lo')
    Log(tmp_path, State(step=2), SMALL)
    assert read_log(tmp_path / "log.jsonl") == rows[:2]


def test_only_whole_checkpoints_are_resumed_and_few_are_kept(frames, tmp_path):
    config = placed(SMALL, frames, steps=4, keep=2)
    train(config, tmp_path)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["000003", "000004"]
    (tmp_path / "checkpoints" / ".partial").mkdir()
    assert newest_checkpoint(tmp_path).name == "000004"
    assert json.loads((newest_checkpoint(tmp_path) / "state.json").read_text())["state"]["updates"] == 4
    assert asdict(configs.read(tmp_path / configs.NAME)) == asdict(config)
