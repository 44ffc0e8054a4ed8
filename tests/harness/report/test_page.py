"""Pages in a real browser: opened from disk with no request and no message, every number that of the score record, by
keyboard alone, for those who see and those who do not, on paper, and with hostile text everywhere.

Screenshots of every panel are written to a folder (REPORT_SHOTS, else a temporary one) and compared loosely with small
committed ones (tests/gold/shots), so that a broken layout fails; `python -m tests.harness.report.test_page`
renews those.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.metrics_table import OBSERVED
from harness.report import gather, write
from harness.scoring.request import Request
from tests.support import GOLD, ROOT, hand, pages
from tests.support.pages import Opened

PICTURES = GOLD / "shots"
SUBMISSIONS = ROOT / "submissions"


@pytest.fixture(scope="module")
def started():
    with pages.browser() as found:
        yield found


@pytest.fixture(scope="module")
def boards(tmp_path_factory, home, started):
    """Write pages by number of entries: leaderboards of three and of ten models, a report, a comparison.

    The ten are on a sixth of the clips.
    """
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for count, split in ((3, "test"), (10, "validation")):
        entries = pages.entries(folder / f"of-{count}", count, home, split=split)
        gathered = gather.gather_leaderboard(entries, Request(split=split))
        write.write(gathered, folder / f"{count}.html")
        made[count] = folder / f"{count}.html", gathered
    one = gather.gather_report(folder / "of-3" / "model-0" / "predictions.jsonl", Request())
    write.write(one, folder / "1.html")
    made[1] = folder / "1.html", one
    two = gather.gather_comparison([folder / "of-3" / f"model-{i}" / "predictions.jsonl" for i in (0, 1)], Request())
    write.write(two, folder / "2.html")
    return made | {2: (folder / "2.html", two)}


@pytest.fixture
def open_page(started, boards):
    opened = []

    def open_page(which, hash_="", **options):
        path = boards[which][0] if isinstance(which, int) else which
        opened.append(Opened(started, path, hash_, **options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.close()


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_opens_from_disk_and_asks_nobody(count, open_page):
    opened = open_page(count)
    opened.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert opened.outside() == [] and opened.said == []


@pytest.mark.parametrize("count", [1, 2, 10])
def test_axe_finds_nothing(count, open_page):
    """In light by all rules, then in dark by those about colours."""
    page = open_page(count).page
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = !one.classList.contains('menu'))")
    assert pages.violations(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert pages.violations(page, pages.COLOURS) == []


def test_a_scheme_changes_colours_alone():
    """In every sheet the rules of a scheme hold colours alone, so that what else axe looks at is seen in light."""
    sheets = [sheet.read_text(encoding="utf-8") for sheet in (ROOT / "harness").glob("*/static/*.css")]
    blocks = re.findall(r"@media \(prefers-color-scheme: \w+\) \{(.*?\})\s*\}", "\n".join(sheets), re.DOTALL)
    assert 3 < len(blocks) == sum(sheet.count("prefers-color-scheme") for sheet in sheets)
    declarations = "".join(re.sub(r"[^{};]+\{|\}", "", block) for block in blocks)
    assert re.sub(r"\s*(--[a-z]+|color): #[0-9a-f]{6};\s*", "", declarations) == ""


@pytest.mark.parametrize("count", [1, 3, 10])
def test_numbers_are_those_of_the_record(count, open_page, boards):
    """Every cell of the leaderboard and, for each entry in turn, every number of its panels."""
    opened, gathered = open_page(count), boards[count][1]
    seen = 0
    for place, entry in enumerate(gathered.entries):
        opened.page.select_option("#choose-model", str(place), force=True)
        for within in (f'#board tr[data-place="{place}"]', "#model"):
            for path, value, text in pages.numbers(opened, within):
                found = pages.at(entry.score.record, path)
                assert float(value) == found, f"{entry.name} {path}"
                assert agrees(text, found), f"{entry.name} {path}: {text} for {found}"
                seen += 1
    assert seen > 200 * len(gathered.entries)


def agrees(text, value):
    """Return whether the shown text is the value, rounded as it is shown."""
    if text.endswith("%"):
        return abs(float(text[:-1]) / 100 - value) <= 0.0005 + 1e-12
    shown = text.replace("−", "-")
    digits = len(shown.split(".")[1]) if "." in shown else 0
    return abs(float(shown) - value) <= 0.5 * 10**-digits + 1e-9


def test_bounds_are_those_of_the_record(open_page, boards):
    opened, gathered = open_page(3), boards[3][1]
    found = pages.numbers(opened, "#board .boundrow")
    assert len(found) == 13, "floor and ceiling of five metrics, prior of three"
    for path, value, _ in found:
        assert float(value) == pages.at(gathered.entries[0].score.record, path)


def test_without_script_every_headline_number_is_there(open_page, boards):
    opened, gathered = open_page(10, script=False), boards[10][1]
    text = opened.page.inner_text("#board")
    for entry in gathered.entries:
        for metric in OBSERVED:
            assert f"{entry.score.record['metrics'][metric.key]['value']:.3f}" in text
    assert opened.page.is_visible("#model .finding") and not opened.page.is_visible("#gallery")


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_overflows(count, width, open_page):
    opened = open_page(count, width=width)
    for details in ("#columns", "#weights"):
        opened.page.click(f"{details} summary")
        assert opened.page.locator(f"{details}[open]").count() == 1
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, details
        box = opened.page.locator(f"{details} .pop").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, details
        opened.page.keyboard.press("Escape")
    sticking_out = opened.page.evaluate(
        """width => [...document.querySelectorAll("main *, header *")].filter(one => {
            const box = one.getBoundingClientRect();
            return box.width && box.right > width + 1 && !one.closest(".scroll, svg, .pop, .clip, .sr");
        }).map(one => one.outerHTML.slice(0, 80))""",
        width,
    )
    assert sticking_out == []


TARGETS = "button, select, summary, input, nav a, .board a, .looks a"


@pytest.mark.parametrize("width", [360, 1440])
def test_targets_are_large_enough(width, open_page):
    """24 px either way, but for checkboxes, whose label counts."""
    small = open_page(3, width=width).page.evaluate(
        """targets => [...document.querySelectorAll(targets)].filter(one => {
            const box = (one.type === "checkbox" ? one.closest("label") : one).getBoundingClientRect();
            return box.width && (box.height < 23.5 || box.width < 23.5);
        }).map(one => one.outerHTML.slice(0, 90))""",
        TARGETS,
    )
    assert small == []


# The leaderboard


def names(opened):
    rows = opened.page.locator("#board tr.ranked:not([hidden]) .who a")
    return rows.all_text_contents()


def test_sorting_says_so(open_page, boards):
    opened, gathered = open_page(10), boards[10][1]
    by_score = [entry.name for entry in gathered.field.ranked]
    assert names(opened) == by_score
    opened.page.click('[data-sort="oca"]')
    by_oca = sorted(gathered.field.ranked, key=lambda entry: -entry.score.record["metrics"]["oca"]["value"])
    assert names(opened) == [entry.name for entry in by_oca]
    head = opened.page.locator('th[data-col="oca"]')
    assert head.get_attribute("aria-sort") == "descending"
    opened.page.click('[data-sort="oca"]')
    assert head.get_attribute("aria-sort") == "ascending" and names(opened)[0] == by_oca[-1].name
    assert opened.page.locator("#board [aria-sort]").count() == 1


def test_filtering_columns_and_baseline(open_page):
    opened = open_page(10)
    opened.page.fill("#board-filter", "model-3")
    assert names(opened) == ["model-3"] and opened.page.locator(".boundrow:visible").count() == 3
    opened.page.fill("#board-filter", "")
    opened.page.click("#columns summary")
    opened.page.uncheck('#columns input[value="oca"]')
    assert not opened.page.is_visible('#board td[data-col="oca"] >> nth=0')
    before = opened.page.inner_text('#board tr.ranked td[data-col="gap"] >> nth=0')
    opened.page.select_option("#board-baseline", label="transition-prior")
    assert opened.page.inner_text('#board tr.ranked td[data-col="gap"] >> nth=0') != before


def test_weights_move_scores_and_say_what_they_leave(open_page, boards):
    opened, gathered = open_page(10), boards[10][1]
    opened.page.click("#weights summary")
    for key, value in (("oca", 0), ("tiou50", 0), ("aa1", 10)):
        opened.page.locator(f'[data-weight="{key}"]').evaluate(
            "(one, value) => { one.value = value; one.dispatchEvent(new Event('input', {bubbles: true})) }", value
        )
    best = max(gathered.field.ranked, key=lambda entry: entry.score.record["metrics"]["aa1"]["value"])
    row = opened.page.locator(f'#board tr:has(a:text-is("{best.name}"))')
    assert names(opened)[0] == best.name
    metric = best.score.record["metrics"]["aa1"]
    shown = row.locator('[data-col="score"] data >> nth=0').inner_text()
    prior = opened.page.locator('tr[data-bound="prior"] [data-col="score"] data >> nth=0').inner_text()
    assert (shown, prior) == (f"{metric['value']:.3f}", f"{metric['prior']:.3f}")
    assert "default weights" in opened.page.inner_text("#weights-note")
    assert opened.page.locator(".moved:visible").count() > 0, "somebody changed places"
    opened.page.click("#weights-reset")
    assert not opened.page.is_visible("#weights-note") and names(opened) == [e.name for e in gathered.field.ranked]


def test_the_tray_compares_a_model_with_a_reference(open_page):
    opened = open_page(1)
    for place in (0, 1, 2):
        opened.page.check(f'[data-tray="{place}"]')
    assert opened.page.locator("[data-tray]:checked").count() == 2, "the first is given up for the third"
    opened.page.click("#tray-clear")
    assert opened.said == [] and not opened.page.is_visible("#tray")


def test_the_tray_compares_two(open_page):
    opened = open_page(10)
    for place in (1, 4):
        opened.page.check(f'[data-tray="{place}"]')
    opened.page.click("#tray-go")
    who = [opened.page.locator(f"#pair-{side}").input_value() for side in "ab"]
    assert who == ["1", "4"]
    chosen = [opened.page.locator(f'#board tr[data-place="{place}"] .who a').inner_text() for place in (1, 4)]
    assert all(name in opened.page.inner_text("#pair .finding") for name in chosen)


# Clips


def listed(opened):
    return opened.page.inner_text("#clip-count")


def test_filters_count_as_the_record_does(open_page, boards):
    """A stage of the funnel, a mode, a slice, a confusion, a pair: as many clips as the number that was clicked."""
    opened = open_page(3)
    for selector in (
        '[data-panel="funnel"] button:not(:disabled) >> nth=-1',
        '[data-panel="repair"] button >> nth=0',
        '[data-panel="slices"] button >> nth=3',
        '[data-panel="slices"] tbody:has-text("domain") button >> nth=2',
        '[data-panel="confusion"] .cell >> nth=1',
        '[data-panel="counts"] button:not(:disabled) >> nth=1',
    ):
        button = opened.page.locator(selector)
        wanted = clicked_number(button)
        button.click()
        assert listed(opened).startswith(f"{wanted} of "), selector
        opened.page.evaluate("state.set({f: []})")


def clicked_number(button):
    """Return the count that stands with a button: in its title, in its row, or in itself."""
    title = button.get_attribute("title") or ""
    if " of " in title:
        return title.split(" of ")[0]
    text = button.inner_text()
    if text.replace(",", "").isdigit():
        return text
    return button.evaluate(
        """one => { const row = one.closest("tr"); const lost = row.querySelector(".lost");
        if (lost) return lost.textContent.slice(1);
        const small = row.querySelector(".n"); return (small ?? row.cells[3]).textContent }"""
    )


def test_every_slice_filters_as_many_clips_as_it_says(open_page):
    opened = open_page(3)
    rows = opened.page.eval_on_selector_all(
        '[data-panel="slices"] .heat [data-filter]',
        "all => all.map(one => [one.dataset.filter, one.closest('tr').querySelector('.n').textContent])",
    )
    for text, n in rows:
        opened.page.evaluate("text => state.set({f: [text]})", text)
        assert listed(opened).startswith(f"{n} of "), text
    assert len(rows) > 30


def test_only_what_is_seen_is_drawn(open_page):
    opened = open_page(3)
    opened.page.locator("#clip-list").evaluate("one => one.scrollTop = one.scrollHeight")
    opened.page.wait_for_selector('.clip[data-at="2879"]')
    assert opened.page.locator(".clip").count() < 30


def test_keyboard_alone(open_page):
    """j, k, /, enter, escape; arrows in the list, the table and the matrix."""
    opened = open_page(3)
    press = opened.page.keyboard.press
    first = opened.page.inner_text("#clip-detail h3")
    press("j")
    second = opened.page.inner_text("#clip-detail h3")
    press("k")
    assert second != first == opened.page.inner_text("#clip-detail h3")
    press("/")
    assert focused(opened) == "clip-search"
    opened.page.keyboard.type("occlusion")
    assert listed(opened).startswith("320 of ")
    press("Enter")
    assert focused(opened) == "clip-list"
    press("ArrowDown")
    press("Enter")
    assert focused(opened) == "clip-detail"
    press("Escape")
    assert focused(opened) == "clip-list"
    opened.page.focus("#clip-search")
    press("Escape")
    assert listed(opened).startswith("2,880 of ") and focused(opened) == "clip-list"


def focused(opened):
    return opened.page.evaluate("document.activeElement.id")


def test_numbers_are_traced_by_keyboard(open_page):
    opened = open_page(3)
    opened.page.focus('#board td[data-trace][tabindex="0"]')
    shown = opened.page.inner_text("#trace")
    assert "95%" in shown and "n 2,880 in 144 sessions" in shown and "harness score" in shown
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.inner_text("#trace") != shown and "OCA" in opened.page.inner_text("#trace")
    opened.page.keyboard.press("ArrowDown")
    assert "OCA" in opened.page.inner_text("#trace")
    opened.page.keyboard.press("Escape")
    assert not opened.page.is_visible("#trace")


def test_tab_reaches_every_control(open_page):
    """Nothing that can be clicked is out of the tab key's reach, and focus is never lost."""
    opened = open_page(1)
    opened.page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    seen = set()
    for _ in range(600):
        opened.page.keyboard.press("Tab")
        element = opened.page.evaluate(
            "(() => { const one = document.activeElement; return one === document.body ? null : "
            "[...document.querySelectorAll('*')].indexOf(one) })()"
        )
        if element is None or element in seen:
            break
        seen.add(element)
    wanted = opened.page.evaluate(
        """[...document.querySelectorAll("a, button:not(:disabled), input, select, summary")]
        .filter(one => one.checkVisibility()).map(one => [...document.querySelectorAll('*')].indexOf(one))"""
    )
    assert set(wanted) <= seen


