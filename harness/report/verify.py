"""Verify that a page shows what its submissions give: make it again, compare, and name the first difference.

Both the packed data and every text and number in the HTML are compared, so that neither can be altered alone. Pictures
are not drawn again. A page of another version is compared by its texts and numbers, not by its markup, nor by the name
of the version. Anybody may have written the page: `recipe` says what it may say, and files of any size, packed or not,
end in a sentence.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from harness.baselines.write import BASELINES
from harness.cards import folder_of
from harness.comparison import sealed_leaderboard
from harness.errors import UsageError
from harness.formatting import in_words
from harness.ingestion.submission_file import shown_name
from harness.report import data, gather
from harness.report.columns import script_data
from harness.report.gather import Gathered
from harness.report.recipe import check_baseline, check_packed, may_be_shown, other_size, request_of
from harness.report.render import Sheet, html
from harness.scoring.request import Request
from harness.version import __version__
from reference import shapes
from reference.files import sha256
from reference.outside_files import decode, parse_json, read_text

PACKED = re.compile(r'<script type="application/octet-stream" id="data">([A-Za-z0-9+/=\s]*)</script>')
SHEETS = re.compile(r'<script type="application/octet-stream" id="sheets">([^<]*)</script>')
SEALED = f'<meta name="generator" content="{sealed_leaderboard.FORMAT}">'
MAX_PAGE, MAX_UNPACKED = 1 << 28, 1 << 28
"""Bytes of a page and of its packed data that are read; `--budget 100MB` makes a page of 100 MB."""
MARKUP = 4, 1 << 20
"""A page's markup may be so many times, and so many characters, longer than that which the submissions give."""


@dataclass(frozen=True)
class Checked:
    """Outcome of a comparison: the first difference, None where there is none, and how many numbers the page holds."""

    numbers: int
    difference: str | None


def verify(path: Path, submissions: Path, request: Request) -> Checked:
    """Compare a page with the one that `submissions` give.

    `request` says where truth and scores are kept and whether truth may be revealed; the rest stands in the page. Fails
    with a UsageError where the file is no page, says what no page says, or where a prediction file is missing.
    """
    text = read_text(path, UsageError, MAX_PAGE, shown_name(path))
    packed = unpack(text, path)
    sheets = _sheets(text, path, len(packed["clips"]["id"]))
    if not submissions.is_dir():
        raise UsageError(f"--submissions {shown_name(submissions)}: no such folder")
    request = request_of(packed["recipe"], request)
    if other := other_size(packed, request):
        return Checked(0, other)
    gathered = _regather(packed["recipe"], submissions, request)
    moved = _other_entries(packed["recipe"], gathered, shown_name(submissions))
    expected = html(data.page(gathered), script_data(gathered), sheets)
    mine = list(tokens(expected))
    return Checked(_numbers(expected, mine), moved or _difference(text, packed, expected, mine))


def _other_entries(recipe: dict[str, Any], gathered: Gathered, folder: str) -> str | None:
    """Return which entries came, went or changed since the page of a folder was made."""
    if recipe["kind"] != "leaderboard":
        return None
    then = {entry["name"]: entry["sha256"] for entry in recipe["entries"]}
    now = {entry.name: entry.score.record["submission"]["sha256"] for entry in gathered.entries}
    new, gone = ([name for name in a if name not in b] for a, b in ((now, then), (then, now)))
    changed = [name for name in now if name in then and then[name] != now[name]]
    parts = [f"now also holds {in_words(new)}"] if new else []
    parts += [f"no longer holds {in_words(gone)}"] if gone else []
    parts += [f"holds other predictions of {in_words(changed)}"] if changed else []
    return f"{folder.rstrip('/')}/ {' and '.join(parts)}; the page is of before" if parts else None


def _numbers(page: str, visible: list[Token]) -> int:
    """Count the numbers of a page, in its HTML and in the panels that it holds packed."""
    packed = unpack(page, Path())
    hidden = [token for panel in (*packed["models"], *packed["pairs"].values()) for token in tokens(panel)]
    return sum(token.value is not None for token in (*visible, *hidden))


