"""The run on Kaggle: its notebook, executed whole in a folder laid out as Kaggle's, and the upload.

The notebook's model is a tiny one and its clips are few; all else is the run of finetune/runs/t4.toml: nf4, adapters,
fp16, the paged optimizer, recomputed activations. Its commands are forked by a Python that has torch loaded; `make
proof` starts each of them anew.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from finetune import config as configs
from finetune.kaggle import notebook, wheelhouse
from tests.support.kaggle import BLOCKS, LIMIT, RUNS, TITLES, layout, session, shims, updates
from tests.test_structure import ROOT, settings

KAGGLE = ROOT / "finetune" / "kaggle"
SCRIPT = RUNS / "t4.sh"


def cells(kind):
    found = json.loads(notebook.NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


# The notebook


def test_the_notebook_is_what_the_script_makes():
    assert notebook.NOTEBOOK.read_text(encoding="utf-8") == notebook.text(), "python -m finetune.kaggle.notebook"


def test_the_notebook_is_valid():
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.read(notebook.NOTEBOOK, as_version=4))


def test_every_step_has_its_reasons_before_it():
    assert len(cells("markdown")) == len(cells("code")) == 1 + len(BLOCKS)
    assert all(block.text and block.code for block in BLOCKS)
    assert "# %%" not in "".join(cells("code"))


def test_nothing_of_the_script_is_lost():
    """Every line is a cell's line, with its mark where it is prose."""
    shown = {line.strip() for text in cells("code") + cells("markdown") for line in text.splitlines()}
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()[1:]
    lost = [line for line in lines if not {line.strip(), re.sub("^# ?(%% )?", "", line).strip()} & (shown | {""})]
    assert [line for line in lost if not line.startswith("# %%")] == []


# What Kaggle is told

KERNEL_KEYS = {
    "id", "id_no", "title", "code_file", "language", "kernel_type", "is_private", "enable_gpu", "enable_tpu",
    "enable_internet", "dataset_sources", "competition_sources", "kernel_sources", "model_sources", "machine_shape",
    "docker_image", "keywords",
}  # fmt: skip
DATASET_KEYS = {"id", "id_no", "title", "subtitle", "description", "licenses", "resources", "keywords"}


def metadata(name):
    return json.loads((KAGGLE / name).read_text(encoding="utf-8"))


def test_kernel_metadata():
    kernel = metadata("kernel-metadata.json")
    assert set(kernel) <= KERNEL_KEYS
    assert kernel["id"] == "USERNAME/" + kernel["title"].lower().replace(" ", "-")  # Kaggle makes the slug of the title
    assert kernel["machine_shape"] == "NvidiaTeslaT4" and kernel["enable_gpu"] is True
    assert kernel["enable_internet"] is False  # left out, the client says true
    assert kernel["dataset_sources"] == [metadata("dataset-metadata.json")["id"]]
    assert (KAGGLE / kernel["code_file"]).is_file()


def test_dataset_metadata():
    dataset = metadata("dataset-metadata.json")
    assert set(dataset) <= DATASET_KEYS and len(dataset["licenses"]) == 1
    assert 6 <= len(dataset["title"]) <= 50 and 20 <= len(dataset["subtitle"]) <= 80
    assert dataset["id"] == "USERNAME/" + dataset["title"].lower().replace(" ", "-")


def test_the_config_is_the_default_but_for_the_place():
    raw = tomllib.loads((RUNS / "t4.toml").read_text(encoding="utf-8"))
    assert set(raw) == {"weights", "train", "validation"}
    configs.read(RUNS / "t4.toml")
    assert raw["weights"] == "/kaggle/input/models/" + metadata("kernel-metadata.json")["model_sources"][0]


# The wheelhouse


def asked_in_setup_cfg():
    """Return the requirements of the package and of the extras that the notebook uses."""
    parts = [settings()["options"]["install_requires"]]
    parts += [settings()["options.extras_require"][extra] for extra in wheelhouse.EXTRAS]
    return [Requirement(line) for part in parts for line in part.strip().splitlines()]


def test_everything_that_is_needed_is_brought_or_there():
    assert wheelhouse.unmet_requirements([("setup.cfg", asked_in_setup_cfg())], wheelhouse.available_versions()) == []


def test_the_image_keeps_what_is_built_for_it():
    brought, there = set(wheelhouse.wheel_versions()), set(wheelhouse.parse_pins(wheelhouse.read_list("image.txt")))
    assert brought & there == set() and {"torch", "numpy", "pandas", "scipy"} <= there


UNMET = [
    ("torch>=2.6", {"torch": "2.11.0"}, [], "there"),
    ("torch>=2.6", {"torch": "2.5.1"}, ["x: torch>=2.6, available: 2.5.1"], "too old"),
    ("torch>=2.6", {}, ["x: torch>=2.6, available: None"], "not there"),
    ("hf_xet<2", {"hf-xet": "1.8.0"}, [], "spelt otherwise"),
    ('tomli; python_version < "3.11"', {}, [], "not for this Python"),
    (
        'decord; platform_machine == "x86_64"',
        {},
        ['x: decord; platform_machine == "x86_64", available: None'],
        "for it",
    ),
    ('mpi; extra == "multi"', {}, [], "of an extra that nobody asked for"),
]


@pytest.mark.parametrize(("text", "there", "expected", "why"), UNMET, ids=[case[3] for case in UNMET])
def test_what_is_unmet(text, there, expected, why):
    assert wheelhouse.unmet_requirements([("x", [Requirement(text)])], there) == expected


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    wheelhouse.build_own_wheel(folder, "--no-build-isolation", "--no-index")
    return next(folder.glob("*.whl"))


