"""Page data without a browser: golden numbers of a small board, sentences, axes, what adapts, and equal bytes.

The golden page (tests/gold/page.jsonl) is that of a hand-made world whose entries differ by exact amounts; a changed
number must be explained by a changed definition. `python -m tests.harness.report.test_data` renews it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.formatting import in_words
from harness.report import answers_page, columns, data, gather, render, verify, write
from harness.report.panels import first
from harness.report.panels.measure import Axis, Measure, axis_over, nice
from harness.report.typography import p_in_a_sentence, signed
from harness.scoring.request import Request
from tests.support import GOLD, ROOT, hand

PAGE = GOLD / "page.jsonl"
ALIKE = pytest.approx


def board(folder: Path, home: Path) -> tuple[Path, Request]:
    """Make a board on twelve sessions of five equal clips.

    best: right but for one label; near: another next in five sessions; far: in all, and a segment that overlaps by a
    third; short: without the clips of one session.
    """
    rows = hand.grid(12, 5, domain="clean", worker="ana")
    digest = hand.world("paper", rows, folder, home)

    def lines(wrong, **changes):
        chosen = (wrong(int(row["session"][1:]), row["clip_index"]) for row in rows)
        return [hand.right(row, **(changes if one else {})) for row, one in zip(rows, chosen, strict=True)]

    def add(name, answers, **card):
        hand.entry(folder / "board" / name, name, answers, "paper", digest, **card)

    add("best", lines(lambda s, i: (s, i) == (3, 3), dominant_operation="Wrap"))
    add("near", lines(lambda s, i: s < 5, next_operation="Wrap"))
    add("far", lines(lambda s, i: True, next_operation="Wrap", temporal_segment=hand.segment(50, 90)))
    add("short", [line for line in lines(lambda s, i: False) if not line["clip_id"].startswith("c11")])
    return folder / "board", Request(world="paper", home=home)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    return board(folder, folder / "home")


@pytest.fixture(scope="module")
def gathered(made):
    return gather.gather_leaderboard(*made)


@pytest.fixture(scope="module")
def page(gathered):
    return data.page(gathered)


def golden(page: data.Page) -> str:
    """Return a line for each part, two entries and two pairs in full, without what changes with the version."""
    snapshot = rounded(data.snapshot(page))
    snapshot["recipe"].pop("version")
    parts = {key: value for key, value in snapshot.items() if key not in ("models", "pairs")}
    for model in (snapshot["models"][0], snapshot["models"][3]):
        parts |= {f"{model['name']} {key}": value for key, value in model.items()}
    parts |= {f"pair {i}": snapshot["pairs"][i] for i in (0, 5)}
    text = "".join(f"{json.dumps({key: value}, ensure_ascii=False)}\n" for key, value in parts.items())
    return text.replace(f"version:{page.recipe['version']}", "version:V").replace(page.chips[-1].value, "V")


def rounded(value):
    """Round floats to twelve digits, because the last ones may differ between processors."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def test_golden_page(page):
    assert golden(page) == PAGE.read_text(encoding="utf-8"), "explain it, then python -m tests.harness.report.test_data"


def test_standings_worked_out_by_hand(page):
    """best loses .3 on one of 60 clips; near .4 on 25; far .4 and .3 on all; short all of five."""
    scores = {row.name: row.cells["score"].measure.value for row in page.standings.rows if row.ranks}
    assert scores == ALIKE({"best": 1 - 0.3 / 60, "short": 1 - 5 / 60, "near": 1 - 0.4 * 25 / 60, "far": 0.3})
    assert [row.coverage for row in page.standings.rows if row.name == "short"] == ALIKE([55 / 60])
    assert [bound.name for bound in page.standings.bounds] == ["floor", "prior"], "an imported world has no ceiling"


def test_verdict_is_never_a_bare_first_place(page):
    assert page.verdict[0].startswith("best leads; ") and "far" in page.verdict[0]
    assert "transition prior" in page.verdict[1]


def test_what_to_know_first(page):
    said = {(notice.kind, notice.title) for notice in page.notices}
    assert ("coverage", "short") in said and ("flag", "far") in said