def unpack(text: str, path: Path) -> dict[str, Any]:
    """Return the data packed in a page's text. Raises UsageError where there is none of this format."""
    name = shown_name(path)
    none = f"{name}: holds no page of this project (format {data.FORMAT})"
    found = PACKED.search(text)
    if not found and SEALED in text:
        raise UsageError(
            f"{shown_name(path)}: the public board of a sealed split cannot be verified: only the organiser can score "
            "its entries again, and it shows rounded numbers; once the secret is revealed, harness world check-reveal "
            "checks the split"
        )
    try:
        if not found:
            raise UsageError(none)
        inflater = zlib.decompressobj(wbits=31)
        plain = inflater.decompress(base64.b64decode(found[1]), MAX_UNPACKED)
    except (ValueError, zlib.error):
        raise UsageError(none) from None
    if not inflater.eof:
        full = len(plain) == MAX_UNPACKED
        raise UsageError(f"{name}: has packed data of more than {MAX_UNPACKED:,} bytes" if full else none)
    packed = parse_json(decode(plain, name, UsageError), f"{name}: packed data", UsageError)
    recipe = packed.get("recipe") if isinstance(packed, dict) else None
    if not isinstance(recipe, dict) or recipe.get("format") != data.FORMAT:
        raise UsageError(none)
    return check_packed(packed, name)


def _sheets(text: str, path: Path, clips: int) -> list[Sheet]:
    """Return the pictures of a page: lines of a clip's place and base64, the places rising."""
    found, last, sheets = SHEETS.search(text), -1, list[Sheet]()
    for line in found[1].splitlines() if found else []:
        place, _, packed = line.partition(" ")
        try:
            if not place.isdecimal() or not place.isascii() or not last < int(place[:20]) < clips or not packed:
                raise ValueError
            sheets.append(Sheet(int(place), base64.b64decode(packed, validate=True)))
        except (ValueError, binascii.Error):
            raise UsageError(f"{shown_name(path)}: its pictures are not those of clips of the page, in order") from None
        last = int(place)
    return sheets


def _regather(recipe: dict[str, Any], folder: Path, request: Request) -> Gathered:
    """Gather what the page was made of; title and commands are the page's, because they name its maker's files."""
    if recipe["kind"] == "leaderboard":
        gathered = gather.gather_leaderboard(folder, request, check_baseline(recipe["baseline"], folder))
    else:
        gathered = _gather_files(recipe, folder, request)
    theirs, mine = [entry["command"] for entry in recipe["entries"]], gathered.commands
    shown = len(theirs) == len(mine) and all(a == b or may_be_shown(a) for a, b in zip(theirs, mine, strict=True))
    title = gathered.title if recipe["kind"] == "leaderboard" else recipe["title"]
    return replace(gathered, title=title, commands=theirs if shown else mine)


def _gather_files(recipe: dict[str, Any], folder: Path, request: Request) -> Gathered:
    """Gather the operands of a report or comparison: files by their digests, and baselines that have no file."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    known = {sha256(file): file for file in files}
    operands: list[str | Path] = []
    for entry in recipe["operands"]:
        file = known.get(entry["sha256"])
        if file is None and entry["name"] not in BASELINES:
            what = f"the digest {entry['sha256'][:16]} of {entry['name']}"
            raise UsageError(f"{shown_name(folder)} holds no file with {what}")
        if file is not None and "runs" in entry:
            file = folder_of(file)
        operands.append(file or entry["name"])
    names = [entry["name"] for entry in recipe["operands"]]
    if recipe["kind"] == "report":
        request = replace(request, follow_card=False)  # the page says how its file was read
        return gather.gather_report(operands[0], request, name=recipe["name"], shown=names[0])
    return gather.gather_comparison(operands, request, recipe["margin"], names=names)


@dataclass(frozen=True)
class Token:
    """Text or number of a page, and where it stands; `value` holds a number's exact digits."""

    where: str
    text: str
    value: str | None = None


class _Reader(HTMLParser):
    """Reader of a page's texts and of the attributes that say numbers, with the nearest heading and row."""

    SKIPPED = frozenset({"script", "style"})
    READ_ALOUD = ("data-trace", "data-value", "data-parts", "aria-label", "title")
    DRAWN = frozenset({"x", "x1", "x2", "y", "y1", "y2", "cx", "cy", "r", "width", "height", "points"})

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[Token] = []
        self._skip, self._heading, self._row, self._tag = 0, "", "", ""
        self._value: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._skip += tag in self.SKIPPED
        if tag == "tr":
            self._row = ""
        self._tag, self._value = tag, found.get("value") if tag == "data" else None
        for name, value in attrs:
            if name in self.READ_ALOUD or name in self.DRAWN:
                self._add(f"{name}={value}", value if name == "data-value" else None)

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in self.SKIPPED
        self._tag, self._value = "", None

    def handle_data(self, text: str) -> None:
        text = " ".join(text.split())
        if not text or self._skip:
            return
        if self._tag in ("h1", "h2", "h3"):
            self._heading, self._row = text, ""
        self._add(text, self._value)
        if not self._row and self._tag in ("th", "a", "button", "span"):
            self._row = text

    def _add(self, text: str, value: str | None) -> None:
        self.tokens.append(Token(" / ".join(part for part in (self._heading, self._row) if part), text, value))


