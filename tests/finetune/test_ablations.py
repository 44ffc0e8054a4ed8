"""Ablations: paired differences of existing answers, and the table that is made of them."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="the finetune extra is not installed")

import harness
from finetune import ablations
from finetune.ablations import ARMS, COLUMNS, SHIFTED, arm_config, paired_difference, table

PLACES = ("validation", SHIFTED)
SEEDS = (0, 1, 2)


@pytest.fixture(autouse=True, scope="module")
def fewer_seeds():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablations, "SEEDS", SEEDS)
        yield


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Work folder of two arms: on validation `augment` answers by the transition prior and `base` a constant, in the
    shifted domain both answer the constant."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "answers").mkdir()
    (folder / "results").mkdir()
    for arm in ("base", "augment"):
        for seed in SEEDS:
            found = {"arm": arm, "seed": seed, "minutes": 1.5 + seed}
            for place in PLACES:
                name = "transition-prior" if (arm, place) == ("augment", "validation") else "constant"
                file = folder / "answers" / f"{arm}-{seed}-{place}.jsonl"
                harness.write_baseline(name, file, split="validation", seed=seed)
                metrics = harness.score(file, split="validation").metrics
                found[place] = {key: metrics[key].value for key in COLUMNS} | {"valid": 1.0}
            (folder / "results" / f"{arm}-{seed}.json").write_text(json.dumps(found))
    return folder


@pytest.mark.parametrize("metric", ["score", "aa1_hidden"])
def test_the_difference_is_that_of_the_scores(work, metric):
    gap = paired_difference(work, "augment", "validation", metric)
    files = [work / "answers" / f"{arm}-0-validation.jsonl" for arm in ("augment", "base")]
    better, worse = (harness.score(file, split="validation").metrics[metric].value for file in files)
    assert gap["difference"] == pytest.approx(better - worse, abs=1e-12)
    assert gap["low"] < gap["difference"] < gap["high"] and gap["low"] > 0 and gap["p"] < 1e-4


def test_equal_answers_differ_by_nothing(work):
    assert paired_difference(work, "augment", SHIFTED, "score") == {
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "p": 1.0,
    }


def test_the_table_marks_significant_differences(work):
    """Bold after the adjustment; an arm's row holds its means and its differences to `base`."""
    lines = table(work, ["augment"]).splitlines()
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    first, row = (dict(zip(head, cells, strict=True)) for cells in rows)
    assert row["arm"] == "augment" and row["less"] == "base" and row["min"] == "2.5"
    assert first["less"] == first["score, difference"] == ""
    assert row["score, difference"].startswith("**+0.") and row["difference there"] == "+0.000 [+0.000, +0.000]"
    gap = float(row["score, difference"].split()[0][2:])
    assert float(row["score"]) - float(first["score"]) == pytest.approx(gap, abs=2e-3)
    assert row[f"score in `{SHIFTED}`"] == first[f"score in `{SHIFTED}`"]


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_differs_from_base_in_its_changes_alone(arm, tmp_path):
    """An arm changes the config or the predictor's options, never both and always something."""
    of, base = ARMS[arm], arm_config(tmp_path, "base", 0)
    config = arm_config(tmp_path, arm, 0)
    changed = {name for name in vars(base) if getattr(base, name) != getattr(config, name)} - {"train", "validation"}
    expected = ARMS[of.of].changes if of.of else of.changes
    assert changed == set(expected) - {"train"}
    assert "width" not in changed, "the weights of the twin that it continues decide that"
    assert (arm == "base") == (not of.changes and not of.options)
    assert not (of.changes and of.options) and ablations.CONFIG.is_file()