def test_the_first_look_is_the_costliest_failure(gathered):
    """far's answers are all wrong in one way: of its clips the first that most others got right stands for them."""
    place = next(i for i, entry in enumerate(gathered.entries) if entry.name == "far")
    looks = first.first(
        gathered.entries[place].score.record,
        gathered.clips,
        gathered.clips.answers[place],
        gathered.field.facts["weights"],
    )
    assert [(look.clip_id, look.mode) for look in looks] == [("c05-00", "start_late")]
    assert looks[0].what == "Tape → Label, answered Tape → Wrap" and "+0.700" in looks[0].reason


def test_pairs_and_where_they_differ(page):
    pair = next(pair for pair in page.pairs if pair.names == ("best", "near"))
    assert pair.counts["next"] == {"both": 35, "only_a": 25, "only_b": 0, "neither": 0}
    assert {difference.metric: difference.measure.value for difference in pair.differences}["aa1"] == ALIKE(25 / 60)
    parts = {(group.title, part.level): part.measure for group in pair.forest for part in group.parts}
    whole = parts["domain", "clean"]
    assert whole.value == ALIKE(0.4 * 25 / 60 - 0.3 / 60) and whole.n == 60


def test_thirty_clips(page):
    """The pair's standard error scaled to 30 clips, and the sessions for one margin, as its verdict says."""
    reach = page.certainty.reaches[0]
    assert reach.finds == sorted(reach.finds, reverse=True) and page.certainty.sizes[-1] == 60
    assert ("Yes" if abs(reach.difference) >= reach.small else "No") in page.certainty.finding
    pair = next(pair for pair in page.pairs if pair.names == (reach.a, reach.b))
    assert reach.needed == pair.needed


def test_repair_gains_and_the_funnel_add_up(page, gathered):
    for model, entry in zip(page.models, gathered.entries, strict=True):
        gains = sum(mode.gain.value for mode in model.losses.modes)
        assert gains == ALIKE(1 - entry.score.record["metrics"]["score"]["value"])
        assert sum(stage.lost for stage in model.losses.stages) + model.losses.stages[-1].passed == 60


def test_timing_counts_every_answer(page):
    for model in page.models:
        for end in model.temporal.errors:
            assert sum(end.counts) == end.n
        assert sum(row.n for row in model.temporal.lengths) == 60


def test_matrices_count_every_clip(page):
    for model in page.models:
        for matrix in (model.anticipation.answered, model.anticipation.true):
            assert sum(map(sum, matrix.counts)) == 60
        assert sum(line.n for line in model.confusion.lines) == 60


# Adapting


def test_one_file(made):
    folder, request = made
    page = data.page(gather.gather_report(folder / "near" / "predictions.jsonl", request))
    assert page.kind == "report" and page.verdict[0].startswith("near scores 0.833")
    assert "the floor (" in page.verdict[0] and page.verdict[-1].startswith("Mend first: other next, 25 clips")
    assert [row.name for row in page.standings.rows if row.ranks] == ["near"]


def test_two_files(made):
    folder, request = made
    files = [folder / name / "predictions.jsonl" for name in ("near", "far")]
    page = data.page(gather.gather_comparison(files, request))
    assert page.verdict[0].startswith("near is better than far") or "far" in page.verdict[0]


def test_nothing_to_show(tmp_path, made):
    with pytest.raises(UsageError, match="no entry"):
        gather.gather_leaderboard(tmp_path, made[1])


# Bytes


def test_equal_bytes_in_other_surroundings(made, tmp_path):
    """Another process, hash seed, time zone and locale."""
    folder, request = made
    write.leaderboard_page(folder, tmp_path / "here.html", request=request)
    code = "\n".join(
        [
            "import sys; from pathlib import Path",
            "from harness.scoring.score import Request; from harness.report import write",
            "request = Request(world='paper', home=Path(sys.argv[3]))",
            "write.leaderboard_page(sys.argv[1], sys.argv[2], request=request)",
        ]
    )
    there = tmp_path / "there.html"
    env = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, folder, there, str(request.home)], check=True, env=env, cwd=ROOT)
    assert there.read_bytes() == (tmp_path / "here.html").read_bytes()


