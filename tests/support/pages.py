"""Pages for tests: plausible entries, a browser, and what is read from a page.

`entries` writes submissions that answer like models of different strength: the oracle's answers, spoilt at random with
a fixed seed. The browser is Chromium through Playwright; where one is missing, tests that need it are skipped and say
what to install. `python -m tests.support.pages reports/sample` takes the sample's screenshots.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.baselines.write import answers
from reference.truth.store import open_truth
from tests.support import hand

WORLD, SPLIT = "warehouse-v2", "test"
LABELS = ("Box Setup", "Inner Packing", "Tape", "Put Items", "Pack", "Wrap", "Label", "Final Check", "Idle")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Kind(NamedTuple):
    """How strong an entry is: shares of right operations and next ones, jitter of the ends in frames, coverage."""

    operation: float
    jitter: float
    following: float
    coverage: float = 1.0


KINDS = (
    Kind(0.86, 14, 0.45),
    Kind(0.80, 18, 0.42),
    Kind(0.55, 34, 0.12, 0.985),
    Kind(0.92, 9, 0.60),
    Kind(0.82, 17, 0.56),  # foresees better than the first, and sees worse
    Kind(0.70, 25, 0.30),
    Kind(0.60, 30, 0.20),
    Kind(0.90, 12, 0.50),
    Kind(0.75, 20, 0.40),
    Kind(0.50, 40, 0.10, 0.9),
)


def entries(folder: Path, count: int, home: Path, raw: bool = True, split: str = SPLIT) -> Path:
    """That many entries for warehouse-v2, called model-0 and so on; `raw`: the first says what it said."""
    with open_truth(WORLD, split, home=home) as truth:
        oracle, prior = (list(answers(truth, name)) for name in ("oracle", "transition-prior"))
        digest = truth.digest
    for number in range(count):
        lines = _spoilt(oracle, prior, KINDS[number % len(KINDS)], random.Random(number), raw and not number)
        hand.entry(
            folder / f"model-{number}",
            f"model-{number}",
            lines,
            WORLD,
            digest,
            split=split,
            description=f"number {number}",
        )
    return folder


def _spoilt(oracle: list, prior: list, kind: Kind, chance: random.Random, raw: bool) -> Iterator[dict[str, Any]]:
    draw = chance.random
    for right, usual in zip(oracle, prior, strict=True):
        if draw() > kind.coverage:
            continue
        line = dict(right)
        if draw() > kind.operation:
            line["dominant_operation"] = LABELS[int(draw() * len(LABELS))]
        if draw() > kind.following:
            line["next_operation"] = usual["next_operation"] if draw() < 0.6 else LABELS[int(draw() * len(LABELS))]
        segment = right["temporal_segment"]
        start = min(124, max(0, segment["start_frame"] + round((draw() - 0.45) * 2 * kind.jitter)))
        end = min(125, max(start + 1, segment["end_frame"] + round((draw() - 0.55) * 2 * kind.jitter)))
        line |= {"temporal_segment": hand.segment(start, end), "confidence": round(0.5 + draw() / 2, 2)}
        if raw:
            line["raw_output"] = f"<b>{line['dominant_operation']}</b> from {start} to {end}"
        yield line


def chromium() -> str:
    """Path of the browser; skips the test, with the reason, where there is none."""
    for module in ("playwright", "axe_playwright_python"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"no {module}: pip install -e '.[test]'")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium: apt-get install --no-install-recommends chromium (make test does, as root)")
    return found


class Browser:
    """A browser that runs. `started`: that of Playwright. Its tabs are lent, since a new one costs more than a page."""

    def __init__(self, started: Any):
        self.started = started
        self._window: Any = None
        self._idle: list[Any] = []

    def lend(self, *, script: bool) -> Any:
        """Return an empty tab, which `take_back` gets back. One without script has a window of its own."""
        if not script:
            return self.started.new_page(java_script_enabled=False)
        self._window = self._window or self.started.new_context()
        return self._idle.pop() if self._idle else self._window.new_page()

    def take_back(self, tab: Any, *, script: bool) -> None:
        """Empty a tab. Nothing stays that the next page would notice: no page of ours stores anything."""
        if not script:
            tab.close()
            return
        assert tab.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
        tab.unroute_all()
        tab.goto("about:blank")
        tab.mouse.move(0, 0)
        self._idle.append(tab)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield Browser(started)
        started.close()


class Tab:
    """A tab of the browser. `said`: console messages, errors and dialogs; `asked`: method and URL of its requests."""

    def __init__(self, browser: Browser, *, width: int, scheme: str, script: bool = True):
        self.said: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.browser, self.script = browser, script
        self.page = browser.lend(script=script)
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self._heard = {
            "console": lambda message: self.said.append(message.text),
            "pageerror": lambda error: self.said.append(str(error)),
            "dialog": lambda dialog: (self.said.append("dialog"), dialog.dismiss()),
            "request": lambda request: self.asked.append((request.method, request.url)),
        }
        for event, hear in self._heard.items():
            self.page.on(event, hear)

    def show(self, url: str) -> None:
        """Open a page and wait until its script, where one runs, is ready for whoever reads it."""
        self.page.goto(url)
        if self.script:
            self.page.wait_for_selector("html[data-ready=all]", timeout=20_000)

    def close(self) -> None:
        """Give the tab back."""
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)
        self.browser.take_back(self.page, script=self.script)


class Opened(Tab):
    """A page of ours, opened from disk."""

    def __init__(
        self,
        browser: Browser,
        path: Path,
        hash_: str = "",
        *,
        width: int = 1440,
        scheme: str = "light",
        script: bool = True,
    ):
        super().__init__(browser, width=width, scheme=scheme, script=script)
        self.path = path
        self.show(path.as_uri() + hash_)

    def outside(self) -> list[str]:
        """Return the requests for anything but the file itself and what it holds."""
        own = self.path.as_uri()
        return [url for _, url in self.asked if url.split("#")[0] != own and not url.startswith("data:")]


COLOURS = ("color-contrast", "link-in-text-block")
"""Rules of axe that look at colours, the only thing that differs between light and dark (test_page)."""


def violations(page: Any, rules: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return what axe finds on a page: rule and first element. `rules`: by these alone, otherwise by all."""
    from axe_playwright_python.sync_playwright import Axe

    only = {"runOnly": list(rules)} if rules else {}
    found = Axe().run(page, options={"resultTypes": ["violations"]} | only).response["violations"]
    return [(row["id"], row["nodes"][0]["html"][:200]) for row in found]