def test_the_matrix_by_keyboard(open_page):
    opened = open_page(3)
    opened.page.focus("#matrix")
    for key in ("ArrowRight", "ArrowDown", "ArrowRight"):
        opened.page.keyboard.press(key)
    text = opened.page.inner_text("#matrix-readout")
    assert "(3 of 2,880)" in text
    clip = text.split("clip ")[1].split(" ")[0]
    opened.page.keyboard.press("Enter")
    assert opened.page.inner_text("#clip-detail h3") == clip
    opened.page.click("#outcomes .twin summary")
    assert opened.page.locator("#matrix-table tbody tr").count() == 50
    assert clip in opened.page.inner_text("#matrix-table")


# Links


def test_a_link_restores_the_view(open_page):
    opened = open_page(10)
    opened.page.evaluate("""state.set({model: "2", sort: "oca.up", q: "model", w: "1,1,8", cols: "best", base: "1",
        f: ["slice:domain:occlusion"], s: "tape", order: "lost", pair: "1,3"})""")
    opened.page.keyboard.press("j")
    link, view = opened.page.evaluate("location.hash"), seen(opened)
    again = open_page(10, link)
    assert seen(again) == view and again.page.evaluate("location.hash") == link


def seen(opened):
    """Return what a reader sees of all that an address keeps."""
    texts = ("#board", "#clip-count", "#clip-detail", "#pair .finding", "#weights-note", "#model h2")
    return [opened.page.inner_text(selector) for selector in texts]