def test_the_upload_names_its_owner_and_the_run_that_it_resumes(tmp_path, monkeypatch):
    """Without the download, which needs a network."""
    for step in ("download", "install"):
        monkeypatch.setattr(wheelhouse, step, lambda *arguments: None)
    wheelhouse.gather(tmp_path, "me", "me/warehouse-harness-t4")
    kernel = json.loads((tmp_path / "kernel" / "kernel-metadata.json").read_text(encoding="utf-8"))
    assert kernel["kernel_sources"] == ["me/warehouse-harness-t4"]
    text = (KAGGLE / "kernel-metadata.json").read_text(encoding="utf-8").replace("USERNAME", "me")
    assert kernel | {"kernel_sources": []} == json.loads(text)
    assert (tmp_path / "kernel" / kernel["code_file"]).is_file()


def test_the_wheel_holds_all_that_the_notebook_runs(wheel):
    names = set(ZipFile(wheel).namelist())
    for folder in (RUNS, KAGGLE):
        files = {path.relative_to(ROOT).as_posix() for path in folder.iterdir() if path.is_file()}
        assert {name for name in files if not name.endswith(".md")} <= names


def test_the_wheel_asks_for_what_setup_cfg_does(wheel):
    found = {one.name for one in wheelhouse.read_requirements(wheel) if one.marker is None}
    assert found == {one.name for one in asked_in_setup_cfg() if one.marker is None}


# Steps of the script, with python and nvidia-smi played


def run_block(title, env):
    code = BLOCKS[0].code + "\n" + BLOCKS[TITLES.index(title)].code
    return subprocess.run(["bash", "-c", code], env=env, capture_output=True, text=True)


MISSING = [("Install, offline", "the dataset warehouse-harness-wheels"), ("Train", "the model Qwen2.5-VL")]


@pytest.mark.parametrize(("title", "missing"), MISSING)
def test_a_missing_input_is_named(title, missing, tmp_path):
    done = run_block(title, layout(tmp_path))
    assert done.returncode == 1 and f"attach {missing}" in done.stdout + done.stderr


LAYOUTS = [
    ("models/qwen-lm/qwen2.5-vl/transformers/3b-instruct/2", "notebooks/me/run-1", "today"),
    ("qwen2.5-vl/transformers/3b-instruct/1", "run-1", "until 2025"),
]
ALONE, BOTH = ["-m"], ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "--"]


@pytest.mark.parametrize(("gpus", "launched"), [(1, ALONE), (2, BOTH)], ids=["one GPU", "two"])
@pytest.mark.parametrize(("weights", "earlier", "when"), LAYOUTS, ids=[case[2] for case in LAYOUTS])
def test_how_training_is_started(weights, earlier, when, gpus, launched, tmp_path):
    env = layout(tmp_path)
    path = shims(tmp_path / "bin", python="printf '%s\\n'", **{"nvidia-smi": "seq " + str(gpus) + " #"})
    model = tmp_path / "input" / weights
    states = [tmp_path / "input" / earlier / f"run/checkpoints/{step:06}/state.json" for step in (60, 90)]
    for file in (model / "config.json", *states):
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    done = run_block("Train", env | {"PATH": path, "HARNESS_TRAIN_CONFIG": ""})
    run = tmp_path / "working" / "run"
    said, *words = done.stdout.splitlines()
    assert said == f"resuming from update 000090 in {tmp_path / 'input'}", done.stderr
    assert words[: len(launched) + 1] == [*launched, "finetune.train"]
    assert words[-8:] == [
        "--run",
        str(run),
        "--frames",
        str(tmp_path / "temp/frames"),
        "--max-hours",
        "10",
        "--set",
        f"weights={model}",
    ]
    assert len(list((run / "checkpoints").iterdir())) == 2


# The whole run


@pytest.fixture(scope="module")
def first_session(tmp_path_factory, wheel, home, python):
    """Run a whole session, over before the run is; `make proof` attaches its output to a second one."""
    for name in ("nbclient", "nbformat", "ipykernel", "torch", "peft", "bitsandbytes"):
        pytest.importorskip(name)
    return session(tmp_path_factory.mktemp("first"), wheel, home, hours="0.00001", python=python)


def test_a_session_leaves_answers_score_page_and_adapter(first_session):
    working, printed = first_session
    for file in (
        "submissions/qwen2.5-vl-3b/predictions.jsonl",
        "submissions/qwen2.5-vl-3b/card.toml",
        "score.json",
        "report.html",
        "run/best/adapter/adapter_model.safetensors",
    ):
        assert (working / file).stat().st_size > 0, file
    score = json.loads((working / "score.json").read_text())
    assert score["submission"]["sources"] == {"model": LIMIT, "repaired": 0, "fallback": 0}
    assert f"{LIMIT} of 2,880 clips" in printed


def test_a_session_stops_in_time(first_session):
    """After one of two updates, with all that the next session resumes from."""
    run = first_session[0] / "run"
    assert len(updates(first_session[0])) == 1 and json.loads((run / "training.json").read_text())["steps"] == 1
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["000001"]


def test_frames_and_packages_are_not_in_the_output(first_session):
    """20 GB and 500 files are kept at most."""
    files = [path for path in first_session[0].rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".jpg", ".whl", ".py")] and len(files) < 40


def test_the_code_is_the_wheels(first_session):
    """Not this checkout's, which the environment may have installed."""
    site = first_session[0].parent / "temp" / "site"
    assert (site / "finetune" / "runs" / "t4.toml").is_file() and (site / "harness").is_dir()
