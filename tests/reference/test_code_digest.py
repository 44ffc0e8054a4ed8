"""Derived files never outlive the code they were made with: what a digest covers, and what it leaves out.

The closure is read off import lines; here it is compared with what a fresh process really imports while it works.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reference import code_digest as digests
from reference.code_digest import code_digest, code_files

ROOT = Path(digests.__file__).parent.parent

# entry, the work that it stands for, and a module that some other input of the same work would import
WORK = {
    "truth": (
        "reference.truth.store",
        "from reference.truth.store import open_truth; open_truth('canonical-v1', 'validation').close()",
    ),
    "scores": (
        "harness.scoring.score",
        "import harness, sys; harness.score(sys.argv[1] + '/submissions/constant/predictions.jsonl')",
    ),
}


@pytest.mark.parametrize(("entry", "code"), WORK.values(), ids=WORK)
def test_a_fresh_process_imports_nothing_that_the_digest_leaves_out(tmp_path, entry, code):
    """In a home of its own: where truth or score are looked up, less is imported."""
    shown = "import json; print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in %r]))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; {shown % (digests.OURS,)}", str(ROOT)],
        cwd=ROOT,
        env=os.environ | {"HARNESS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {Path(file).relative_to(ROOT).as_posix() for file in json.loads(done.stdout)}
    covered = set(code_files(entry))
    assert imported and imported - covered == set()
    assert {name for name in covered if name.startswith("reference/truth/sql/")}, "data files belong to it"


OUTSIDE = (
    "harness/report/render.py",
    "harness/report/static/style.css",
    "harness/commands/world/making.py",
    "reference/drawing/effects.py",
    "reference/drawing/scenery/goods.py",
    "finetune/train.py",
    "reference/worlds/warehouse-v2.md",
)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A copy of the packages in which files may be changed."""
    for package in digests.OURS:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(digests, "_root", lambda package: tmp_path / package)
    return tmp_path


@pytest.mark.parametrize("entry", [entry for entry, _ in WORK.values()], ids=WORK)
def test_one_byte_of_any_covered_file_changes_the_digest_and_no_other_does(house, entry, monkeypatch):
    """Each covered file alone, and all others at once. Folders are walked once: no file comes or goes."""
    walked = {package: list(digests._package_files(package)) for package in digests.OURS}
    monkeypatch.setattr(digests, "_package_files", walked.__getitem__)
    fresh = code_digest.__wrapped__
    before, covered = fresh(entry), code_files(entry)
    files = [path for package in digests.OURS for path in (house / package).rglob("*") if path.is_file()]
    outside = [path for path in files if path.relative_to(house).as_posix() not in covered]
    for path in files:
        if path not in outside:
            content = path.read_bytes()
            path.write_bytes(content + b"\n")
            assert fresh(entry) != before, path
            path.write_bytes(content)
    for path in outside:
        path.write_bytes(path.read_bytes() + b"\n")
    assert len(files) == len(outside) + len(covered)
    assert fresh(entry) == before
    assert [name for name in OUTSIDE if name in covered] == []
    assert [name for name in OUTSIDE if not (house / name).exists()] == []


def test_a_module_that_is_imported_from_now_on_is_covered_from_now_on(house):
    (house / "reference" / "fresh.py").write_text("VALUE = 1\n")
    task = house / "reference" / "task.py"
    assert "reference/fresh.py" not in code_files("reference.task")
    task.write_text(task.read_text() + "\n\ndef late():\n    from reference import fresh\n")
    digests._imports.cache_clear()
    assert "reference/fresh.py" in code_files("reference.task")


def test_imports_for_type_checkers_alone_do_not_count(house):
    (house / "reference" / "fresh.py").write_text("VALUE = 1\n")
    errors = house / "reference" / "errors.py"
    text = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from reference import fresh\n\nX = 1\n"
    errors.write_text(text + errors.read_text())
    digests._imports.cache_clear()
    assert "reference/errors.py" in code_files("reference.errors")
    assert "reference/fresh.py" not in code_files("reference.errors")


def test_an_entry_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError, match=r"no module harness\.nothing"):
        code_files("harness.nothing")