def test_a_permalink_to_a_clip(open_page, boards):
    clip = boards[3][1].clips["clip_id"][777]
    opened = open_page(3, f"#clip={clip}&model=1")
    assert opened.page.inner_text("#clip-detail h3") == clip
    assert opened.page.locator("#choose-model").input_value() == "1"


@pytest.mark.parametrize(
    "link",
    [
        "#model=99",
        "#clip=none",
        "#pair=7,7",
        "#w=a,b,c",
        "#sort=x.up",
        "#f=mode:x&f=y:z",
        "#w=0,0,0",
        "#%E0%A4%A",
        "#base=9",
        "#model=__proto__",
    ],
)
def test_a_bad_link_breaks_nothing(link, open_page):
    opened = open_page(3, link)
    assert opened.said == [] and names(opened)


# Paper


def test_the_leaderboard_is_on_the_first_page_of_paper(open_page, tmp_path, boards):
    pypdf = pytest.importorskip("pypdf")
    opened = open_page(10)
    (tmp_path / "page.pdf").write_bytes(opened.page.pdf(prefer_css_page_size=True))
    first = "".join(pypdf.PdfReader(tmp_path / "page.pdf").pages[0].extract_text().split())
    for entry in boards[10][1].entries:
        assert entry.name in first and f"{entry.score.record['metrics']['score']['value']:.3f}" in first


