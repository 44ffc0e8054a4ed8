"""One place resolves names: every kind of name gives an Origin that answers truth, process and seal."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from reference import process, task
from reference.errors import TruthError, WorldError
from reference.process.world import load_world
from reference.truth.catalog import locate, names
from reference.truth.imported import import_world
from reference.truth.sealed import REGISTERED, WORLD_FILE, make_secret
from tests.support import ROOT

WORLDS = Path(process.__file__).parent.parent / "worlds"
ROW = {"clip_id": "a", "dominant_operation": "Tape", "start_frame": 3, "end_frame": 90, "next_operation": "Label"}


@pytest.fixture
def here(tmp_path):
    """A home with an imported world `mine` and a sealed split `secret`, and a world file beside it."""
    home = tmp_path / "home"
    rows = tmp_path / "mine.jsonl"
    rows.write_text("".join(json.dumps(ROW | {"clip_id": name}) + "\n" for name in "ab"))
    import_world([rows], home, name="mine")
    folder = home / "sealed" / "secret"
    folder.mkdir(parents=True)
    shutil.copy(WORLDS / "canonical-v1.toml", folder / WORLD_FILE)
    shutil.copy(WORLDS / "canonical-v1.toml", tmp_path / "own-x2.toml")
    make_secret(tmp_path / "key.json")
    seal = {"name": "secret", "split": "test", "commitment": "c" * 64, "secret_file": str(tmp_path / "key.json")}
    (folder / REGISTERED).write_text(json.dumps(seal))
    return home


# name, kind, scale, sealed, the splits, why
NAMES = [
    ("canonical-v1", "synthetic", 1, False, None, "a world that ships"),
    ("canonical-v1-x3", "synthetic", 3, False, None, "the same with three times the sessions"),
    ("own-x2.toml", "synthetic", 1, False, None, "a path, whatever its name ends in"),
    ("mine", "imported", 1, False, ("test",), "an imported world"),
    ("secret", "synthetic", 1, True, ("test",), "a sealed split"),
]


@pytest.mark.parametrize(("name", "kind", "scale", "sealed", "splits", "why"), NAMES, ids=[case[5] for case in NAMES])
def test_a_name_is_resolved_to_all_that_is_asked_of_it(name, kind, scale, sealed, splits, why, here, tmp_path):
    origin = locate(tmp_path / name if name.endswith(".toml") else name, here)
    world = load_world("canonical-v1")
    assert (origin.kind, origin.imported, origin.scale) == (kind, kind == "imported", scale)
    assert (origin.process is None) == (kind == "imported")
    assert (origin.seal is not None) == sealed
    assert origin.splits == (splits or tuple(world.splits))
    assert origin.public == (kind == "synthetic" and not sealed)
    if sealed:
        assert origin.seal.commitment == "c" * 64
        assert origin.process.key != world.key and origin.process.digest == world.digest
    with pytest.raises(TruthError, match=f"world {origin.name} has no split 'exam'; it has {origin.splits[0]}"):
        origin.check_split("exam")


def test_names_and_unknown_names(here):
    assert names(here) == ["canonical-v1", "warehouse-v2", "mine", "secret"]
    with pytest.raises(WorldError, match=r"no world 'nowhere'; there are canonical-v1, .*; imported: mine"):
        locate("nowhere", here)
    for name in ("canonical-v1-x0", "-x2", "canonical-v1-x2-x2"):
        with pytest.raises(WorldError, match="no world"):
            locate(name, here)


def test_no_other_module_reads_a_name():
    """Names are split, looked up and read from registries in truth/ alone."""
    inside = re.compile(r"-x\(\?P|registered_seal|imported_origin")
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("reference", "harness", "finetune")
        for path in (ROOT / package).rglob("*.py")
        if inside.search(path.read_text(encoding="utf-8"))
    }
    truth = {f"reference/truth/{name}.py" for name in ("catalog", "imported", "sealed")}
    registry = {"reference/sealing.py", "harness/worlds/sealing.py"}  # they write and reveal registrations
    assert found == truth | registry


def test_the_default_world_is_named_once():
    named = [
        path.relative_to(ROOT).as_posix()
        for package in ("reference", "harness", "finetune")
        for path in (ROOT / package).rglob("*.py")
        if f'"{task.DEFAULT_WORLD}"' in path.read_text(encoding="utf-8")
    ]
    assert named == ["reference/task.py"]
