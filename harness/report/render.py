"""Render page data as one HTML file that makes no request. Equal data give equal bytes.

Templates loop and format; this module makes what they need beyond that: places on a chart, packed data, hashes. The
panels of one entry stand in the file as HTML; those of the others, and of every pair, are the same templates' output,
packed with the columns into one `<script type="application/octet-stream">`. The policy in the head admits the page's
own script and style by their hashes, pictures from `data:` and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from harness.metrics_table import BY_KEY, METRICS, OBSERVED, PARTS, PUBLIC, SINGLE
from harness.report import typography
from harness.report.columns import pack
from harness.report.data import Page
from harness.report.panels.costs import LABELS, LogAxis
from harness.report.panels.measure import Axis
from harness.usage.words import dollars
from harness.words import WORDS, plain
from reference.resources import text

SCRIPTS = ("state", "trace", "board", "panels", "filters", "gallery", "matrix", "main")
"""The files of static/ that make up the page's one script, in this order."""


@dataclass(frozen=True)
class Sheet:
    """Contact sheet of one clip: a WebP of eight frames side by side. `place` is the clip's row on the page."""

    place: int
    webp: bytes


@dataclass(frozen=True)
class Plot:
    """Plane of a chart with two axes: turns values into pixels, rounded to a tenth."""

    x: Axis | LogAxis
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


def html(page: Page, client: dict[str, Any], sheets: Sequence[Sheet] = ()) -> str:
    """Return the text of the file. `client` holds the columns that the script works on."""
    models = [_fragment("model.html.j2", page=page, model=model) for model in page.models]
    pairs = {f"{pair.a}-{pair.b}": _fragment("pair.html.j2", page=page, pair=pair) for pair in page.pairs}
    blob = client | {
        "recipe": page.recipe,
        "kind": page.kind,
        "focus": page.focus,
        "models": ["" if place == page.focus else panels for place, panels in enumerate(models)],
        "pairs": pairs,
    }
    style = static("style.css") + (static("costs.css") if page.costs else "")
    script = "\n".join(static(f"{name}.js") for name in SCRIPTS)
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
            packed=base64.b64encode(pack(blob)).decode(),
            sheets=_sheets(sheets),
            sheet_count=len(sheets),
        )
    )


def _first_pair(page: Page, pairs: dict[str, str]) -> Markup:
    """Return the pair that is shown until another is chosen: the two compared, or the leader and the next."""
    return Markup(next(iter(pairs.values()), ""))


def _fragment(name: str, **values: Any) -> str:
    return environment().get_template(name).render(**values)


def _sheets(sheets: Sequence[Sheet]) -> str:
    """Return a line for each sheet: the clip's place and the picture in base64 (WebP gains nothing from packing)."""
    return "\n".join(f"{sheet.place} {base64.b64encode(sheet.webp).decode()}" for sheet in sheets)


def policy(style: str, script: str) -> str:
    """Return the content security policy that admits this style and this script, and nothing from elsewhere."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def static(name: str) -> str:
    """Return the text of a file in static/."""
    return text(__package__, "static", name)


@cache
def environment() -> jinja2.Environment:
    """Return the templates' environment: every value is escaped, and an undefined name is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "capital": typography.capital,
        "num": typography.number,
        "signed": typography.signed,
        "percent": typography.percent,
        "count": typography.count,
        "p": typography.p_value,
        "ends": typography.interval_in_words,
        "exact": typography.exact,
        "dollars": dollars,
        "fraction": typography.fraction,
        "short_p": typography.p_in_a_sentence,
        "plain": plain,
        "ranks": lambda row: typography.ranks(*row.ranks),
    }
    made.globals |= {
        "Plot": Plot,
        "Axis": Axis,
        "LABELS": LABELS,
        "METRIC": BY_KEY,
        "METRICS": METRICS,
        "OBSERVED": OBSERVED,
        "SINGLE": SINGLE,
        "PARTS": PARTS,
        "PUBLIC": PUBLIC,
        "WORDS": WORDS,
        "zip": zip,
    }
    return made