# Hostile text

PAYLOADS = (
    "<script>bad()</script>",
    "</script><script>bad()</script>",
    "<img src=x onerror=bad()>",
    "<svg onload=bad()>",
    "<svg><script>bad()</script></svg>",
    '"><script>bad()</script>',
    "'><script>bad()</script>",
    '" onmouseover="bad()',
    "' onfocus='bad()' autofocus='",
    "javascript:bad()",
    "<a href=javascript:bad()>x</a>",
    "<iframe srcdoc='<script>bad()</script>'>",
    "<details open ontoggle=bad()>",
    "<body onload=bad()>",
    "<input autofocus onfocus=bad()>",
    "<video><source onerror=bad()>",
    "<math><mtext></mtext><script>bad()</script>",
    "</style><script>bad()</script>",
    "</title><script>bad()</script>",
    "<!--<script>bad()</script>-->",
    '-->"<script>bad()</script>',
    "]]><script>bad()</script>",
    "{{7*7}}",
    "{% include 'x' %}",
    "${bad()}",
    "&lt;script&gt;bad()&lt;/script&gt;",
    "<base href=https://example.invalid/>",
    "<meta http-equiv=refresh content=0>",
    "<link rel=stylesheet href=//example.invalid>",
    "<style>*{display:none}</style>",
    "<template><script>bad()</script>",
    "<form action=//example.invalid><button>x",
)