def tokens(text: str) -> Iterator[Token]:
    """Return everything that a page says, in reading order."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return iter(reader.tokens)


def _difference(text: str, packed: dict[str, Any], expected: str, mine: list[Token]) -> str | None:
    """Return the first difference of a page and the expected one: of texts and numbers, packed data, markup."""
    if text == expected:
        return None
    markup, wanted = (len(_without_data(page)) for page in (text, expected))
    if markup > MARKUP[0] * wanted + MARKUP[1]:
        return f"the page has {markup:,} characters beside its data, the submissions give {wanted:,}"
    version = packed["recipe"]["version"]
    theirs = [_as_this_version(token, version) for token in tokens(text)]
    for theirs_one, mine_one in zip(theirs, mine, strict=False):
        if theirs_one != mine_one:
            return _describe(theirs_one, mine_one)
    if len(theirs) != len(mine):
        return f"the page says {len(theirs):,} things where the submissions give {len(mine):,}"
    here = unpack(expected, Path())
    if found := _differs(_of_this_version(packed, version), here, ""):
        return found
    if version == __version__ and _without_data(text) != _without_data(expected):
        return "the page's numbers are right, but its markup, script or style is not what this version writes"
    return None


def _as_this_version(token: Token, version: str) -> Token:
    """Return a token that names the page's version as naming this one, as chip or in a signature."""
    if version == __version__ or version not in token.text:
        return token
    text = __version__ if token.text == version else _in_signatures(token.text, version)
    return replace(token, text=text)


def _in_signatures(text: str, version: str) -> str:
    return text.replace(f"|version:{version}", f"|version:{__version__}")


def _of_this_version(packed: dict[str, Any], version: str) -> dict[str, Any]:
    """Return packed data that name the page's version as naming this one: in the recipe, and in panels."""
    if version == __version__:
        return packed
    models = [_in_signatures(panel, version) if isinstance(panel, str) else panel for panel in packed["models"]]
    return packed | {"recipe": packed["recipe"] | {"version": __version__}, "models": models}


def _without_data(text: str) -> str:
    """Return the page without its packed data, because another zlib packs equal data otherwise, and its pictures."""
    return SHEETS.sub("", PACKED.sub("", text))


def _describe(theirs: Token, mine: Token) -> str:
    where = mine.where or "the top"
    if theirs.value != mine.value or theirs.text != mine.text:
        page = f"{theirs.text}" + (f" ({theirs.value})" if theirs.value not in (None, theirs.text) else "")
        expected = f"{mine.text}" + (f" ({mine.value})" if mine.value not in (None, mine.text) else "")
        return f"{where}: the page says {_short(page)}, the submissions give {_short(expected)}"
    return f"{where}: the page has {_short(theirs.text)} in another place"


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:120]}..."


def _differs(theirs: Any, mine: Any, at: str) -> str | None:
    """Return path and values of the first difference between two JSON values."""
    if isinstance(theirs, dict) and isinstance(mine, dict) and theirs.keys() == mine.keys():
        return next((found for key in mine if (found := _differs(theirs[key], mine[key], f"{at}.{key}"))), None)
    if isinstance(theirs, list) and isinstance(mine, list) and len(theirs) == len(mine):
        pairs = enumerate(zip(theirs, mine, strict=True))
        return next((found for i, (a, b) in pairs if (found := _differs(a, b, f"{at}[{i}]"))), None)
    if theirs == mine and type(theirs) is type(mine):
        return None
    if isinstance(theirs, str) and isinstance(mine, str) and "<" in mine:
        return _differs_html(theirs, mine, at)
    where = f"packed data {at.lstrip('.')}"
    return f"{where}: the page holds {shapes.shown(theirs)}, the submissions give {shapes.shown(mine)}"


def _differs_html(theirs: str, mine: str, at: str) -> str:
    for theirs_one, mine_one in zip(tokens(theirs), tokens(mine), strict=False):
        if theirs_one != mine_one:
            return f"panel {at.lstrip('.')}, {_describe(theirs_one, mine_one)}"
    return f"panel {at.lstrip('.')}: the page's markup differs"
