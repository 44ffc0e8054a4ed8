"""Page data -> one HTML file that asks nobody for anything. Same data, same bytes.

Templates loop and format; what they need beyond that (places on a chart, packed data, hashes) is made here. The page
of one entry is in the file as HTML; those of the others, and of every pair, are the same templates' output, packed with
the columns into one `<script type="application/octet-stream">`. The policy in the head admits the page's own script and
style by their hashes, pictures from `data:` and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from harness.metrics_table import BY_KEY, METRICS
from harness.report.columns import packed
from harness.report.data import Page
from harness.report.panels.measure import Axis, Measure, chance, plus
from harness.report.panels.standings import p_value

SCRIPTS = ("state", "trace", "board", "panels", "filters", "gallery", "matrix", "main")
"""In the order in which they are joined to the page's one script."""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: WebP of eight frames side by side, of the clip at that place."""

    place: int
    webp: bytes


@dataclass(frozen=True)
class Plot:
    """A drawing of fixed inner size: values to pixels, rounded to a tenth."""

    x: Axis
    y: Axis
    width: int = 300
    height: int = 190
    left: int = 34
    right: int = 12
    top: int = 12
    bottom: int = 34

    def px(self, value: float) -> float:
        """Return the horizontal pixel of a value."""
        return round(self.left + (self.width - self.left - self.right) * self.x.at(value) / 100, 1)

    def py(self, value: float) -> float:
        """Return the vertical pixel of a value."""
        return round(self.height - self.bottom - (self.height - self.top - self.bottom) * self.y.at(value) / 100, 1)

    def points(self, pairs: Sequence[tuple[float, float | None]]) -> str:
        return " ".join(f"{self.px(x)},{self.py(y)}" for x, y in pairs if y is not None)

    def band(self, rows: Sequence[tuple[float, float | None, float | None]]) -> str:
        """The outline of what lies between the ends of the intervals."""
        known = [(x, low, high) for x, low, high in rows if low is not None and high is not None]
        return self.points([(x, low) for x, low, _ in known] + [(x, high) for x, _, high in reversed(known)])


def html(page: Page, client: dict[str, Any], sheets: Sequence[Sheet] = ()) -> str:
    """The file's text. `client`: the columns that the script works on."""
    models = [_fragment("model.html.j2", page=page, model=model) for model in page.models]
    pairs = {f"{pair.a}-{pair.b}": _fragment("pair.html.j2", page=page, pair=pair) for pair in page.pairs}
    blob = client | {
        "made": page.made,
        "kind": page.kind,
        "focus": page.focus,
        "models": ["" if place == page.focus else text for place, text in enumerate(models)],
        "pairs": pairs,
        "looks": [[look.place for look in model.first] for model in page.models],
    }
    style, script = static("style.css"), "\n".join(static(f"{name}.js") for name in SCRIPTS)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            model=Markup(models[page.focus]),
            first_pair=_first_pair(page, pairs),
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            packed=base64.b64encode(packed(blob)).decode(),
            sheets=_sheets(sheets),
            sheet_count=len(sheets),
        )
    )


def _first_pair(page: Page, pairs: dict[str, str]) -> Markup:
    """Shown until another is chosen: the two that are compared, or the leader and the next."""
    return Markup(next(iter(pairs.values()), ""))


def _fragment(name: str, **values: Any) -> str:
    return environment().get_template(name).render(**values)


def _sheets(sheets: Sequence[Sheet]) -> str:
    """A line a sheet: the clip's place and the picture in base64, not packed again, since WebP is."""
    return "\n".join(f"{sheet.place} {base64.b64encode(sheet.webp).decode()}" for sheet in sheets)


def policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def static(name: str) -> str:
    return resources.files("harness.report").joinpath("static", name).read_text(encoding="utf-8")


@cache
def environment() -> jinja2.Environment:
    """Templates escape whatever they are given; an undefined name is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "capital": capital,
        "num": number,
        "signed": signed,
        "percent": percent,
        "count": count,
        "p": shown_p,
        "ends": ends,
        "exact": exact,
        "fraction": fraction,
        "short_p": chance,
    }
    made.globals |= {"Plot": Plot, "Axis": Axis, "METRIC": BY_KEY, "METRICS": METRICS, "zip": zip}
    return made


def capital(title: str) -> str:
    """A title at the head of a column: `score` becomes `Score`, `tIoU@0.5` stays."""
    return title.capitalize() if title.islower() else title


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else plus(value, digits)


def percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def shown_p(value: float | None) -> str:
    return "–" if value is None else p_value(value)


def ends(measure: Measure, digits: int = 3) -> str:
    """The interval in words."""
    if measure.low is None or measure.high is None:
        return measure.note or "interval not supported"
    kind = "one-sided 97.5%" if measure.one_sided else "95%"
    return f"{kind} {measure.low:.{digits}f} to {measure.high:.{digits}f}".replace("-0", "−0")


def fraction(value: float, digits: int = 3) -> str:
    """Without the zero before the point."""
    return f"{value:.{digits}f}".removeprefix("0")


def exact(value: float | None) -> str:
    """All digits, as JSON writes them."""
    return "" if value is None else json.dumps(value)
