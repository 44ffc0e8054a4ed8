"""The page of a job in progress: made again as the file grows, a line that is being written left out, an end when every
clip has its line. And the contact sheets: which, how many, in which bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.report import data, gather, pictures
from harness.report.verify import unpack
from harness.report.watch import watch
from harness.scoring.request import Request
from reference.truth.sample import Sample
from tests.harness.report.test_data import board
from tests.support import hand


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watch")
    return board(folder, folder / "home")


def test_watching_a_file_grow(made, tmp_path):
    """Nothing yet; ten lines and a half; as before; a bad line; all of them."""
    lines = (made[0] / "near" / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    file, page, said = tmp_path / "growing.jsonl", tmp_path / "page.html", []
    steps = [[*lines[:10], lines[10][:20]], [*lines[:10], lines[10][:30]], [*lines[:10], b"oops\n"], lines]

    def rest(seconds):
        assert seconds == 0.5 and steps, "it ends when all clips have their line"
        file.write_bytes(b"".join(steps.pop(0)))

    watch(file, page, made[1], name=None, training=None, seconds=0.5, say=said.append, rest=rest)
    assert ["10 of 60" in line for line in said] == [True, True, False] and "60 of 60 clips (100.0%)" in said[-1]
    entries = unpack(page.read_text(), page)["entries"]
    assert entries[0]["name"] == "growing" and entries[0]["answers"]["outcome"].count(3) == 0


def test_watching_a_sample(made, tmp_path):
    """A run's journal says what it asks about: then its page ends, and it stands against files of the whole split."""
    where = replace(made[1], sample=Sample(10, 0))
    with where.open() as truth:
        drawn = {clip for (clip,) in truth.connection.execute("SELECT clip_id FROM truth.clips").fetchall()}
    lines = (made[0] / "near" / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    mine = [line for line in lines if json.loads(line)["clip_id"] in drawn]
    (tmp_path / "run.json").write_text(json.dumps({"sample": str(where.sample)}))
    for k in (1, 2):
        hand.write(tmp_path / "method" / "runs" / f"{k}.jsonl", [json.loads(line) for line in lines])
    (tmp_path / "predictions.jsonl.part").write_bytes(b"".join(mine))
    for other in (made[0] / "best" / "predictions.jsonl", tmp_path / "method"):
        said = []
        watch(
            tmp_path / "predictions.jsonl",
            tmp_path / "page.html",
            made[1],
            seconds=1,
            say=said.append,
            rest=pytest.fail,
            against=str(other),
        )
        assert "50 of 50 clips (100.0%), score so far" in said[-1] and f"against {other}" in said[-1]
    assert f"{other} +0.000" in said[-1], "two runs that answer alike are the file"


def test_watching_what_is_no_file(tmp_path, made):
    with pytest.raises(UsageError, match="is a directory"):
        watch(tmp_path, tmp_path / "p.html", made[1], name=None, training=None, seconds=1, say=print)


def test_lines_no_adapter_knows_wait(tmp_path, made):
    """A file that cannot be read yet is said, and looked at again."""
    file, said = tmp_path / "f.jsonl", []
    file.write_text('{"question": 1}\n')
    good = (made[0] / "near" / "predictions.jsonl").read_bytes()
    watch(
        file,
        tmp_path / "p.html",
        made[1],
        name=None,
        training=None,
        seconds=1,
        say=said.append,
        rest=lambda seconds: file.write_bytes(good),
    )
    assert "60 of 60" in said[-1]


def test_the_order_of_pictures(made):
    """The clips to look at first, then one of each failure in turn; each clip once, the same every time."""
    gathered = gather.gather_leaderboard(*made)
    page = data.page(gathered)
    places = list(pictures.priority(page, gathered))
    assert sorted(places) == list(range(60)) and places == list(pictures.priority(page, gathered))
    looks = [look.place for model in page.models for look in model.first if model.kind != "reference"]
    assert set(places[: len(set(looks))]) == set(looks)
    wrong = {i for i in range(60) for answers in gathered.clips.answers[:4] if not answers.all_right[i]}
    assert set(places[: len(wrong)]) == wrong, "failures before what is right"


def test_an_imported_world_has_no_pictures(made):
    gathered = gather.gather_leaderboard(*made)
    with pytest.raises(UsageError, match="was imported"):
        pictures.sheets(data.page(gathered), gathered, 10_000, lambda done, of: None)


def test_sheets_keep_to_the_budget(tmp_path, home):
    pytest.importorskip("PIL")
    from harness.baselines.write import write_baseline

    write_baseline("whole-clip", tmp_path / "whole.jsonl")
    gathered = gather.gather_report(tmp_path / "whole.jsonl", Request())
    page = data.page(gathered)
    reported = []
    sheets = pictures.sheets(page, gathered, 60_000, lambda done, of: reported.append(done))
    assert 2 <= len(sheets) <= 20 and reported[-1] <= 60_000
    assert [sheet.place for sheet in sheets] == sorted({sheet.place for sheet in sheets})
    assert all(sheet.webp[:4] == b"RIFF" for sheet in sheets)
    again = pictures.sheets(page, gathered, 60_000, lambda done, of: None)
    assert json.dumps([sheet.webp.hex() for sheet in sheets]) == json.dumps([sheet.webp.hex() for sheet in again])


def test_what_is_said_counts_only_answered_clips(made, tmp_path):
    """Half of a file that is always right: its score so far is 1, and it stands above one that is wrong everywhere."""
    lines = (made[0] / "best" / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    file, said = tmp_path / "growing.jsonl", []
    whole = b"".join(lines)
    file.write_bytes(b"".join(lines[:55]))
    watch(
        file,
        tmp_path / "p.html",
        made[1],
        name=None,
        training=None,
        seconds=1,
        say=said.append,
        against=str(made[0] / "far" / "predictions.jsonl"),
        rest=lambda seconds: file.write_bytes(whole),
    )
    assert "55 of 60 clips" in said[0] and "settled: above" in said[0] and "not settled" not in said[0]
    assert "over the answered clips" in said[0]


def test_a_run_of_predict_is_watched_in_its_journal(made, tmp_path):
    """Until the run ends its answers lie in predictions.jsonl.part."""
    file, said = tmp_path / "predictions.jsonl", []
    part = file.with_name("predictions.jsonl.part")
    part.write_bytes((made[0] / "near" / "predictions.jsonl").read_bytes())
    watch(file, tmp_path / "p.html", made[1], name=None, training=None, seconds=1, say=said.append)
    assert "60 of 60" in said[-1]
