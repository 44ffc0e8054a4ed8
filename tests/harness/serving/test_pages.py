"""The pages of a server in a real browser: a clip is dropped and answered, by keyboard alone, at phone width, every
refusal in words, and without any request to another server."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest

pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("fastapi", reason="FastAPI is not installed")

import numpy as np
from PIL import Image

import harness
from harness.serving.guard import Access
from reference.video.encode import write_video
from tests.support import ROOT, pages
from tests.support.serving import answer_about, by_colour, picture, served

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"
SAID = {
    "dominant_operation": "Put Items",
    "temporal_segment": {"start_frame": 14, "end_frame": 98},
    "next_operation": "Pack",
}


class Said:
    """Model that goes by the blue of the first picture: little is a number's picture (`by_colour`), all is a text
    without an answer, some an answer in words, or with much red a failure."""

    wants, batch_size, training = harness.Wants(2, 32), 4, None
    card = {"description": "for pages"}  # noqa: RUF012

    def ask(self, questions, operations):
        return [self.said(question) for question in questions]

    def said(self, question):
        red, _, blue = question.frames[0, 16, 16].tolist()
        if question.clip_id == "warm-up" or blue < 100:
            return by_colour([question])[0]
        if blue > 240:
            return harness.Reply(f"I see nothing. {EVIL}")
        if red > 200:
            raise RuntimeError("out of memory at /secret/place")
        return harness.Reply(json.dumps(SAID), None, 0.83, 0.61)


def colour(*rgb):
    """A picture of one colour, which the model above goes by."""
    file = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), rgb, np.uint8)).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def server():
    with served(Said(), body_bytes=1 << 20) as found:
        yield found


@pytest.fixture(scope="module")
def started():
    with pages.browser() as found:
        yield found


class Visit(pages.Tab):
    """A page of a server in the browser."""

    def __init__(self, started, url, path="/", *, width=1280, scheme="light"):
        super().__init__(started, width=width, scheme=scheme)
        self.url = url
        if path == "/":
            self.show(url + path)
        else:
            self.page.goto(url + path)

    def choose(self, *files):
        """Choose files by name and content, and wait for what comes of it."""
        self.page.set_input_files("#clip", [named(*file) for file in files])
        self.done()

    def done(self):
        self.page.wait_for_selector("#answer:not([aria-busy]) #said:not([hidden]), #answer:not([aria-busy]) .error")

    def posts(self):
        return sum(method == "POST" for method, _ in self.asked)

    def outside(self):
        own = (self.url, f"blob:{self.url}")
        return [address for _, address in self.asked if not address.startswith(own)]

    def text(self, selector):
        return self.page.locator(selector).inner_text()


def named(name, content):
    kind = "video/mp4" if name.endswith(".mp4") else "image/png" if name.endswith(".png") else "text/plain"
    return {"name": name, "mimeType": kind, "buffer": content}


@pytest.fixture
def visit(started, server):
    visits = []

    def visit(path="/", *, url=server.url, **options):
        visits.append(Visit(started, url, path, **options))
        return visits[-1]

    yield visit
    for one in visits:
        one.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video that the model answers about in words."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, (np.full((64, 64, 3), (60, 60, 160), np.uint8) for _ in range(125)), 64)
    return "clip.mp4", path.read_bytes()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_clip_is_answered_on_a_page_that_fits_and_is_for_everyone(visit, clip, width, scheme):
    opened = visit(width=width, scheme=scheme)
    opened.choose(clip)
    assert opened.text("#operation") == "Put Items"
    bar = opened.page.locator("#segment")
    assert (bar.get_attribute("x"), bar.get_attribute("width")) == ("11.2%", "67.2%")
    facts = opened.text("#facts")
    for words in ("frames 14 to 97", "0.56 s to 3.92 s, 84 of 125 frames", "Pack", "confidence 61%", " ms"):
        assert words in facts
    assert "as the model said it" in facts and opened.text("#sure") == "confidence 83%"
    assert opened.text("#status") == "Put Items, frames 14 to 97, then Pack."
    assert json.loads(opened.page.locator("#json").text_content())["source"] == "model"
    assert opened.page.locator("#raw").text_content() == json.dumps(SAID)
    about = opened.text("#about")
    assert "2 frames of 32 x 32 pixels" in about and "Box Setup, Inner Packing" in about
    opened.page.locator("summary").last.click()
    assert pages.violations(opened.page) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    small = "all => all.filter(e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
    assert opened.page.eval_on_selector_all("button, summary, input, a:not(.skip)", small) == []
    assert opened.said == [] and opened.outside() == []


def test_keyboard_alone(visit, clip):
    opened = visit()
    page = opened.page
    focused = "document.activeElement.id || document.activeElement.className"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "skip"
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chooser:
        # That choosers are to be told goes to the page's thread another way than keys do, and may come after them: so
        # ask that thread something first.
        assert page.evaluate(focused) == "clip"
        page.keyboard.press("Space")
    chooser.value.set_files(named(*clip))
    opened.done()
    assert opened.text("#operation") == "Put Items"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "send" and opened.text("#send") == "Ask again"
    with page.expect_response("**/predict"):
        page.keyboard.press("Enter")
    opened.done()
    assert opened.posts() == 2


def test_pictures_in_the_order_of_their_names_with_their_times(visit):
    opened = visit()
    opened.choose(("frame10.png", picture(7)), ("frame2.png", picture(4711)), ("frame1.png", picture(4711)))
    answer = answer_about(4711)
    assert opened.text("#operation") == answer["dominant_operation"]
    alts = opened.page.eval_on_selector_all("#pictures img", "all => all.map(one => one.alt)")
    assert alts == ["frame1.png", "frame2.png", "frame10.png"]
    assert opened.page.input_value("#times") == "0, 2.48, 4.96"
    opened.page.fill("#times", "0 3 2.5")
    assert opened.text("#pictures").split("\n") == ["0 s", "3 s", "2.5 s"]
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_selector(".error")
    assert "the times: expected times that rise, from 0 to 5 seconds" in opened.text("#error")


def test_files_dropped_anywhere_on_the_page(visit):
    opened = visit()
    dropped = opened.page.evaluate_handle(
        """texts => {
            const moved = new DataTransfer();
            for (const text of texts) {
                const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
                moved.items.add(new File([bytes], `${moved.items.length}.png`, { type: "image/png" }));
            }
            return moved;
        }""",
        [base64.b64encode(picture(300)).decode()] * 2,
    )
    opened.page.dispatch_event("#drop", "dragover", {"dataTransfer": dropped})
    assert opened.page.get_attribute("#drop", "class") == "drop over"
    opened.page.dispatch_event("footer", "drop", {"dataTransfer": dropped})
    opened.done()
    assert opened.text("#operation") == answer_about(300)["dominant_operation"]
    assert opened.page.get_attribute("#drop", "class") == "drop"
    assert opened.page.evaluate("document.querySelector('#clip').files.length") == 2


REFUSED = [
    ([], "No clip is chosen yet.", "nothing is chosen"),
    ([("a.png", b"x")], "One picture is no clip: it takes 2 to 32.", "one picture"),
    ([("a.mp4", b"x"), ("b.png", b"x")], "Videos and pictures together are no clip", "two kinds"),
    ([("a.mp4", b"x"), ("b.mp4", b"x")], "2 videos at once: this page takes one.", "two videos"),
    ([("a.mp4", bytes(2_000_000))], "2.0 MB, and the server takes 1.0 MB at most.", "larger than the server takes"),
]


def test_what_is_no_clip_is_refused_without_the_server(visit):
    opened = visit()
    opened.page.wait_for_selector("#about:not([hidden])")
    for files, words, why in REFUSED:
        if files:
            opened.choose(*files)
        else:
            opened.page.click("#send")
        assert words in opened.text("#error"), why
    assert opened.posts() == 0


def test_refusals_of_the_server_itself(visit):
    opened = visit()
    opened.choose(("clip.mp4", b"no video at all"))
    assert "The clip cannot be used" in opened.text("#error") and "not an MP4" in opened.text("#error")
    opened.choose(*[(f"{at}.png", colour(250, 0, 200)) for at in (1, 2)])
    assert "The model failed" in opened.text("#error") and "secret" not in opened.text("body")
    assert re.search("request [0-9a-f]{32}", opened.text("#error"))
    opened.choose(*[(f"{at}.png", colour(255, 255, 255)) for at in (1, 2)])
    assert "fallback no whole answer could be read in the model's words" in opened.text("#facts")
    opened.page.locator("summary").first.click()
    assert EVIL in opened.text("#raw") and "dialog" not in opened.said


IN_WORDS = [
    (413, {}, "The clip is too large"),
    (415, {}, "This is no clip that the server reads"),
    (422, {}, "The clip cannot be used"),
    (429, {"Retry-After": "7"}, "Too many clips are waiting"),
    (500, {}, "The model failed"),
    (503, {}, "The server is not ready"),
    (504, {}, "No answer in time"),
    (418, {}, "The server answers with 418"),
    (None, {}, "The server does not answer"),
]


def test_every_refusal_is_in_words_and_hostile_text_is_text(visit, clip):
    opened = visit()
    case = {}

    def answer(route):
        if case["status"] is None:
            route.abort()
        else:
            said = {"error": {"message": EVIL, "param": "video", "code": case["status"]}}
            route.fulfill(status=case["status"], headers=case["headers"], json=said)

    opened.page.route("**/predict", answer)
    for status, headers, title in IN_WORDS:
        case |= {"status": status, "headers": headers}
        opened.choose(clip)
        error = opened.text("#error")
        assert error.startswith(title) and opened.page.get_attribute("#error", "role") == "alert"
        assert (f"the video: {EVIL}" in error) == (status is not None)
        assert ("Ask again in 7 seconds." in error) == (status == 429)
        assert not opened.page.is_visible("#said")
    assert "dialog" not in opened.said and opened.page.locator("#error img").count() == 0
    assert pages.violations(opened.page) == []


def test_a_token_is_asked_for_and_sent(started):
    with served(Said(), Access.of("open-sesame-open-sesame", (), loopback=True)) as found:
        opened = Visit(started, found.url)
        opened.choose(*[(f"{at}.png", picture(300)) for at in (1, 2)])
        assert "The server wants its token" in opened.text("#error")
        assert opened.page.evaluate("document.activeElement.id") == "token"
        opened.page.keyboard.type("open-sesame-open-sesame")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector("#said:not([hidden])")
        assert opened.text("#operation") == answer_about(300)["dominant_operation"]
        opened.page.wait_for_selector("#about:not([hidden])")
        assert "sesame" not in opened.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        opened.close()


def test_policy_admits_nothing_inline_and_pages_hold_nothing_inline(server):
    with server.client() as client:
        for path in ("/", "/docs"):
            reply = client.get(path)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
            assert re.findall(r"<style|style=|<script(?! src=)|\son[a-z]+=|javascript:|//[a-z]", reply.text) == []


@pytest.mark.parametrize(
    "name", ["drop.html.j2", "..%2fpages.py", "..%2f..%2fcli.py", "%2e%2e/pages.py", "page.css%00"]
)
def test_no_other_file_is_ever_sent(server, name):
    with server.client() as client:
        assert client.get(f"/static/{name}").status_code == 404
        assert client.get("/static/page.css").headers["content-type"].startswith("text/css")


def test_the_reference_shows_the_whole_api(visit, server):
    opened = visit("/docs", scheme="dark")
    with server.client() as client:
        document = client.get("/openapi.json").json()
        assert "<script" not in client.get("/docs").text, "it is whole without a script"
    text = opened.text("body")
    for path, item in document["paths"].items():
        for method in item:
            assert f"{method.upper()}{path}" in text.replace(" ", "").replace("\n", "")
    links = opened.page.eval_on_selector_all("a[href^='#']", "all => all.map(one => one.getAttribute('href').slice(1))")
    ids = opened.page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert set(links) <= set(ids) and len(ids) == len(set(ids)) and len(links) > 15
    for words in ("mp4 of five seconds", "pictures[].time_s", "2 to 32 items", "PredictionResponse", "ErrorResponse"):
        assert words in text
    assert pages.violations(opened.page) == []
    opened.page.set_viewport_size({"width": 360, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert opened.said == [] and opened.outside() == []


def test_colours_are_those_of_the_report():
    """One palette: a colour that both sheets name has one value, light and dark."""
    ours, report = (
        re.findall(r"--([a-z]+): ([^;]+);", (ROOT / "harness" / room / "static" / sheet).read_text())
        for room, sheet in (("serving", "page.css"), ("report", "style.css"))
    )
    assert len(ours) > 15 and set(ours) <= set(report)
