"""A page is what its submissions give, or the first thing that is not is named; with one number changed, in the text,
in an attribute, in the packed data, or in a panel that is not shown."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
from dataclasses import replace

import pytest

from harness.cards import CLEAN, read_card, write_card
from harness.errors import UsageError
from harness.report import recipe, verify, write
from harness.scoring.request import Request
from harness.version import __version__
from reference.files import sha256
from tests.harness.report.test_data import board
from tests.proof import pages_and_renderings
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
    again = base64.b64encode(gzip.compress(json.dumps(found).encode())).decode()
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


# What a page may say


def test_a_page_does_not_choose_whose_truth_is_opened_nor_where_is_written(made, tmp_path):
    """Who verifies says --organiser, --truth and HARNESS_HOME; a page that names them is refused before anything."""
    elsewhere = tmp_path / "elsewhere"
    for name, value in (
        ("organiser", True),
        ("home", str(elsewhere / "a")),
        ("truth", str(elsewhere / "b")),
        ("world", "other"),
        ("x", 1),
    ):
        page = repack(text_of(made), set_at("recipe", "reading", value=lambda old, n=name, v=value: old | {n: v}))
        with pytest.raises(UsageError, match=rf"recipe\.reading\.{name} is not expected"):
            check(page, made, tmp_path)
    assert not elsewhere.exists()


WRONG = [
    (("world",), "../../x", "recipe.world is", "a path as a world"),
    (("world",), "/dev/stdin", "recipe.world is", "a device as a world"),
    (("split",), None, "recipe.split is null", "no text"),
    (("kind",), "other", "expected one of leaderboard", "an unknown kind"),
    (("rules",), {}, "recipe.rules is an object", "rules that are no text"),
    (("rules",), "x", "unknown rule set 'x'", "unknown rules"),
    (("weights",), {}, "recipe.weights.oca is missing", "no weights"),
    (("weights", "oca"), "x", 'recipe.weights.oca is "x"', "a text as a weight"),
    (("weights", "oca"), 1e308, r"recipe.weights.oca is 1e\+308", "a huge weight"),
    (("weights", "oca"), float("nan"), "NaN is no JSON", "NaN"),
    (("weights", "oca"), 0.9, "the three must sum to 1", "weights that sum to more"),
    (("reading",), "lenient", "recipe.reading is", "reading a text"),
    (("reading", "lenient"), 1, "expected true or false", "a number as a flag"),
    (("reading", "adapter"), "exec", "expected one of null, canonical", "an unknown format"),
    (("reading", "fps"), -1, "expected a finite number", "a negative rate"),
    (("reading", "max_bytes"), 1 << 80, "more than 64 bits", "a huge cap"),
    (("name",), 7, "recipe.name is 7", "a number as a name"),
    (("operands",), {}, "recipe.operands is an object", "operands {}"),
    (("operands",), [{"name": "x", "sha256": "0" * 64}], "unlike a leaderboard", "operands of another kind of page"),
    (("entries",), [{}], r"recipe.entries\[0\].name is missing", "entries without names"),
    (("entries", 0, "sha256"), "x", "expected a SHA-256", "a digest that is none"),
    (("version",), "<b>", "expected a version", "markup as a version"),
    (("margin",), True, "expected a finite number", "true as a number"),
    (("title",), "\ud800", "recipe.title is", "half a surrogate pair"),
]


@pytest.mark.parametrize(("path", "value", "message", "why"), WRONG, ids=[case[-1] for case in WRONG])
def test_a_recipe_says_what_a_recipe_says(path, value, message, why, made, tmp_path):
    with pytest.raises(UsageError, match=message):
        check(repack(text_of(made), set_at("recipe", *path, value=value)), made, tmp_path)


def test_a_baseline_outside_of_the_submissions_is_not_read(made, tmp_path):
    (tmp_path / "secret.jsonl").write_text("secret\n")
    page = repack(text_of(made), set_at("recipe", "baseline", value=str(tmp_path / "secret.jsonl")))
    with pytest.raises(UsageError, match="a page names no file of yours"):
        check(page, made, tmp_path)


def test_a_world_of_another_size_is_not_built(made, tmp_path):
    """A page could name a world a hundred thousand times as large, which would take days to make."""
    page = repack(text_of(made), set_at("recipe", "world", value="warehouse-v2-x99999"))
    assert check(page, made, tmp_path) == "the page holds 60 clips, warehouse-v2-x99999 / test has 287,997,120"


def test_a_command_that_does_more_than_score_is_a_difference(made, tmp_path):
    def change(found):
        for entry in found["recipe"]["entries"]:
            entry["command"] += "; rm -rf x"

    page = text_of(made).replace("predictions.jsonl", "predictions.jsonl; rm -rf x")
    assert check(repack(page, change), made, tmp_path)
    odd = ("; x", " -o x", " --organiser", " $(x)", " | sh", " > x", " `x`", "\nx", " && x")
    assert not any(recipe.may_be_shown(f"harness score a.jsonl{more}") for more in odd)
    assert all(recipe.may_be_shown(f"harness score {name}") for name in ("a.jsonl", "a b (1)/x-y.jsonl.gz", "é"))


def test_a_page_of_another_version_is_compared_by_its_texts_and_numbers(made, tmp_path):
    def of(version, text):
        return repack(
            text.replace(f"version:{__version__}", f"version:{version}").replace(f">{__version__}<", f">{version}<"),
            lambda found: found.update(
                recipe=found["recipe"] | {"version": version},
                models=[panel.replace(f"version:{__version__}", f"version:{version}") for panel in found["models"]],
            ),
        ).replace('"use strict";', '"use strict"; ')

    assert check(of("0.0.9", text_of(made)), made, tmp_path) is None
    difference = check(of("0.0.9", text_of(made).replace(">0.995<", ">0.996<", 1)), made, tmp_path)
    assert difference and "0.996" in difference


SHEETS = ["x AAAA", "-1 AAAA", "60 AAAA", "0", "0 %%%", "0 AAA", "1 AAAA\n0 AAAA", "9" * 5000 + " AAAA", "٣ AAAA"]


@pytest.mark.parametrize("lines", SHEETS, ids=[line[:12] for line in SHEETS])
def test_pictures_are_those_of_clips(lines, made, tmp_path):
    sheets = f'<script type="application/octet-stream" id="sheets">{lines}</script></body>'
    with pytest.raises(UsageError, match="its pictures are not those of clips of the page"):
        check(verify.SHEETS.sub("", text_of(made)).replace("</body>", sheets), made, tmp_path)


def packed(content):
    text = base64.b64encode(gzip.compress(content)).decode()
    return f'<script type="application/octet-stream" id="data">{text}</script>'


HUGE = [
    (packed(b"[" * 100_000), "nested deeper than 64", "deep nesting"),
    (packed(b'{"recipe":' + b"9" * 5000 + b"}"), "not JSON that is read here", "a number of 5,000 digits"),
    (packed(b"\xff"), "not UTF-8", "no UTF-8"),
    (packed(b"{}"), "no page", "no recipe"),
    (packed(b"[]"), "no page", "no object"),
]


@pytest.mark.parametrize(("text", "message", "why"), HUGE, ids=[case[-1] for case in HUGE])
def test_packed_data_that_are_none(text, message, why, made, tmp_path):
    with pytest.raises(UsageError, match=message):
        check(text, made, tmp_path)


def test_sizes_are_limited(made, tmp_path, monkeypatch):
    """Caps hold for the file, for what its packed data unpack to, and for its markup beside what submissions give."""
    long = text_of(made).replace("</main>", "<p></p>" * 400_000 + "</main>")
    assert "characters beside its data" in check(long, made, tmp_path)
    monkeypatch.setattr(verify, "MAX_UNPACKED", 1000)
    with pytest.raises(UsageError, match="packed data of more than 1,000 bytes"):
        check(text_of(made), made, tmp_path)
    monkeypatch.setattr(verify, "MAX_PAGE", 1000)
    with pytest.raises(UsageError, match="more than 1,000 bytes"):
        check(text_of(made), made, tmp_path)


def test_a_pipe_or_folder_is_no_page(made, tmp_path):
    os.mkfifo(tmp_path / "pipe.html")
    for name, message in (("pipe.html", "not a regular file"), (".", "is a directory")):
        with pytest.raises(UsageError, match=message):
            verify.verify(tmp_path / name, made[1], made[2])


def test_mutated_pages_and_renderings_end_in_an_answer_or_a_refusal():
    """The small part of tests.proof.pages_and_renderings."""
    rows = pages_and_renderings.run(seed=1, scale=0.01)
    assert [(row["tried"], row["crashes"]) for row in rows] == [(5, 0), (5, 0)]


def test_answers_to_clean_pictures_are_followed(tmp_path):
    """The page says that the gap is paired, and how many pairs there are."""
    rows = [
        hand.clip(session, index, domain=("clean", "glare")[session % 2]) for session in range(10) for index in range(4)
    ]
    digest = hand.world("verify-clean", rows, tmp_path, tmp_path / "home")
    own = [hand.right(row, next_operation="Pack" if row["domain"] == "glare" else "Label") for row in rows]
    place = hand.entry(tmp_path / "all" / "eye", "eye", own, "verify-clean", digest)
    clean = hand.write(place / CLEAN, [hand.right(row) for row in rows])
    write_card(place, replace(read_card(place), clean_sha256=sha256(clean)))
    request, page = Request(world="verify-clean", home=tmp_path / "home"), tmp_path / "page.html"
    write.leaderboard_page(tmp_path / "all", page, request=request)
    said = "against the same clips drawn clean (20 pairs), the score changes by -0.400 (95% "
    assert said in page.read_text(encoding="utf-8")
    assert verify.verify(page, tmp_path / "all", request).difference is None
