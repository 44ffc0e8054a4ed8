"""Readers of objects in lines, over lines or in one JSON document, that never hold the document in memory.

A document is walked by its brackets over a memory map; each element is then parsed by the strict JSON reader alone,
with the line and column where it begins. Separators between elements are checked here.
"""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from harness.errors import SubmissionError
from harness.ingestion.contents import unwrapped
from harness.ingestion.diagnostics import quote
from harness.ingestion.formats.records import Item, Options
from harness.ingestion.strict_json import Fault, parse
from harness.ingestion.submission_file import BOM, SubmissionFile
from reference.outside_files import DEPTH
from reference.stated_units import contradiction, stated_units
from reference.task import CLIP_FRAMES, FPS

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb'[^\s\[\]{},:"]+')
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
PARSED = 16 << 20
"""Bytes of a value beside the elements that are parsed at once."""
SHORT = 100
"""Bytes of a value beside the elements that may say how their frames are counted."""
CLOSERS = {b"[": b"]", b"{": b"}"}


class NotADocument(Exception):
    """Text that is not one JSON document; `args` are the byte offset and what is wrong."""


class Element(NamedTuple):
    """Element of an array, or member of an object, as byte offsets [start, end).

    Of a member `key` and its offset; a key that is no text in UTF-8 is "", and `fault` says why.
    """

    key: str | None
    start: int
    end: int
    key_start: int = 0
    fault: Fault | None = None


