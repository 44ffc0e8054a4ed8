"""Tasks of other tools: the questions and pictures of a rendering, under its clip ids, and nothing of the truth."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest
import yaml

from harness.errors import UsageError
from harness.prediction.other_tools.tasks import TOOLS, WrittenTask, write_task
from harness.worlds.rendering import render
from reference.resources import text
from tests.support import hand

CLIPS = 2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "few.toml"
    path.write_text(hand.tiny_world(1, 4).replace('name = "tiny"', 'name = "few"'))
    return str(path)


@pytest.fixture(scope="module")
def rendering(world, tmp_path_factory):
    """A rendering of an open split, beside whose pictures their truth lies."""
    folder = tmp_path_factory.mktemp("rendering") / "pictures"
    render(world, folder, split="validation", size=32, limit=CLIPS, workers=1)
    assert (folder / "truth.jsonl").exists()
    return folder


@pytest.fixture(scope="module", params=TOOLS)
def task(request, world, rendering, tmp_path_factory):
    """A task of each tool."""
    folder = tmp_path_factory.mktemp("task") / "task"
    written = write_task(request.param, folder, world=world, split="validation", frames=rendering)
    assert written.clips == CLIPS < written.expected
    return request.param, folder


def rows(folder):
    return [json.loads(line) for line in (folder / "clips.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_task_holds_ids_prompts_and_pictures_of_the_rendering_and_no_more(task, rendering):
    """Every byte is accounted for: so none is of the truth, which lies beside these pictures."""
    tool, folder = task
    expected = {
        name: text("harness.prediction.other_tools", "templates", tool, f"{name}.txt").encode()
        for name in TOOLS[tool].files
    }
    lines = []
    for row in sorted(rows(rendering), key=lambda row: row["clip_id"]):
        expected |= {name: (rendering / name).read_bytes() for name in row["frames"]}
        lines.append({name: row[name] for name in ("clip_id", "frames", "prompt")})
    assert rows(folder) == lines
    expected["clips.jsonl"] = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == expected


def test_a_split_without_a_rendering_is_drawn(world, tmp_path):
    assert write_task("inspect", tmp_path / "task", world=world, workers=1) == WrittenTask(4, 4)
    pictures = [name for row in rows(tmp_path / "task") for name in row["frames"]]
    assert len(pictures) == 4 * 8 and all((tmp_path / "task" / name).stat().st_size for name in pictures)


def test_what_is_no_new_folder_and_no_rendering_of_the_split_is_refused(world, rendering, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write_task("inspect", tmp_path, world=world, split="validation", frames=rendering)
    with pytest.raises(UsageError, match="shows few / validation, expected few / test"):
        write_task("inspect", tmp_path / "task", world=world, frames=rendering)
    render(world, tmp_path / "video", form="video", size=32, limit=1, workers=1)
    with pytest.raises(UsageError, match="render it with --as frames"):
        write_task("inspect", tmp_path / "task", world=world, frames=tmp_path / "video")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note.txt", "video"]


def module(path):
    """Return a Python file of a task as a module; it leaves no cache in the folder."""
    spec = importlib.util.spec_from_file_location(f"task_{path.stem}", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_files_of_lmms_eval_fit_each_other(world, rendering, tmp_path, monkeypatch):
    """As its loader reads them: `!function file.name` is a function of a file beside the YAML."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write_task("lmms-eval", tmp_path / "task", world=world, split="validation", frames=rendering)

    class Loader(yaml.SafeLoader):
        """Reader of the tool's tag."""

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    config = yaml.load((tmp_path / "task" / "warehouse.yaml").read_text(), Loader)
    assert (config["task"], config["dataset_kwargs"]) == ("warehouse", {"data_files": {"test": "clips.jsonl"}})
    assert config["doc_to_text"] == "prompt", "a column of clips.jsonl"
    utils, row = module(tmp_path / "task" / "utils.py"), rows(tmp_path / "task")[0]
    named = [config[key] for key in ("doc_to_visual", "process_results")] + [config["metric_list"][0]["aggregation"]]
    visual, results, number = (getattr(utils, name.removeprefix("utils.")) for name in named)
    assert [picture.size for picture in visual(row)] == [(32, 32)] * 8
    assert results(row, ["..."]) == {config["metric_list"][0]["metric"]: {"clip_id": row["clip_id"]}}
    assert number([{}, {}]) == 2


def test_inspect_loads_its_task(world, rendering, tmp_path, monkeypatch):
    pytest.importorskip("inspect_ai")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write_task("inspect", tmp_path / "task", world=world, split="validation", frames=rendering)
    found = module(tmp_path / "task" / "warehouse.py").warehouse().dataset
    for sample, row in zip(found, rows(tmp_path / "task"), strict=True):
        assert (sample.id, sample.target) == (row["clip_id"], "")
        *pictures, prompt = sample.input[0].content
        assert prompt.text == row["prompt"]
        assert [part.image for part in pictures] == [str(tmp_path / "task" / name) for name in row["frames"]]


def test_lmms_eval_loads_its_task(world, rendering, tmp_path):
    tasks = pytest.importorskip("lmms_eval.tasks")
    write_task("lmms-eval", tmp_path / "task", world=world, split="validation", frames=rendering)
    manager = tasks.TaskManager(include_path=str(tmp_path / "task"), include_defaults=False)
    [task] = tasks.get_task_dict(["warehouse"], manager).values()
    for document, row in zip(task.test_docs(), rows(tmp_path / "task"), strict=True):
        assert task.doc_to_text(document) == row["prompt"]
        assert len(task.doc_to_visual(document)) == len(row["frames"])