def test_hostile_text_is_shown_as_text(open_page, tmp_path, home):
    """In names, descriptions, clip ids, sessions, domains, workers, labels, raw output, diagnoses, training records and
    the reason why an entry is broken."""
    assert len(set(PAYLOADS)) == 32
    rows = [
        hand.clip(
            i // 8,
            i % 8,
            clip_id=payload,
            domain=PAYLOADS[i // 8],
            worker=PAYLOADS[i // 8 + 4],
            next_operation=PAYLOADS[0] if i % 2 else "Label",
        )
        | {"session": PAYLOADS[i // 8]}
        for i, payload in enumerate(PAYLOADS)
    ] + [hand.clip(4 + i, 0) for i in range(4)]
    digest = hand.world("hostile", rows, tmp_path, home)
    for i, payload in enumerate(PAYLOADS):
        lines = [hand.right(row, raw_output=payload, dominant_operation=payload if i % 2 else "Tape") for row in rows]
        folder = tmp_path / "board" / f"e{i:02d}"
        hand.entry(folder, payload, lines, "hostile", digest, description=payload, lenient=True)
        (folder / "training.json").write_text(pages.dumped({"device": payload, payload: payload}))
    (tmp_path / "board" / "broken").mkdir()
    (tmp_path / "board" / "broken" / "card.toml").write_text("'<img src=x onerror=bad()>' = 1\n")
    page = tmp_path / "hostile.html"
    write.leaderboard_page(tmp_path / "board", page, request=Request(world="hostile"))
    opened = open_page(page)
    text = opened.page.evaluate("document.body.textContent")
    assert [payload for payload in PAYLOADS if payload not in text] == []
    for place in (0, 5, 31):
        opened.page.evaluate("place => state.set({model: String(place)})", place)
        for clip in PAYLOADS[place : place + 3]:
            opened.page.evaluate("clip => state.set({clip})", clip)
            assert opened.page.inner_text("#clip-detail h3") == clip.strip()
            assert opened.page.inner_text("#clip-detail pre")
    made = opened.page.locator("iframe, video, math, base, form, template, link, main img").count()
    assert made == 0 and opened.page.evaluate("document.querySelectorAll('script').length") == 2
    assert opened.said == [] and opened.outside() == [] and opened.page.evaluate("typeof bad") == "undefined"


# Looks

SHOTS = (
    "header",
    "#who",
    "#sure",
    "[data-panel=first]",
    "[data-panel=funnel]",
    "[data-panel=repair]",
    "[data-panel=anticipation]",
    "[data-panel=temporal]",
    "[data-panel=slices]",
    "[data-panel=confusion]",
    "[data-panel=secondary]",
    "[data-panel=known]",
    "#gallery",
    "#outcomes",
    "#compare",
    "#method",
)
SMALL = 64


def shoot(opened, folder):
    """Take a picture of each panel; return them shrunk to a width of SMALL, by name."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for selector in SHOTS:
        name = selector.strip("#[]").replace("data-panel=", "")
        opened.page.locator(selector).first.screenshot(path=folder / f"{name}.png")
        picture = Image.open(folder / f"{name}.png").convert("L")
        found[name] = picture.resize((SMALL, max(1, picture.height * SMALL // picture.width)), Image.Resampling.BOX)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_panels_look_as_they_did(scheme, open_page, tmp_path):
    """Loosely: same shape, and the shrunk greys differ by little on average. Fonts differ among machines."""
    from PIL import Image, ImageChops, ImageStat

    folder = Path(os.environ.get("REPORT_SHOTS", tmp_path)) / scheme
    for name, picture in shoot(open_page(3, scheme=scheme), folder).items():
        gold = Image.open(PICTURES / scheme / f"{name}.png").convert("L")
        assert abs(gold.height - picture.height) <= max(4, gold.height // 5), f"{name} has another shape"
        difference = ImageStat.Stat(ImageChops.difference(gold, picture.resize(gold.size))).mean[0]
        assert difference < 12, f"{name} looks otherwise ({difference:.1f})"


def renew() -> None:
    """Take the small pictures again."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pages.browser() as found:
        home = Path(folder) / "home"
        os.environ["HARNESS_HOME"] = str(home)
        write.leaderboard_page(pages.entries(Path(folder) / "entries", 3, home), Path(folder) / "3.html")
        for scheme in ("light", "dark"):
            (PICTURES / scheme).mkdir(parents=True, exist_ok=True)
            opened = Opened(found, Path(folder) / "3.html", scheme=scheme)
            for name, picture in shoot(opened, Path(folder) / scheme).items():
                picture.save(PICTURES / scheme / f"{name}.png")


if __name__ == "__main__":
    renew()