def lines(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read one object a line."""
    for number, line in source.lines():
        yield line_item(number, line, source.limits.max_line_bytes)


def line_item(number: int, line: bytes | None, cap: int) -> Item:
    """Return a line's bytes as an item; None, a line over the cap, and bytes that are not UTF-8 are faults."""
    if line is None:
        wrong = f"over the cap of {cap:,} bytes a line"
        return Item(number, None, [Fault("TOO_LONG", 1, "", wrong, "", "give --max-line-bytes to change it")])
    try:
        text = line.strip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{line[error.start]:02x} is not UTF-8 (byte {error.start + 1} of the line)"
        return Item(number, None, [Fault("ENCODING", error.start + 1, "", wrong, "UTF-8")])
    return Item(number, *parse(text), text)


def array(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read the elements of one JSON array, or of the array under "predictions"; each may be alone in an array.

    Raises SubmissionError where a field beside the array says that its frames are counted otherwise than they are read.
    """

    def start(text: mmap.mmap) -> int:
        beside: dict[str, Any] = {}
        offset = array_start(text, beside)
        rate = Fraction(str(options.rate))
        if wrong := contradiction(stated_units(beside), rate, round(rate * CLIP_FRAMES / FPS)):
            raise SubmissionError(
                f"{source.name}: {wrong.field} {wrong.wrong}; {wrong.remedy}, or leave {quote(wrong.field)} out"
            )
        return offset

    return (item._replace(value=unwrapped(item.value)) for _, item in members(source, start))


def samples(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read the samples of an Inspect log in JSON. Its statistics beside them may hold NaN, which Inspect writes."""
    return (item for _, item in members(source, lambda text: member(text, "samples", b"[", strict=False)))


def stream(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read objects that span lines, one after the other. Raises SubmissionError where one is never closed."""
    cap = source.limits.max_line_bytes
    with memory_map(source) as text:
        place = Place(text)
        try:
            for element in values(text):
                if element.end - element.start > cap:
                    yield line_item(place.of(element.start)[0], None, cap)
                else:
                    yield place.item(element)
        except NotADocument as wrong:
            remedy = "objects of this file span lines; jq -c . FILE writes one a line"
            raise SubmissionError(f"{place.message(source.name, wrong)}; {remedy}") from None


def members(source: SubmissionFile, start: Callable[[mmap.mmap], int]) -> Iterator[tuple[str, Item]]:
    """Yield key and item of each member of the container at `start(text)`. Raises SubmissionError.

    The key is "" in an array, and where it is not UTF-8, which is a fault of the item.
    """
    with memory_map(source) as text:
        place = Place(text)
        try:
            for element in elements(text, start(text)):
                if element.fault is not None:
                    line, column = place.of(element.key_start)
                    yield "", Item(line, None, [element.fault], "", column)
                else:
                    yield element.key or "", place.item(element)
        except NotADocument as wrong:
            raise SubmissionError(place.message(source.name, wrong)) from None


@contextlib.contextmanager
def memory_map(source: SubmissionFile) -> Iterator[mmap.mmap]:
    """Map the decompressed file into memory, read-only."""
    if not source.original.stat().st_size:
        raise SubmissionError(f"{source.name}: holds no prediction; the file is empty")
    with source.original.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        yield text


class Place:
    """Converter of rising byte offsets of a document to lines and columns."""

    def __init__(self, text: mmap.mmap):
        self._text, self._at, self._line, self._line_start = text, 0, 1, 0

    def of(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, which is no smaller than those before."""
        passed = self._text[self._at : offset]
        if newlines := passed.count(b"\n"):
            self._line += newlines
            self._line_start = self._at + passed.rfind(b"\n") + 1
        self._at = max(self._at, offset)
        return self._line, offset - self._line_start + 1

    def item(self, element: Element) -> Item:
        """Parse an element strictly."""
        line, column = self.of(element.start)
        try:
            text = self._text[element.start : element.end].decode()
        except UnicodeDecodeError as error:
            wrong = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
            return Item(line, None, [Fault("ENCODING", error.start + 1, "", wrong, "UTF-8")], "", column)
        return Item(line, *parse(text), text, column)

    def message(self, name: str, wrong: NotADocument) -> str:
        """Return the message of a refusal, with file, line and column."""
        offset, what = wrong.args
        line, column = self.of(offset)
        return f"{name}:{line}:{column}: JSON: {what}, expected one whole JSON document"


def array_start(text: mmap.mmap, beside: dict[str, Any]) -> int:
    """Return the offset of the array that holds the predictions; `beside` gets the fields beside it.

    Raises NotADocument.
    """
    start = first(text)
    if text[start : start + 1] == b"[":
        return start
    return member(text, "predictions", b"[", beside=beside)


def member(
    text: mmap.mmap, key: str, opener: bytes, *, strict: bool = True, beside: dict[str, Any] | None = None
) -> int:
    """Return the offset of the array or object under a top-level key. Raises NotADocument, also for a cut-off text.

    `beside` gets the short fields beside it. What stands there is checked as strictly as what is read unless `strict`
    is False: two readers could take it differently.
    """
    found: list[int] = []
    for element in elements(text, first(text)):
        if element.key == key and text[element.start] == opener[0]:
            found.append(element.start)
        elif strict:
            _check(text, element)
            if beside is not None and element.key and element.end - element.start <= SHORT:
                beside[element.key] = parse(text[element.start : element.end].decode())[0]
    if len(found) != 1:
        raise NotADocument(first(text), f"{len(found)} times {quote(key)} with {opener.decode()}, where one is needed")
    return found[0]


def _check(text: mmap.mmap, element: Element, depth: int = 1) -> None:
    """Raise NotADocument for a value that is no JSON; a long one is parsed part by part."""
    if element.fault is not None:
        raise NotADocument(element.key_start, element.fault.wrong)
    if element.end - element.start > PARSED and text[element.start : element.start + 1] in CLOSERS:
        if depth > DEPTH:
            raise NotADocument(element.start, f"nested deeper than {DEPTH}")
        for part in elements(text, element.start):
            _check(text, part, depth + 1)
        return
    try:
        content = text[element.start : element.end].decode()
    except UnicodeDecodeError as error:
        raise NotADocument(element.start + error.start, "not UTF-8") from None
    faults = parse(content)[1]
    if faults:
        before = content[: faults[0].column - 1].encode(errors="replace")
        raise NotADocument(element.start + len(before), faults[0].wrong)


def first(text: mmap.mmap) -> int:
    """Return the offset of the first byte after byte order mark and space."""
    return _skip(text, len(BOM) if text[:3] == BOM else 0)


def elements(text: mmap.mmap, start: int) -> Iterator[Element]:
    """Yield the elements of the array, or members of the object, that begins at an offset. Raises NotADocument.

    The end of the outermost container must be the end of the text.
    """
    closer = CLOSERS.get(text[start : start + 1])
    if closer is None:
        raise NotADocument(start, "neither an array nor an object")
    at = _skip(text, start + 1)
    empty = text[at : at + 1] == closer
    while not empty:
        key, fault, key_start = None, None, at
        if closer == b"}":
            key, fault, at = _key(text, at)
        end = _end(text, at)
        yield Element(key, at, end, key_start, fault)
        at = _skip(text, end)
        separator = text[at : at + 1]
        if separator == closer:
            break
        if separator != b",":
            raise NotADocument(at, "no comma between two elements" if separator else "the document ends too early")
        at = _skip(text, at + 1)
        if text[at : at + 1] == closer:
            raise NotADocument(at, "trailing comma")
    if start == first(text) and _skip(text, at + 1) < len(text):
        raise NotADocument(_skip(text, at + 1), "something stands after the document")


def values(text: mmap.mmap) -> Iterator[Element]:
    """Yield the values of a text one after the other, each beginning on a line of its own. Raises NotADocument."""
    at = first(text)
    while at < len(text):
        end = _end(text, at)
        yield Element(None, at, end)
        at = _skip(text, end)
        if at < len(text) and b"\n" not in text[end:at]:
            raise NotADocument(at, "a second value stands on the line")


def _skip(text: mmap.mmap, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def _key(text: mmap.mmap, at: int) -> tuple[str, Fault | None, int]:
    """Return a key, why it is none, and the offset of its value."""
    match = _STRING.match(text, at)
    if match is None:
        raise NotADocument(at, "no key where an object needs one")
    colon = _skip(text, match.end())
    if text[colon : colon + 1] != b":":
        raise NotADocument(colon, "no colon after a key")
    after = _skip(text, colon + 1)
    try:
        value, faults = parse(match[0].decode())
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{match[0][error.start]:02x} in a key is not UTF-8"
        return "", Fault("ENCODING", error.start + 1, "", wrong, "UTF-8"), after
    if faults:
        return "", faults[0]._replace(wrong=f"{faults[0].wrong} in a key"), after
    return value, None, after


def _end(text: mmap.mmap, at: int) -> int:
    opener = text[at : at + 1]
    if opener not in CLOSERS:
        match = (_STRING if opener == b'"' else _SCALAR).match(text, at)
        if match is None:
            raise NotADocument(at, "no value where one is needed")
        return match.end()
    depth = 0
    for token in _STRUCTURE.finditer(text, at):
        depth += (token[0] in (b"[", b"{")) - (token[0] in (b"]", b"}"))
        if not depth:
            return token.end()
    raise NotADocument(at, "a bracket is never closed")
