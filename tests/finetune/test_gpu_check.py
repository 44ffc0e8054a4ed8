"""The check on a GPU: its table, the limits of its steps, what its archive leaves out. No step itself runs here."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from zipfile import ZipFile

import pytest

from finetune.gpu_check import archive
from finetune.gpu_check.runner import DONE, Runner
from finetune.gpu_check.steps import AIMS, GROUPS, SECONDS, Step
from finetune.gpu_check.table import LOG, RESULTS, TABLE, Results, table_text
from tests.support import ROOT

ROOM = ROOT / "finetune" / "gpu_check"
LINES = [
    {"row": "loop", "what": "update, s a clip", "planned": 0.1},
    {"step": "plan", "seconds": 3.2, "ended": "done"},
    {"row": "pass of 2", "what": "outcome", "measured": "out | of memory"},
    {"row": "loop", "what": "update, s a clip", "measured": 0.12345},
    {"row": "loop", "what": "kernels launched", "measured": 11817},
    {"row": "asking", "what": "never measured", "planned": 150.2},
]
EXPECTED = """# Card

| row | what | measured | planned | aim, at most |
| --- | --- | --- | --- | --- |
| pass of 2 | outcome | out / of memory |  |  |
| loop | update, s a clip | 0.123 | 0.1 | 0.12 |
| loop | kernels launched | 11,817 |  |  |
| asking | never measured |  | 150 |  |

| step | seconds | ended |
| --- | --- | --- |
| plan | 3 | done |
"""


def test_the_table_joins_measured_planned_and_aim():
    assert table_text("Card", LINES, AIMS) == EXPECTED


def test_a_line_is_on_disk_as_soon_as_it_is_known(tmp_path):
    results = Results(tmp_path / "results", "Card", AIMS)
    for count, line in enumerate(LINES, 1):
        results.add(line)
        written = (tmp_path / "results" / RESULTS).read_text(encoding="utf-8").splitlines()
        assert [json.loads(text) for text in written] == LINES[:count]
    assert (tmp_path / "results" / TABLE).read_text(encoding="utf-8") == EXPECTED


SAY = 'echo "{\\"row\\": \\"$0\\", \\"what\\": \\"x\\", \\"measured\\": 1}"; '
CASES = [
    ("good", SAY, 60, (), DONE),
    ("bad", SAY + "echo why >&2; exit 3", 60, (), "failed with code 3: why"),
    ("silent", "exit 3", 60, (), "failed with code 3: it said nothing"),
    ("hangs", SAY + "printf half; sleep 600 & wait", 1, (), "killed at its limit of 1 s"),
    ("after good", SAY, 60, ("good",), DONE),
    ("after hangs", SAY, 60, ("good", "hangs"), "not run: it needs hangs"),
]
"""Name of a step, its shell commands, limit, what it needs, and how it ends."""


def test_a_step_that_hangs_or_fails_costs_its_own_numbers(tmp_path):
    """A step's children are killed with it: they would keep its output open."""
    steps = [Step(name, code, limit, needs) for name, code, limit, needs, _ in CASES]
    results = Results(tmp_path, "Card", {})
    runner = Runner(results, lambda step: ["bash", "-c", step.function, step.name], time.monotonic() + 600)
    assert not runner.run([steps[:4], steps[4:]], together=True)
    ended = {line["step"]: line["ended"] for line in results.lines if "ended" in line}
    assert ended == {name: expected for name, *_, expected in CASES}
    assert {line["row"] for line in results.lines if "row" in line} == {"good", "bad", "hangs", "after good"}
    assert "== bad\nwhy\n" in (tmp_path / LOG).read_text(encoding="utf-8")


def test_an_interrupted_check_leaves_no_step_behind(tmp_path, monkeypatch):
    def interrupt(line):
        raise KeyboardInterrupt

    results = Results(tmp_path, "Card", {})
    monkeypatch.setattr(results, "add", interrupt)
    runner = Runner(results, lambda step: ["bash", "-c", "echo {}; sleep 600"], time.monotonic() + 600)
    with pytest.raises(KeyboardInterrupt):
        runner.run([[Step("step", "", 600)]], together=True)
    assert [process.wait(10) for process in runner.processes] == [-9]


def test_a_step_begins_only_in_time(tmp_path):
    results = Results(tmp_path, "Card", {})
    assert not Runner(results, lambda step: ["true"], time.monotonic() + 1).run(
        [[Step("late", "", 60)]], together=False
    )
    assert results.lines[0]["ended"] == "not run: the time of the check is over"


