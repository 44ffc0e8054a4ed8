"""Every export is fed to its reader: pandas and DuckDB, a JUnit reader, the hub's own parser, the schema of Every Eval
Ever, LaTeX's rules; and the numbers are those of the leaderboard."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
from importlib import resources
from xml.etree import ElementTree

import duckdb
import pandas
import pytest

from harness.errors import UsageError
from harness.report import gather
from harness.report.exports import export_all, texts
from harness.report.exports.names import LONGEST, slug
from tests.harness.report.test_data import board
from tests.support import hand

HOSTILE = "=1+1 & <b>50%_{x}$"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    submissions, request = board(folder, folder / "home")
    lines = [json.loads(line) for line in (submissions / "near" / "predictions.jsonl").read_text().splitlines()]
    digest = gather.gather_leaderboard(submissions, request).field.facts["truth_digest"]
    hand.entry(submissions / "hostile", HOSTILE, lines, "paper", digest, model="owner/model", authors="somebody")
    (submissions / "broken").mkdir()
    (submissions / "broken" / "card.toml").write_text("name = 1\n")
    gathered = gather.gather_leaderboard(submissions, request)
    return gathered, folder / "out", export_all(gathered, folder / "out")


def records(made):
    return {entry.name: entry.score.record for entry in made[0].entries}


def test_nothing_lies_outside(made):
    _, out, files = made
    assert {file for file in out.rglob("*") if file.is_file()} == set(files)
    assert all(re.fullmatch(r"[a-z0-9_.-]+", file.name) for file in files)


def test_csv(made):
    rows = list(csv.DictReader(io.StringIO((made[1] / "leaderboard.csv").read_text())))
    known = records(made)
    assert [row["name"] for row in rows][:2] == ["best", "short"] and f"'{HOSTILE}" in {row["name"] for row in rows}
    for row in rows:
        metrics = known[row["name"].removeprefix("'")]["metrics"]
        assert float(row["score"]) == metrics["score"]["value"] and float(row["aa1_low"]) == metrics["aa1"]["low"]


def test_parquet(made):
    """Read by pandas and by DuckDB; names as they are."""
    frame = pandas.read_parquet(made[1] / "leaderboard.parquet")
    assert HOSTILE in set(frame["name"]) and list(frame["tier"].dropna()) == sorted(frame["tier"].dropna())
    clips = made[1] / "clips.parquet"
    row = duckdb.sql(f"SELECT count(*), count(DISTINCT model), sum(tiou) FROM '{clips}'").fetchall()[0]
    assert row[:2] == (60 * len(made[0].entries), len(made[0].entries)) and row[2] > 0


def test_clips_say_what_the_record_counts(made):
    frame = pandas.read_csv(made[1] / "clips.csv")
    for name, record in records(made).items():
        mine = frame[frame["model"].isin([name, f"'{name}"])]
        assert mine["operation_right"].mean() == pytest.approx(record["metrics"]["oca"]["value"])
        assert mine["next_right"].mean() == pytest.approx(record["metrics"]["aa1"]["value"])
        modes = {row["mode"]: row["n"] for row in record["modes"]}
        assert {mode: n for mode, n in mine["mode"].value_counts().items() if mode != "correct"} == modes


def test_json_is_the_board(made):
    assert json.loads((made[1] / "leaderboard.json").read_text())["verdict"] == made[0].board["verdict"]
    for entry in made[0].entries:
        stored = json.loads((made[1] / "scores" / f"{slug(entry.name)}.json").read_text())
        assert stored["signature"] == entry.score.signature


def test_markdown(made):
    text = (made[1] / "leaderboard.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert "\\<b\\>" in text and "Broken: broken" in text


def test_latex(made):
    """booktabs rules, as many columns in every row, and nothing that LaTeX would run or stumble over."""
    text = (made[1] / "leaderboard.tex").read_text()
    assert re.findall(r"\\(\w+rule)", text) == ["toprule", "midrule", "midrule", "bottomrule"]
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {6}
    assert r"=1+1 \& \textless{}b\textgreater{}50\%\_\{x\}\$" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


SPECIAL = [
    ("a_b", r"a\_b"),
    ("50%", r"50\%"),
    ("\\input{x}", r"\textbackslash{}input\{x\}"),
    ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
    ("x\ny", "x y"),
]


@pytest.mark.parametrize(("text", "set_as"), SPECIAL)
def test_latex_sets_text_as_it_is(text, set_as):
    assert texts.escaped(text) == set_as


def test_junit(made):
    """Counts agree with the cases; what fails says why; read by junitparser where it is there."""
    path = made[1] / "junit.xml"
    root = ElementTree.parse(path).getroot()
    suites = {suite.get("name"): suite for suite in root}
    for suite in root:
        assert int(suite.get("tests")) == len(suite) and int(suite.get("failures")) == len(suite.findall("*/failure"))
    assert "91.67%" in suites["short"].find("*/failure").get("message") and suites[HOSTILE] is not None
    assert int(suites["broken"].get("errors")) == 1
    junitparser = pytest.importorskip("junitparser")
    read = junitparser.JUnitXml.fromfile(str(path))
    assert {suite.name for suite in read} == set(suites)


def test_junit_holds_no_character_that_xml_cannot():
    text = texts.gates("a\x00b\x1b", [("aa1 >= 0.5", ""), ("x", "is 0.1\x08, below")])
    assert len(ElementTree.fromstring(text.encode())[0]) == 2


def test_eval_results_are_read_by_the_hub(made):
    hub = pytest.importorskip("huggingface_hub")
    yaml = pytest.importorskip("yaml")
    for entry in made[0].entries:
        text = (made[1] / "eval_results" / f"{slug(entry.name)}.yaml").read_text()
        read = hub.parse_eval_result_entries(yaml.safe_load(text))
        metrics = entry.score.record["metrics"]
        assert [(one.dataset_id, one.task_id) for one in read][:2] == [
            ("warehouse-harness/paper", "test_score"),
            ("warehouse-harness/paper", "test_oca"),
        ]
        assert read[0].value == pytest.approx(metrics["score"]["value"], abs=1e-6)
        assert entry.score.signature in read[0].notes


ALLOWED = {
    "": (
        {
            "schema_version",
            "evaluation_id",
            "retrieved_timestamp",
            "source_metadata",
            "model_info",
            "eval_library",
            "evaluation_results",
        },
        {"evaluation_timestamp", "detailed_evaluation_results"},
    ),
    "source_metadata": ({"source_type", "source_organization_name", "evaluator_relationship"}, {"source_name"}),
    "model_info": ({"name", "id"}, {"developer", "additional_details"}),
    "eval_library": ({"name", "version"}, {"additional_details"}),
}
"""Required and further keys that are used, of the published schema, version 0.2.2."""


def test_every_eval_ever(made, monkeypatch):
    """By the published schema where its package is there (it needs Python 3.12), and by its rules in any case."""
    for entry in made[0].entries:
        value = json.loads((made[1] / "every_eval_ever" / f"{slug(entry.name)}.json").read_text())
        for part, (required, further) in ALLOWED.items():
            keys = set(value[part] if part else value)
            assert required <= keys <= required | further
        assert value["retrieved_timestamp"].isdigit() and value["source_metadata"]["source_type"] == "evaluation_run"
        for result in value["evaluation_results"]:
            config, score = result["metric_config"], result["score_details"]
            assert config["lower_is_better"] is False and config["score_type"] == "continuous"
            assert config["min_score"] <= score["score"] <= config["max_score"]
            assert set(result["source_data"]) >= {"dataset_name"} and result["source_data"]["source_type"] == "other"
            assert all(isinstance(text, str) for text in score["details"].values())
            interval = score["uncertainty"]["confidence_interval"]
            assert interval["lower"] <= score["score"] <= interval["upper"]
        if importlib.util.find_spec("every_eval_ever"):
            import jsonschema

            schema = resources.files("every_eval_ever").joinpath("schemas", "eval.schema.json").read_text()
            jsonschema.Draft7Validator(json.loads(schema)).validate(value)


def test_every_eval_ever_is_the_same_at_a_given_time(made, monkeypatch):
    from harness.report.exports.hub import every_eval_ever

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    entry = made[0].entries[0]
    assert every_eval_ever(entry) == every_eval_ever(entry) and '"1700000000"' in every_eval_ever(entry)


@pytest.mark.parametrize("text", ["abc", "-1", "1.5", "1" * 20, "\u0663"], ids=ascii)
def test_a_time_that_is_none_is_named(text, made, monkeypatch):
    from harness.report.exports.hub import every_eval_ever

    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(UsageError, match=r"SOURCE_DATE_EPOCH=.*expected seconds since 1970"):
        every_eval_ever(made[0].entries[0])


NAMES = [
    "../../x",
    "CON",
    "con",
    "n" * 300,
    "",
    "a/b",
    "a b",
    "A",
    "a",
    "ä",
    "模型",
    "..",
    "=1",
    "x" * 49,
    "nul",
    "com1",
]


def test_slugs_are_safe_and_distinct():
    slugs = [slug(name) for name in NAMES]
    assert len(set(slugs)) == len(NAMES) and slug("model-1") == "model-1"
    for made_of in slugs:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", made_of) and len(made_of) <= LONGEST + 9
        assert made_of not in ("con", "nul", "com1")


def test_github_summary(made, tmp_path, monkeypatch):
    from harness.commands.options import add_to_summary

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    add_to_summary("one")
    add_to_summary("two")
    assert (tmp_path / "summary.md").read_text() == "one\ntwo\n"
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    with pytest.raises(UsageError, match="GITHUB_STEP_SUMMARY"):
        add_to_summary("three")
