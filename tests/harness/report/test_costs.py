"""Panel of costs: what it shows, where there is none, its axis, and that a page with it can be verified."""

from __future__ import annotations

import shutil

import pytest

from harness.report import data, gather, verify, write
from harness.report.panels.costs import LABELS, log_axis
from harness.report.render import Plot
from harness.scoring.request import Request
from tests.support import hand, pages
from tests.support.pages import Opened

ROWS = hand.grid(6, 2)


def asked(latency, tokens, wrong=0, **cost):
    """Lines that answer the first `wrong` clips wrongly."""
    usage = {"usage": {"input_tokens": tokens, "output_tokens": 10}, "attempts": 1, "served_model": "<b>m</b>"}
    return [
        hand.right(row, latency_ms=latency, **({"dominant_operation": "Wrap"} if i < wrong else {})) | usage | cost
        for i, row in enumerate(ROWS)
    ]


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Request of a world of ROWS, and the digest of its truth."""
    folder = tmp_path_factory.mktemp("paper")
    digest = hand.world("paper", ROWS, folder, folder / "home")
    return Request(world="paper", home=folder / "home"), digest


@pytest.fixture(scope="module")
def board(paper, tmp_path_factory):
    """Three entries that state tokens (two of them a price) and one that states a latency alone: only to be read."""
    (request, digest), folder = paper, tmp_path_factory.mktemp("board")

    def add(name, lines, **run):
        hand.entry(folder / name, name, lines, "paper", digest, run=run)

    add("good", asked(2000, 1000, model_ms=1500.25), price=[4, 100], unanswered={"timeout": 2})  # 12 x 0.005 dollars
    add("cheap", asked(100, 500, wrong=6), price=[1, 50])  # 12 x 0.001 dollars
    add("slow", asked(9000, 500, wrong=3, usage=None))
    add(
        "local",
        [{k: v for k, v in line.items() if k in hand.right(ROWS[0]) or k == "latency_ms"} for line in asked(50, 1, 9)],
    )
    return folder, request


def test_the_panel_holds_prices_latencies_and_who_is_best_for_them(board):
    costs = data.page(gather.gather_leaderboard(*board)).costs
    assert costs is not None
    rows = {row.name: row for row in costs.rows}
    assert rows.keys() == {"good", "cheap", "slow", "local"}
    assert (rows["good"].dollars, rows["cheap"].dollars, rows["slow"].dollars) == pytest.approx((0.06, 0.012, None))
    assert (rows["good"].per_thousand, rows["cheap"].per_thousand) == pytest.approx((5, 1))
    assert (rows["good"].unanswered, rows["good"].kinds, rows["good"].served) == (2, "timeout 2", "<b>m</b>")
    assert (rows["local"].tokens_in, rows["local"].unanswered, rows["local"].p50_ms) == (None, None, 50)
    price, latency = costs.pictures
    assert [(point.name, point.best) for point in price.points] == [("cheap", True), ("good", True)]
    assert [(point.name, point.best) for point in latency.points] == [
        ("local", True),
        ("cheap", True),
        ("good", True),
        ("slow", False),
    ]
    assert price.finding == (
        "For the price, these are the best: cheap ($1.00 for 1,000 clips, 0.850) and "
        "good ($5.00 for 1,000 clips, 1.000)."
    )


def test_served_latency_is_told_apart_from_the_models_own(paper, tmp_path):
    request, digest = paper
    hand.entry(tmp_path, "served", asked(12_000, 500, model_ms=40.5), "paper", digest)
    gathered = gather.gather_report(tmp_path / "predictions.jsonl", request)
    [row] = data.page(gathered).costs.rows
    assert (row.p50_ms, row.p95_ms, row.above_10s, row.model_ms) == (12_000, 12_000, 1, 40.5)
    assert gathered.entries[0].score.record["sections"]["latency"]["text"] == (
        "p50 is 12000 ms, p95 12000 ms; 100.0% of 12 answers took longer than 10 s, as the client saw them; "
        "its server says that the model itself took 40 ms (p50), 40 ms (p95)"
    )


def test_one_entry_has_a_table_and_no_picture(board):
    folder, request = board
    costs = data.page(gather.gather_report(folder / "good" / "predictions.jsonl", request)).costs
    assert costs is not None and (len(costs.rows), costs.pictures) == (1, [])


def test_a_page_without_costs_has_no_trace_of_them(board, tmp_path):
    folder, request = board
    page = data.page(gather.gather_report(folder / "local" / "predictions.jsonl", request))
    assert page.costs is None and "costs" not in data.snapshot(page)
    written = write.report_page(folder / "local" / "predictions.jsonl", tmp_path / "page.html", request=request)
    text = written.path.read_text()
    assert "#cost" not in text and "What does it cost?" not in text


@pytest.mark.parametrize("kind", ["leaderboard", "report", "compare"])
def test_a_page_with_costs_is_verified_and_another_price_is_named(kind, board, tmp_path):
    folder, request = shutil.copytree(board[0], tmp_path / "board"), board[1]
    path = tmp_path / "page.html"
    files = [folder / name / "predictions.jsonl" for name in ("good", "cheap")]
    if kind == "leaderboard":
        write.leaderboard_page(folder, path, request=request)
    elif kind == "report":
        write.report_page(files[0], path, request=request)
    else:
        write.compare_page(*files, path=path, request=request)
    text = path.read_text()
    assert "What does it cost?" in text and "<b>m</b>" not in text and "&lt;b&gt;m&lt;/b&gt;" in text
    assert verify.verify(path, folder, request).difference is None
    card = folder / "good" / "card.toml"
    card.write_text(card.read_text().replace("price = [4, 100]", "price = [4, 200]"))
    assert "cost" in (verify.verify(path, folder, request).difference or "")


AXES = [
    # values, ends, ticks, place of a value
    ((1, 10), (1, 10), "1 2 5 10", (10**0.5, 50)),
    ((0.3, 4), (0.2, 5), "0.2 0.5 1 2 5", (1, 50)),
    ((7, 7), (5, 10), "5 10", (50**0.5, 50)),
    ((2, 2), (2, 5), "2 5", (2, 0)),
    ((1, 90_000), (1, 100_000), "1 10 100 1,000 10,000 100,000", (1000, 60)),
    ((1e-6, 1e9), (1e-6, 1e9), None, (10**1.5, 50)),
]


@pytest.mark.parametrize("values, ends, ticks, place", AXES)
def test_logarithmic_axes(values, ends, ticks, place):
    axis = log_axis(values)
    assert (axis.low, axis.high) == pytest.approx(ends)
    assert ticks is None or " ".join(axis.texts) == ticks
    assert 2 <= len(axis.ticks) <= 7 and axis.at(place[0]) == pytest.approx(place[1], abs=0.01)
    assert (axis.at(ends[0] / 2), axis.at(ends[1] * 2)) == (0, 100)


def test_numbers_beside_points_do_not_stand_on_each_other(board, paper, tmp_path):
    """Four entries of one price and score have their numbers in four places."""
    folder, (request, digest) = shutil.copytree(board[0], tmp_path / "board"), paper
    for name in ("twin-1", "twin-2", "twin-3"):
        hand.entry(folder / name, name, asked(2000, 1000), "paper", digest, run={"price": [4, 100]})
    costs = data.page(gather.gather_leaderboard(folder, request)).costs
    assert costs is not None
    points = [point for point in costs.pictures[0].points if point.x == pytest.approx(5)]
    assert sorted(point.label for point in points) == list(range(len(LABELS)))
    plot = Plot(costs.pictures[0].x, costs.pictures[0].y)
    assert {(plot.px(point.x), plot.py(point.score.value)) for point in points} == {
        (plot.px(points[0].x), plot.py(points[0].score.value))
    }


@pytest.fixture(scope="module")
def started():
    with pages.browser() as found:
        yield found


@pytest.fixture(scope="module")
def rude_page(board, paper, tmp_path_factory):
    """Write the page of the board with one more entry, whose texts are hostile and long."""
    folder = tmp_path_factory.mktemp("rude")
    shutil.copytree(board[0], folder / "board")
    request, digest = paper
    lines = asked(700, 800, 2, served_model="<img src=x onerror=bad()>" * 3)
    kinds = {"<script>bad()</script>": 4, "no-spaces-anywhere-in-this-kind-of-failure": 1}
    hand.entry(folder / "board" / "rude", "rude", lines, "paper", digest, run={"price": [2, 9], "unanswered": kinds})
    return write.leaderboard_page(folder / "board", folder / "page.html", request=request).path


@pytest.mark.parametrize("scheme, width", [("light", 360), ("dark", 1280)])
def test_the_panel_in_a_browser(scheme, width, rude_page, started):
    """No fault for those who do not see, nothing beyond the edge, targets of 24 px, keyboard, hostile text as text."""
    opened = Opened(started, rude_page, "", scheme=scheme, width=width)
    page = opened.page
    assert page.locator("#cost figure").count() == 2 and page.locator("#cost .dot").count() == 3 + 5
    assert pages.violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for link in page.locator("#cost a").all():
        box = link.bounding_box()
        assert box["height"] >= 23.5 and box["width"] >= 23.5
    page.locator("#cost a", has_text="slow").focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#model h2") == "Why does slow fail?"
    assert "<script>bad()</script> 4" in page.inner_text("#cost") and (opened.said, opened.outside()) == ([], [])
    opened.close()