def test_steps_name_functions_and_steps_that_exist():
    """Functions are looked for in the source: importing them takes seconds."""
    names: set[str] = set()
    for group in GROUPS:
        for step in group:
            module, function = step.function.split(":")
            tree = ast.parse((ROOM / f"{module}.py").read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert set(step.needs) <= names and step.limit_s < SECONDS
        names |= {step.name for step in group}


def test_a_machine_without_a_gpu_is_told_so(tmp_path):
    words = [sys.executable, "-m", "finetune.gpu_check", str(tmp_path), "--results", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: nvidia-smi names no GPU here; --rehearse runs the check on a CPU\n"


ENTRIES = [
    ("bitsandbytes/libbitsandbytes_cuda130.so", True, "kernels of the machine's torch"),
    ("bitsandbytes/libbitsandbytes_cuda118.so", False, "of another version"),
    ("bitsandbytes/libbitsandbytes_rocm714.so", False, "of other cards"),
    ("bitsandbytes/libbitsandbytes_cpu.so", True, "loaded at import"),
    ("bitsandbytes/functional.py", True, "code"),
    ("bitsandbytes-1.0.dist-info/METADATA", True, "versions are looked up"),
    ("peft/tests/test_x.py", False, "tests"),
    ("duckdb/__init__.pyi", False, "types"),
    ("zstandard/_cffi.cpython-312-x86_64-linux-gnu.so", False, "a second backend"),
]


@pytest.mark.parametrize(("entry", "expected", "why"), ENTRIES, ids=[case[2] for case in ENTRIES])
def test_what_the_archive_holds(entry, expected, why):
    assert archive.is_opened(entry, ["13.0"]) == expected


def wheel(folder, name, *entries):
    with ZipFile(folder / name, "w") as written:
        for entry in entries:
            written.writestr(entry, entry)
    return folder / name


def test_wheels_become_one_thinned_archive(tmp_path):
    wheels = [
        wheel(tmp_path, "a.whl", *(entry for entry, _, _ in ENTRIES)),
        wheel(tmp_path, "b.whl", "b/__init__.py", "b.dist-info/METADATA"),
    ]
    archive.join_wheels(wheels, tmp_path / archive.NAME, ["13.0"])
    with ZipFile(tmp_path / archive.NAME) as joined:
        assert {entry: joined.read(entry).decode() for entry in joined.namelist()} == {
            entry: entry
            for entry in [*(entry for entry, held, _ in ENTRIES if held), "b/__init__.py", "b.dist-info/METADATA"]
        }
    with pytest.raises(archive.ArchiveError, match=r"no kernels for CUDA 12\.6; name another version with --cuda"):
        archive.join_wheels(wheels, tmp_path / archive.NAME, ["12.6"])


def gathers(folder, monkeypatch, size):
    """Gather without a network, with `size` bytes that no compression makes smaller."""

    def played(scratch, versions):
        assert {"bitsandbytes", "duckdb", "transformers"} <= set(versions)
        wheel(scratch, "a.whl", "bitsandbytes/libbitsandbytes_cuda130.so")

    monkeypatch.setattr(archive, "download", played)
    monkeypatch.setattr(archive, "LIMIT_MIB", size)
    return archive.gather(folder, ["13.0"])


def test_the_script_lies_beside_the_archive(tmp_path, monkeypatch):
    assert gathers(tmp_path / "made", monkeypatch, 60) == tmp_path / "made" / archive.NAME
    script = (tmp_path / "made" / "gpu-check.sh").read_text(encoding="utf-8")
    assert script == (ROOT / "finetune" / "runs" / "gpu-check.sh").read_text(encoding="utf-8")
    assert archive.NAME in script


def test_the_script_takes_folders_relative_to_where_it_is_called(tmp_path, monkeypatch):
    gathers(tmp_path / "made", monkeypatch, 60)
    (tmp_path / "python3").write_text('#!/bin/sh\necho "$PYTHONPATH $*"\n', encoding="utf-8")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "work").mkdir()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WORK": "work", "OUT": "results"}
    command = ["bash", "made/gpu-check.sh"]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    work = tmp_path / "work"
    assert f"{work}/site -m finetune.gpu_check {work} --results {tmp_path}/results " in said


def test_an_archive_that_is_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(archive.ArchiveError, match="MiB, more than 0; keep the kernels of one CUDA version"):
        gathers(tmp_path, monkeypatch, 0)
