"""A page is what its submissions give, or the first thing that is not is named; with one number changed, in the text,
in an attribute, in the packed data, or in a panel that is not shown."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil

import pytest

from harness.errors import UsageError
from harness.report import verify, write
from harness.report.columns import pack
from harness.scoring.request import Request
from tests.harness.report.test_data import board
from tests.support import hand

PACKED = verify.PACKED


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    submissions, request = board(folder, folder / "home")
    write.leaderboard_page(submissions, folder / "page.html", request=request)
    return folder / "page.html", submissions, request


def check(text, made, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(text, encoding="utf-8")
    return verify.verify(page, made[1], made[2]).difference


def test_a_true_page(made, tmp_path):
    found = verify.verify(*made)
    assert found.difference is None and found.numbers > 300


def text_of(made):
    return made[0].read_text(encoding="utf-8")


CHANGES = [
    (r">0\.995<", ">0.996<", "best", "a number's text"),
    (r'(<data value="0\.\d\d)\d', r"\g<1>x", "the page says", "a number's exact value"),
    (r'data-value="0\.3"', 'data-value="0.9"', "far", "what a column is sorted by"),
    (r"best leads;", "near leads;", "near leads", "the verdict"),
    (r'(class="dot a" cx=")30', r"\g<1>90", "far", "a dot's place"),
    (r"95% ", "90% ", "90%", "what is traced"),
    (r">best</a>", ">bets</a>", "bets", "a name"),
]


@pytest.mark.parametrize(("pattern", "other", "named", "why"), CHANGES, ids=[case[-1] for case in CHANGES])
def test_a_change_in_the_page_is_named(pattern, other, named, why, made, tmp_path):
    text, changed = re.subn(pattern, other, text_of(made), count=1)
    assert changed == 1, why
    difference = check(text, made, tmp_path)
    assert difference and named in difference, why


def repack(text, change):
    found = json.loads(gzip.decompress(base64.b64decode(PACKED.search(text)[1])))
    change(found)
    again = base64.b64encode(pack(found)).decode()
    return PACKED.sub(lambda match: match[0].replace(match[1], again), text)


def set_at(*path, value):
    def change(found):
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value(found[path[-1]]) if callable(value) else value

    return change


PACKINGS = [
    (set_at("entries", 0, "answers", "start", 3, value=99), "entries[0].answers.start[3]", "an answer"),
    (set_at("clips", "end", 0, value=71), "clips.end[0]", "the truth"),
    (set_at("models", 1, value=lambda text: text.replace("60", "61", 1)), "models[1]", "a panel that is not shown"),
    (set_at("pairs", "0-1", value=lambda text: text.replace("best", "bets", 1)), "pairs", "the verdict of a pair"),
]


@pytest.mark.parametrize(("change", "named", "why"), PACKINGS, ids=[case[-1] for case in PACKINGS])
def test_a_change_in_the_packed_data_is_named(change, named, why, made, tmp_path):
    difference = check(repack(text_of(made), change), made, tmp_path)
    assert difference and named.split("[")[0] in difference, why


def test_packed_otherwise_is_the_same(made, tmp_path):
    """Another compressor's bytes say the same."""
    text = text_of(made)
    plain = gzip.decompress(base64.b64decode(PACKED.search(text)[1]))
    other = base64.b64encode(gzip.compress(plain, compresslevel=1, mtime=0)).decode()
    assert check(PACKED.sub(lambda match: match[0].replace(match[1], other), text), made, tmp_path) is None


def test_another_script_is_noticed(made, tmp_path):
    assert "script" in check(text_of(made).replace('"use strict";', '"use strict"; '), made, tmp_path)


def test_other_submissions_give_another_page(made, tmp_path):
    folder = tmp_path / "board"
    shutil.copytree(made[1], folder)
    shutil.rmtree(folder / "near")
    assert verify.verify(made[0], folder, made[2]).difference


@pytest.mark.parametrize("kind", ["report", "compare"])
def test_pages_of_files(kind, made, tmp_path):
    """Found in the folder by their digests, wherever they lie and whatever they are called there."""
    files = [made[1] / name / "predictions.jsonl" for name in ("near", "far")]
    page = tmp_path / "page.html"
    if kind == "report":
        write.report_page(files[0], page, request=made[2], name="mine")
    else:
        write.compare_page(*files, path=page, request=made[2])
    elsewhere = tmp_path / "elsewhere"
    for i, file in enumerate(files):
        hand.write(elsewhere / f"{i}.txt", [])
        shutil.copy(file, elsewhere / f"{i}.txt")
    assert verify.verify(page, elsewhere, made[2]).difference is None
    (elsewhere / "0.txt").unlink()
    with pytest.raises(UsageError, match="no file with the digest"):
        verify.verify(page, elsewhere, made[2])


def test_a_baseline_needs_no_file(made, tmp_path):
    page = tmp_path / "page.html"
    write.compare_page(made[1] / "near" / "predictions.jsonl", "constant", path=page, request=made[2])
    assert verify.verify(page, made[1], made[2]).difference is None


NO_PAGES = [
    ("", "no page"),
    ("<html>", "no page"),
    ('<script type="application/octet-stream" id="data">AAAA</script>', "no page"),
]


@pytest.mark.parametrize(("text", "message"), NO_PAGES)
def test_what_is_no_page(text, message, made, tmp_path):
    with pytest.raises(UsageError, match=message):
        check(text, made, tmp_path)


def test_missing_files(made, tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        verify.verify(tmp_path / "nowhere.html", made[1], Request())
    with pytest.raises(UsageError, match="no such folder"):
        verify.verify(made[0], tmp_path / "nowhere", made[2])
