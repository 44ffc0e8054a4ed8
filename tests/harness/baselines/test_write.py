"""Baselines as files: a Request and its fields choose the same truth, and nobody's mistake goes unnoticed."""

from __future__ import annotations

import json

import pytest

import harness
from harness import Request, write_baseline
from harness.errors import UsageError


def test_a_request_chooses_the_truth_as_its_fields_do(tmp_path):
    request = Request(split="validation")
    assert write_baseline("constant", tmp_path / "a", request=request) == write_baseline(
        "constant", tmp_path / "b", split="validation"
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with harness.open_truth(split="validation") as truth:
        assert len((tmp_path / "a").read_text().splitlines()) == truth.n


@pytest.mark.parametrize(
    ("name", "choices", "message"),
    [
        ("constant", {"splitt": "test"}, "no choice 'splitt'; there are world, split"),
        ("best", {}, "unknown baseline 'best'; there are constant, whole-clip"),
    ],
)
def test_mistakes_are_named(name, choices, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        write_baseline(name, tmp_path / "file.jsonl", **choices)
    assert not (tmp_path / "file.jsonl").exists()


@pytest.mark.parametrize("name", ["constant", "random", "transition-prior", "oracle", "truth-copy"])
def test_baselines_name_the_operations_after_the_next_on_request(name, tmp_path):
    rows = []
    for later in (False, True):
        write_baseline(name, tmp_path / "file.jsonl", split="validation", next_operations=later)
        rows.append([json.loads(line) for line in (tmp_path / "file.jsonl").open()])
    named = [row.pop("next_operations") for row in rows[1]]
    assert rows[0] == rows[1], "nothing else changes"
    assert all(
        len(labels) == 3 and labels[0] == row["next_operation"] for labels, row in zip(named, rows[0], strict=True)
    )


def test_the_seed_decides_random_answers(tmp_path):
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        write_baseline("random", file, split="validation", seed=seed)
    first, second, third = ([json.loads(line) for line in file.open()] for file in files)
    assert first == second != third and [row["clip_id"] for row in first] == [row["clip_id"] for row in third]