def at(record: dict[str, Any], path: str) -> Any:
    """The value at a path such as slices.3.metrics.aa1.value."""
    value: Any = record
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def numbers(opened: Opened, within: str) -> list[tuple[str, str, str]]:
    """Path, exact value and shown text of every number in a part of the page."""
    return opened.page.eval_on_selector_all(
        f"{within} data[data-at]", "all => all.map(one => [one.dataset.at, one.value, one.textContent])"
    )


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


SHOTS = {"leaderboard": (0, 1000), "clips": (None, 900)}
"""Screenshots of the sample: where the picture begins (None: at the clips) and how high it is."""


def sample(folder: Path) -> None:
    """Score records and two screenshots beside the sample page."""
    from PIL import Image

    from harness.comparison.leaderboard import score_and_pair

    for entry in score_and_pair(Path("submissions")).entries:
        entry.score.write_record(folder / "scores" / f"{entry.folder.name}.json")
    with browser() as started:
        opened = Opened(started, (folder / "leaderboard.html").resolve(), width=1280)
        for name, (top, height) in SHOTS.items():
            opened.page.set_viewport_size({"width": 1280, "height": height})
            if top is None:
                opened.page.evaluate("state.set({order: 'lost', pics: '1'})")
                opened.page.locator("#clips").scroll_into_view_if_needed()
                opened.page.evaluate("document.querySelector('#clips').scrollIntoView()")
            opened.page.wait_for_timeout(300)
            path = folder / f"{name}.png"
            opened.page.screenshot(path=path)
            Image.open(path).convert("RGB").quantize(192).save(path, optimize=True)


if __name__ == "__main__":
    import sys

    sample(Path(sys.argv[1]))