def test_words_lead_to_their_explanations(gathered, page):
    """Every word that the page links, also in a panel that is not shown, is explained at its foot."""
    text = render.html(page, columns.script_data(gathered))
    panels = "".join(verify.unpack(text, PAGE)["models"])
    linked = set(re.findall(r'href="#(word-[^"]+)"', text + panels))
    assert {"word-floor", "word-tier", "word-domain", "word-world"} <= linked
    assert linked <= set(re.findall(r'id="(word-[^"]+)"', text))


def test_no_place_of_this_machine_is_named(gathered, page):
    text = render.html(page, columns.script_data(gathered))
    assert str(ROOT) not in text and str(gathered.request.home) not in text
    assert str(ROOT) not in json.dumps(columns.script_data(gathered))


def test_scripts_are_short_and_plain():
    static = ROOT / "harness" / "report" / "static"
    lines = [line for file in static.glob("*.js") for line in file.read_text(encoding="utf-8").splitlines()]
    known = {*render.SCRIPTS, *answers_page.SCRIPTS}
    assert {file.stem for file in static.glob("*.js")} == known and len(lines) < 1000
    assert not any("http" in line and "w3.org" not in line for line in lines)


# Axes and words

AXES = [
    ([0.0, 0.068, 0.076], True, (0.0, 0.02, 0.04, 0.06, 0.08), 2, "zero is on it"),
    ([-0.041, 0.019], True, (-0.06, -0.04, -0.02, 0.0, 0.02), 2, "both signs"),
    ([0.3, 0.9], False, (0.2, 0.4, 0.6, 0.8, 1.0), 1, "zero need not be"),
    ([None, None], False, (0.0, 0.25, 0.5, 0.75, 1.0), 2, "nothing known"),
    ([0.0, 0.0], True, (0.0, 0.005), 3, "no length"),
    ([1e9], True, (0.0, 2.5e8, 5e8, 7.5e8, 1e9), 0, "large"),
]


@pytest.mark.parametrize(("values", "zero", "ticks", "digits", "why"), AXES, ids=[case[-1] for case in AXES])
def test_axes(values, zero, ticks, digits, why):
    axis = axis_over(values, zero=zero)
    assert axis.ticks == ticks and axis.digits == digits, why
    assert (axis.at(axis.low), axis.at(axis.high), axis.at(axis.high + 9)) == (0, 100, 100), "cut to the axis"


LABELLED = [
    (Axis(0, 1, (0, 0.25, 0.5, 0.75, 1)), [0, 0.5, 1], "ends and middle"),
    (Axis(-0.06, 0.02, (-0.06, -0.04, -0.02, 0.0, 0.02)), [-0.06, 0.0, 0.02], "zero instead of the middle"),
    (Axis(-0.3, 0.05, (-0.3, 0.0, 0.05)), [-0.3, 0.0], "no room beside zero"),
]


@pytest.mark.parametrize(("axis", "labels", "why"), LABELLED, ids=[case[-1] for case in LABELLED])
def test_labels_have_room(axis, labels, why):
    assert [tick for tick, _ in axis.labelled] == labels, why


def test_words():
    assert [nice(step) for step in (0.019, 0.021, 0.3, 7)] == ALIKE([0.02, 0.025, 0.5, 10])
    assert (signed(-0.0356), signed(0.5, 1)) == ("−0.036", "+0.5")
    assert (p_in_a_sentence(0.0004), p_in_a_sentence(0.0123)) == ("< .001", ".012")
    assert in_words(["a"]) == "a" and in_words(["a", "b"]) == "a and b"
    assert in_words(list("abcdef")) == "a, b, c and 3 more"
    assert Measure(0.5, 0.4, 0.7).half == ALIKE(0.15) and Measure(0.5).half is None


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        gathered = gather.gather_leaderboard(*board(Path(place), Path(place) / "home"))
        PAGE.write_text(golden(data.page(gathered)), encoding="utf-8")
