"""The page of answers about own clips in a real browser: no request, unread first, filter, search and order, by
keyboard alone, at phone width, without a script, and with hostile text everywhere."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("av", reason="PyAV is not installed")
import numpy as np
from PIL import Image

import harness
from harness.errors import UsageError
from harness.own_answers import write_own_answers
from harness.prediction.predictor import Reply, Wants
from harness.report.answers_page import LONGEST_RAW, answers_page
from tests.support import hand, pages
from tests.support.pages import Opened

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u2028"
OPERATIONS = ["Tape: closed", "Pack", f"{EVIL[:60]}: {EVIL}", "Never"]


def said(operation, confidence=None, latency_ms=None, **changes):
    answer = {"dominant_operation": operation, "temporal_segment": hand.segment(25, 100), "next_operation": "Tape"}
    return Reply(json.dumps(answer | changes), None, confidence)


REPLIES = {
    "1": said("Pack", 0.9),
    "2": said("Tape", 0.2),
    "3": Reply(f"I cannot see the video. {EVIL}"),
    "4": said("Pack", 0.5),
    "5": said("jumping" * 20, 0.95),
    f"{EVIL[9:30].replace('/', '')}": said(EVIL[:60], temporal_segment=hand.segment(90, 90)),
    "7": said(None, next_operation=None, temporal_segment=None),
    "8": Reply("x" * 9000),
}


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Make clips of two pictures each, and answers about them."""
    folder = tmp_path_factory.mktemp("page")
    for place, name in enumerate(REPLIES):
        (folder / "mon<b>day" / name).mkdir(parents=True)
        for half in (0, 1):
            picture = Image.fromarray(np.full((20, 40, 3), 20 * place + 80 * half, np.uint8))
            picture.save(folder / "mon<b>day" / name / f"{half}.png")
    (folder / "mon<b>day" / "old.avi").write_bytes(b"RIFF....AVI ")
    made = harness.predict(
        lambda question: REPLIES[question.clip_id],
        folder / "mine",
        wants=Wants(4, 32),
        card={"description": f"made up {EVIL}"},
        clips=folder / "mon<b>day",
        labels=OPERATIONS,
    )
    written = answers_page(folder / "mine", shown=made.own.shown)
    assert (written.path, written.pictures) == (folder / "mine" / "answers.html", len(REPLIES))
    return written.path


@pytest.fixture(scope="module")
def started():
    with pages.browser() as found:
        yield found


@pytest.fixture
def open_page(started, answered):
    opened = []

    def open_page(hash_="", **options):
        opened.append(Opened(started, answered, hash_, **options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.close()


def listed(opened) -> list[str]:
    return opened.page.eval_on_selector_all(".card", "all => all.filter(e => !e.hidden).map(e => e.dataset.clip)")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (768, "dark"), (360, "light")])
def test_opens_from_disk_fits_and_is_for_everyone(width, scheme, open_page):
    opened = open_page(width=width, scheme=scheme)
    assert opened.said == [] and opened.outside() == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert pages.violations(opened.page) == []
    small = "all => all.filter(e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
    assert opened.page.eval_on_selector_all("button, summary, select, input", small) == []


def test_unread_clips_come_first_and_everything_is_shown(open_page):
    opened = open_page()
    assert listed(opened) == ["3", "8", *(name for name in sorted(REPLIES) if name not in ("3", "8"))]
    text = opened.page.inner_text("body")
    assert "8 of 8 clips of mon<b>day answered; 2 answers could not be read" in text
    assert "Most often Pack (2), Tape (1) and" in text and "No truth is known here" in text
    assert "Never answered: Never." in text and "Left out: old.avi" in text
    card = opened.page.locator(".card[data-clip='2']")
    assert card.locator(".said").inner_text() == "Tape [25, 100) → Tape" and "confidence 0.20" in card.inner_text()
    bar = card.locator("rect.answer")
    assert (bar.get_attribute("x"), bar.get_attribute("width")) == ("20.0%", "60.0%")
    strange = opened.page.locator(".card[data-clip='5']").inner_text()
    assert f"not among the operations: {'jumping' * 20}" in strange
    assert "no operation no segment → no next operation" in opened.page.locator(".card[data-clip='7']").inner_text()
    assert opened.page.eval_on_selector_all("img", "all => all.map(e => [e.naturalWidth, e.complete]).length") == 8


def test_words_on_demand_long_ones_cut(open_page):
    card = open_page().page.locator(".card[data-clip='8']")
    assert not card.locator("pre").is_visible()
    card.locator("summary").click()
    assert (
        card.locator("pre").inner_text() == "x" * LONGEST_RAW and "the beginning; the whole text" in card.inner_text()
    )


def test_filter_search_and_order(open_page):
    opened = open_page()
    page = opened.page
    page.click("button[data-group=Pack]")
    assert listed(opened) == ["1", "4"] and page.inner_text("#count") == "2 of 8 clips"
    page.select_option("#order", "unsure")
    assert listed(opened) == ["4", "1"]
    assert page.get_attribute("button[data-group=Pack]", "aria-pressed") == "true"
    again = open_page(re.search("#.*", page.url)[0])
    assert listed(again) == ["4", "1"], "the address keeps the view"
    page.click("button[data-group=Pack]")
    page.fill("#search", "CANNOT see")
    assert listed(opened) == ["3"]
    page.fill("#search", "nothing of that")
    assert page.is_visible("#none")
    page.keyboard.press("Escape")
    assert listed(opened)[:2] == ["2", "4"], "least confident first"


def test_keyboard_alone(open_page):
    opened = open_page()
    page = opened.page
    focused = "document.activeElement.dataset.clip"
    for key, expected in (("j", "3"), ("j", "8"), ("j", "1"), ("k", "8")):
        page.keyboard.press(key)
        assert page.evaluate(focused) == expected
    page.keyboard.press("Enter")
    assert page.locator(".card[data-clip='8'] pre").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("jumping")
    assert listed(opened) == ["5"]
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate(focused) == "3"


def test_without_a_script_all_of_it_is_there(open_page):
    page = open_page(script=False).page
    assert page.locator(".card").count() == 8 and page.locator(".card .said").first.is_visible()
    assert not page.locator("#search").is_visible()


def test_hostile_text_is_text(open_page):
    opened = open_page()
    assert opened.page.locator("script").count() == 1 and "dialog" not in opened.said
    assert f"made up {EVIL}".replace("\u2028", "") in opened.page.inner_text("#method").replace("\u2028", "")


def test_the_course_of_a_recording(started, tmp_path):
    """Neighbours with one answer are one stretch; a clip without an answer ends it."""
    said = {0: "Pack", 5: "Pack", 10: "Tape", 15: "Tape", 25: "Tape", 70: None}
    lines = [
        {"clip_id": f"rec/{second:06d}", "dominant_operation": operation, "temporal_segment": None}
        | {"next_operation": None, "latency_ms": 1.0, "source": "model"}
        for second, operation in reversed(said.items())
    ]
    lines.append({**lines[0], "clip_id": "alone/000000"})
    clips = {"name": "x", "path": "x", "found": 9, "digest": "x", "left_out": {}, "rests": {}, "not_shown": {}}
    facts = {"name": "x", "description": "x", "date": "x", "operations": {"Pack": "", "Tape": ""}, "clips": clips}
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    run = {"run": {"harness": "1", "limit": 7, "unanswered": {"refused": 2}}}
    write_own_answers(tmp_path, facts | run, lambda path: path.write_text(text))
    opened = Opened(started, answers_page(tmp_path).path)
    page = opened.page
    assert page.inner_text(".course").split("\n")[0] == "In the course of rec" and page.locator(".course").count() == 1
    stretches = ["0:00 Pack 2 clips", "0:10 Tape 2 clips", "0:25 Tape", "1:10 (no operation)"]
    assert [text.strip() for text in page.locator(".course li").all_inner_texts()] == stretches
    chips = page.inner_text(".chips")
    assert "asked about\nthe first 7 clips" in chips and "given up\nrefused 2" in chips
    page.fill("#search", "nothing")
    page.click("[data-go='rec/000010']")
    assert page.evaluate("document.activeElement.dataset.clip") == "rec/000010" and len(listed(opened)) == 7
    opened.close()


def test_pictures_within_a_budget_and_none_without_the_clips(answered, tmp_path):
    folder = answered.parent
    one = answers_page(folder, tmp_path / "a.html", budget=700)
    assert 1 <= one.pictures < len(REPLIES)
    assert f"{one.pictures} of the 8 clips have pictures here." in one.path.read_text()
    facts = json.loads((folder / "answers.json").read_text())
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "predictions.jsonl").write_bytes((folder / "predictions.jsonl").read_bytes())
    facts["clips"]["path"] = str(tmp_path / "nowhere")
    (tmp_path / "moved" / "answers.json").write_text(json.dumps(facts))
    assert harness.answers_page(tmp_path / "moved").pictures == 0


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"holds no answers\.json, as harness predict --clips writes it"):
        answers_page(tmp_path)
    (tmp_path / "answers.json").write_text('{"format": 1}')
    with pytest.raises(UsageError, match=r"answers\.json: does not say what was asked"):
        answers_page(tmp_path)
