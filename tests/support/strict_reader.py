"""A second reader of prediction files, from docs/predictions.md and `harness schema prediction` alone.

It shares no code with the harness, not even a JSON parser, and is slow on purpose. `lines`, `document`, `by_clip`,
`table` and `rows` read a file with `--lenient` and return what each clip of the split is read as:

    Table.readings    clip_id -> Reading; a clip without a line has none
    Table.rejected    number of lines (elements, rows) with a problem
    Table.again       how many of them name a clip again

A Reading has outcome ANSWERED, UNPARSEABLE or INVALID; codes are positions in `labels`, OTHER a label that the world
does not know, None an abstention. Where the documents leave open what is right, as for an answer in broken JSON inside
a text, the outcome is UNDECIDED, or OPEN where the line may be refused as well. NotRegular: the file is no whole
document of its kind, and this reader has no opinion on what of it can be saved.
"""

from __future__ import annotations

import contextlib
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

ANSWERED, UNPARSEABLE, INVALID, UNDECIDED, OPEN = 0, 1, 2, 3, 4
OTHER = 255
FRAMES, DEPTH = 125, 64
SPACE = " \t\r\n"
OPERATION, SEGMENT, START, END = "dominant_operation", "temporal_segment", "start_frame", "end_frame"
NEXT, ANTICIPATED = "next_operation", "anticipated_next_operation"
LATER = "next_operations"
ANSWER_FIELDS = (OPERATION, SEGMENT, START, END, NEXT, ANTICIPATED)
SOURCES = ("model", "repaired", "fallback")
LATIN = dict(zip("аеорсухіјАЕОРСТВНКМХУαορνιΑΕΟΡΤΒΗΚΜΝΙΧΥ", "aeopcyxijAEOPCTBHKMXYaopviAEOPTBHKMNIXY", strict=True)) | {
    "\u0131": "i"
}
"""Cyrillic and Greek letters that are drawn like Latin ones: some, of which each must be seen."""


class NotRegular(Exception):
    """A text that is no whole document of its kind."""


class Reading(NamedTuple):
    """What one clip is read as; frames and codes as in the table `predictions` of the harness."""

    outcome: int
    operation: int | None = None
    start_frame: int | None = None
    end_frame: int | None = None
    next_operation: int | None = None
    confidence_ppm: int | None = None
    next_confidence_ppm: int | None = None
    latency_us: int | None = None
    source: int = 0
    second_operation: int | None = None
    third_operation: int | None = None


class Line(NamedTuple):
    """What one line is read as; `clip` is None where it names none that can be read."""

    clip: str | None
    reading: Reading


REJECTED = Reading(INVALID)


@dataclass
class Table:
    """What a file is read as."""

    readings: dict[str, Reading] = field(default_factory=dict)
    rejected: int = 0
    again: int = 0


@dataclass(frozen=True)
class Split:
    """Clips of a split and labels of its world."""

    clips: frozenset[str]
    labels: tuple[str, ...]


class Object(list):
    """Members of a JSON object in their order, as (key, value): a key may stand twice."""

    def get(self, key: str) -> Any:
        return next(value for name, value in self if name == key)

    def __contains__(self, key: object) -> bool:
        return any(name == key for name, _ in self)

    @property
    def keys(self) -> list[str]:
        return [name for name, _ in self]


def lines(data: bytes, split: Split) -> Table:
    """Read JSON Lines."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    return _settled((line(raw, split) for raw in data.split(b"\n") if raw.strip(b" \t\r\n")), split)


def document(data: bytes, split: Split) -> Table:
    """Read one JSON array of predictions, or the array under "predictions"."""
    value = _whole(data)
    if isinstance(value, Object):
        if value.keys.count("predictions") != 1:
            raise NotRegular
        value = value.get("predictions")
    if type(value) is not list:
        raise NotRegular
    return _settled((prediction(element, split) for element in value), split)


def _is_of(answer: Object, clip: str) -> bool:
    """Return True unless an answer names another clip than its key, or twice one."""
    return "clip_id" not in answer or (answer.keys.count("clip_id") == 1 and answer.get("clip_id") == clip)


def stream(data: bytes, split: Split) -> Table:
    """Read JSON values one after the other, over lines."""
    text, found = _decoded(data), []
    scanner = _Scanner(text)
    scanner.space()
    while scanner.at < len(text):
        found.append(scanner.value(0))
        between = scanner.at
        scanner.space()
        if scanner.at < len(text) and "\n" not in text[between : scanner.at]:
            raise NotRegular
    return _settled((prediction(value, split) for value in found), split)


def by_clip(data: bytes, split: Split) -> Table:
    """Read one JSON object from clip_id to answer."""
    value = _whole(data)
    if not isinstance(value, Object):
        raise NotRegular
    found = []
    for clip, answer in value:
        if isinstance(clip, str) and isinstance(answer, Object) and _is_of(answer, clip):
            members = [member for member in answer if member[0] != "clip_id"]
            found.append(prediction(Object([("clip_id", clip), *members]), split))
        else:
            found.append(Line(clip if isinstance(clip, str) else None, REJECTED))
    return _settled(found, split)


def table(data: bytes, mark: str, split: Split) -> Table:
    """Read CSV by RFC 4180 with another delimiter where `mark` is one."""
    header, *records = cells(_decoded(data), mark)
    return _settled((_record(header, record, split) for record in records), split)


def rows(values: Iterable[dict[str, Any]], split: Split) -> Table:
    """Read rows of typed columns: None is an empty cell, and the segment may be flat."""
    return _settled((_typed_row(row, split) for row in values), split)


def line(raw: bytes, split: Split) -> Line:
    """Read one line of JSON Lines, without its line feed."""
    try:
        return prediction(_whole(raw), split)
    except NotRegular:
        return Line(None, REJECTED)


def _settled(found: Iterable[Line], split: Split) -> Table:
    """Return the readings of the split's clips: one on several lines is invalid, one of another split a problem."""
    result = Table()
    for clip, reading in found:
        known = clip is not None and clip in split.clips
        again = known and clip in result.readings
        result.rejected += reading.outcome == INVALID or not known or again
        result.again += again
        if known:
            result.readings[clip] = REJECTED if again else reading  # type: ignore[index]
    return result


def _decoded(data: bytes) -> str:
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        raise NotRegular from None


def _whole(data: bytes) -> Any:
    """Return the one value of a JSON text. Raises NotRegular."""
    try:
        scanner = _Scanner(data.decode())
    except UnicodeDecodeError:
        raise NotRegular from None
    return scanner.whole()


# JSON


class _Refused:
    """Value that JSON has and a prediction file may not hold: NaN, a number beyond 64 bits, half a character."""


REFUSED = _Refused()
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {
    "null": None, "true": True, "false": False, "NaN": REFUSED, "Infinity": REFUSED, "-Infinity": REFUSED
}  # fmt: skip


class _Scanner:
    """Recursive descent over one text by the grammar of RFC 8259."""

    def __init__(self, text: str, at: int = 0):
        self.text, self.at = text, at

    def whole(self) -> Any:
        self.space()
        value = self.value(0)
        self.space()
        if self.at < len(self.text):
            raise NotRegular
        return value

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1

    def value(self, depth: int) -> Any:
        char = self.text[self.at : self.at + 1]
        if char == "{":
            return self._object(depth + 1)
        if char == "[":
            return self._array(depth + 1)
        if char == '"':
            return self._string()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return self._number()

    def _expect(self, char: str) -> None:
        if self.text[self.at : self.at + 1] != char:
            raise NotRegular
        self.at += 1

    def _object(self, depth: int) -> Object:
        found = Object()
        for _ in self._members(depth, "{", "}"):
            key = self._string()
            self.space()
            self._expect(":")
            self.space()
            found.append((key, self.value(depth)))
        return found

    def _array(self, depth: int) -> list[Any]:
        return [self.value(depth) for _ in self._members(depth, "[", "]")]

    def _members(self, depth: int, opener: str, closer: str) -> Iterator[None]:
        if depth > DEPTH:
            raise NotRegular
        self._expect(opener)
        self.space()
        if self.text[self.at : self.at + 1] == closer:
            self.at += 1
            return
        while True:
            yield
            self.space()
            if self.text[self.at : self.at + 1] == closer:
                self.at += 1
                return
            self._expect(",")
            self.space()

    def _string(self) -> Any:
        self._expect('"')
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            parts.append(plain[0])  # type: ignore[index]
            self.at = plain.end()  # type: ignore[union-attr]
            char = self.text[self.at : self.at + 1]
            if char == '"':
                self.at += 1
                return self._paired("".join(parts))
            self._expect("\\")
            parts.append(self._escape())

    def _escape(self) -> str:
        char = self.text[self.at : self.at + 1]
        if char in _ESCAPES:
            self.at += 1
            return _ESCAPES[char]
        self._expect("u")
        digits = self.text[self.at : self.at + 4]
        if not re.fullmatch("[0-9a-fA-F]{4}", digits):
            raise NotRegular
        self.at += 4
        return chr(int(digits, 16))

    @staticmethod
    def _paired(text: str) -> Any:
        """Return a text with its surrogate pairs joined, or REFUSED where half of one stands alone."""
        joined = re.sub(
            "[\ud800-\udbff][\udc00-\udfff]",
            lambda pair: chr(0x10000 + ((ord(pair[0][0]) - 0xD800) << 10) + ord(pair[0][1]) - 0xDC00),
            text,
        )
        return REFUSED if re.search("[\ud800-\udfff]", joined) else joined

    def _number(self) -> Any:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise NotRegular
        self.at = match.end()
        if match[1] is None and match[2] is None:
            if len(match[0]) > 20:
                return REFUSED
            return number if -(2**63) <= (number := int(match[0])) < 2**63 else REFUSED
        return REFUSED if math.isinf(decimal := float(match[0])) else decimal


def _is_refused(value: Any) -> bool:
    """Return True for a value that holds, at any depth, what no prediction file may hold, or a key twice."""
    if isinstance(value, Object):
        keys = value.keys
        twice = len({key for key in keys if isinstance(key, str)}) < len(keys)
        return twice or any(_is_refused(item) for _, item in value)
    return any(map(_is_refused, value)) if isinstance(value, list) else value is REFUSED


# Fields


class _Wrong(Exception):
    """A value that is not as the format demands."""


def prediction(value: Any, split: Split) -> Line:
    """Read one prediction object."""
    if not isinstance(value, Object):
        return Line(None, REJECTED)
    clip = _readable_clip(value)
    if _is_refused(value) or clip is None or not _is_no_truth(value):
        return Line(clip, REJECTED)
    try:
        return Line(clip, _reading(value, clip, split))
    except _Wrong:
        return Line(clip, REJECTED)


def _readable_clip(value: Object) -> str | None:
    """Return the clip where the object names one, once and without hidden characters."""
    if value.keys.count("clip_id") != 1:
        return None
    clip = value.get("clip_id")
    return clip if isinstance(clip, str) and not _hidden(clip) else None


def _is_no_truth(value: Object) -> bool:
    truth = {"previous_operation", "next_operations", "next_visible", "dense", "cut_kind", "off_script", "ceiling"}
    return len(truth.intersection(key for key in value.keys if isinstance(key, str))) < 2


def _reading(value: Object, clip: str, split: Split) -> Reading:
    said = value.get("raw_output") if "raw_output" in value else None
    _demand(said is None or isinstance(said, str))
    _check_case(value)
    extras = _extras(value)
    if isinstance(said, str) and not any(name in value for name in ANSWER_FIELDS):
        found = _from_text(said, clip, extras, split)
        answer = (found.operation, found.start_frame, found.end_frame, found.next_operation)
        _demand(
            found.outcome != ANSWERED or not any(_is_another_label(key, item, answer, split) for key, item in value)
        )
        _demand(not any(_is_another_answer(key, item, answer, split) for key, item in value))
        return found
    answer = _answer(value, split)
    _demand(not any(key != "raw_output" and _letters(key) == "rawoutput" and item is not None for key, item in value))
    others = [item for key, item in value if key not in (*ANSWER_FIELDS, "clip_id", "raw_output")]
    _demand(
        clip not in split.clips or not any(isinstance(item, str) and item in split.clips - {clip} for item in others)
    )
    _demand(not any(_is_another_label(key, item, answer, split) for key, item in value))
    if isinstance(said, str) and (named := _clip_in(said, split)) not in (None, clip):
        raise _Wrong(named)
    return Reading(ANSWERED, *answer, **extras, **_later(value, answer[-1], split))


def _is_another_answer(key: str, item: Any, answer: Sequence[int | None], split: Split) -> bool:
    """Return True for a text that is a whole answer, and another one, under a name that is no target's."""
    if not isinstance(item, str) or key in ("raw_output", "label"):
        return False
    whole = _alone(item, split)
    try:
        return whole is not None and _answer(whole, split) != answer
    except _Wrong:
        return False


def _is_another_label(key: str, item: Any, answer: Sequence[int | None], split: Split) -> bool:
    """Return True for a label of the world under a name that holds an answer field's, where the answer is another."""
    place = next((at for part, at in (("dominantoperation", 0), ("nextoperation", 3)) if part in _letters(key)), None)
    if place is None or key in (*ANSWER_FIELDS, LATER) or not isinstance(item, str):
        return False
    try:
        return _code(item, split) not in (OTHER, answer[place])
    except _Wrong:
        return False


def _letters(key: str) -> str:
    return re.sub("[^a-z0-9]", "", key.casefold())


def _demand(holds: bool) -> None:
    if not holds:
        raise _Wrong


def _check_case(value: Object) -> None:
    keys = [key.casefold() for key in value.keys]
    _demand(len(set(keys)) == len(keys))


def _answer(value: Object, split: Split) -> tuple[int | None, int | None, int | None, int | None]:
    _demand(OPERATION in value and (NEXT in value) + (ANTICIPATED in value) == 1)
    flat = [name in value for name in (START, END)]
    _demand(SEGMENT in value or all(flat))
    _demand(not (SEGMENT in value and any(flat)))
    start, end = _segment(value.get(SEGMENT)) if SEGMENT in value else _flat(value)
    following = value.get(NEXT if NEXT in value else ANTICIPATED)
    return _code(value.get(OPERATION), split), start, end, _code(following, split)


def _later(value: Object, following: int | None, split: Split) -> dict[str, int | None]:
    """Read next_operations: one to three labels, the first that of next_operation."""
    given = value.get(LATER) if LATER in value else None
    if given is None:
        return {}
    _demand(type(given) is list and 1 <= len(given) <= 3 and all(isinstance(label, str) for label in given))
    codes = [_code(label, split) for label in given]
    _demand(following is not None and codes[0] == following)
    return dict(zip(("second_operation", "third_operation"), codes[1:], strict=False))


def _later_of_text(value: Object, following: int | None, split: Split) -> dict[str, int | None]:
    """Read next_operations in an answer of a text: a list that is not in its form, or begins otherwise, is left out."""
    given = value.get(LATER) if LATER in value else None
    listed = type(given) is list and 1 <= len(given) <= 3 and all(isinstance(label, str) for label in given)
    repeated = listed and given[0] in [item for key, item in value if key in (NEXT, ANTICIPATED)]
    return _later(value, following, split) if repeated else {}


def _segment(segment: Any) -> tuple[int | None, int | None]:
    if segment is None:
        return None, None
    if isinstance(segment, Object):
        _check_case(segment)
        _demand(START in segment and END in segment)
        return _frame(segment.get(START)), _frame(segment.get(END))
    _demand(type(segment) is list and len(segment) == 2)
    return _frame(segment[0]), _frame(segment[1])


def _flat(value: Object) -> tuple[int | None, int | None]:
    start, end = value.get(START), value.get(END)
    return (None, None) if start is None and end is None else (_frame(start), _frame(end))


def _frame(value: Any) -> int:
    _demand(type(value) is int and 0 <= value <= FRAMES)
    return value


def _extras(value: Object) -> dict[str, Any]:
    source = value.get("source") if "source" in value else None
    _demand(source is None or (isinstance(source, str) and source in SOURCES))
    return {
        "confidence_ppm": _number(value, "confidence", 1, 1_000_000),
        "next_confidence_ppm": _number(value, "next_confidence", 1, 1_000_000),
        "latency_us": _number(value, "latency_ms", 10**9, 1_000),
        "source": SOURCES.index(source) if source else 0,
    }


def _number(value: Object, name: str, most: int, unit: int) -> int | None:
    number = value.get(name) if name in value else None
    if number is None:
        return None
    _demand(type(number) in (int, float) and 0 <= number <= most)
    return math.floor(number * float(unit) + 0.5)


def _code(label: Any, split: Split) -> int | None:
    """Return the position of a label; one in other letters that look the same, or with hidden ones, is wrong."""
    if label is None:
        return None
    _demand(isinstance(label, str))
    _demand(not _hidden(label.strip(SPACE)))
    known, plain = _known(split.labels), _folded(label)
    looks = _folded("".join(LATIN.get(char, char) for char in unicodedata.normalize("NFKC", label)))
    letters = "".join(char for char in label if unicodedata.category(char) != "Zs")
    if looks in known and not (plain in known and letters.isascii()):
        _demand(plain in known and not split.labels[known[plain]].isascii())
    return known.get(plain, OTHER)


@lru_cache
def _known(labels: tuple[str, ...]) -> dict[str, int]:
    return {_folded(name): code for code, name in reversed([*enumerate(labels)])}


def _folded(label: str) -> str:
    words = re.split(r"[\s_-]+", label.strip())
    return unicodedata.normalize("NFC", " ".join(word for word in words if word).casefold())


def _hidden(text: str) -> bool:
    return any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


# Texts


def _from_text(said: str, clip: str, extras: dict[str, Any], split: Split) -> Reading:
    """Read the answer in a model's text: an empty one is invalid, one without an answer unparseable."""
    _demand(bool(said.strip()))
    alone = _alone(said, split)
    found = alone if alone is not None else next(_answers_in(said, split), None)
    if found is None:
        if "{" not in said and "}" not in said:
            return Reading(UNPARSEABLE, **extras)
        return Reading(OPEN if _names_another(said, clip, split) else UNDECIDED, **extras)
    named = _named(found)
    _demand(named is None or named == clip or named not in split.clips)
    shares = {}
    for name in ("confidence", "next_confidence"):  # what is no probability is left unread in a text
        with contextlib.suppress(_Wrong):
            if (share := _number(found, name, 1, 1_000_000)) is not None:
                shares[f"{name}_ppm"] = share
    source = extras["source"] or (0 if alone is not None else SOURCES.index("repaired"))
    answer = _answer(found, split)
    later = _later_of_text(found, answer[-1], split)
    return Reading(ANSWERED, *answer, **extras | shares | {"source": source}, **later)


def _names_another(said: str, clip: str, split: Split) -> bool:
    return any(name != clip and name in split.clips for name in re.findall(r"[\w-]+", said))


def _alone(said: str, split: Split) -> Object | None:
    """Return the answer that is the whole text, or the whole of one fence."""
    fence = re.fullmatch(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", said, re.DOTALL)
    try:
        value = _Scanner(fence[1] if fence else said).whole()
    except NotRegular:
        return None
    return value if _is_answer(value, split) else None


def _answers_in(said: str, split: Split) -> Iterator[Object]:
    """Yield the whole answers in a text, the last first."""
    found, at = [], said.find("{")
    while at >= 0:
        scanner = _Scanner(said, at)
        try:
            value, end = scanner.value(0), scanner.at
        except NotRegular:
            end = at + 1
        else:
            if _is_answer(value, split):
                found.append(value)
        at = said.find("{", end)
    return reversed(found)


def _is_answer(value: Any, split: Split) -> bool:
    if not isinstance(value, Object) or _is_refused(value):
        return False
    try:
        _later_of_text(value, _answer(value, split)[-1], split)
    except _Wrong:
        return False
    return True


def _named(answer: Object) -> str | None:
    names = (answer.get(key) for key in ("clip_id", "clip", "video_id", "video") if key in answer)
    return next((name for name in names if isinstance(name, str)), None)


def _clip_in(said: str, split: Split) -> str | None:
    """Return the clip of the split that the answer in a text names."""
    found = _alone(said, split) or next(_answers_in(said, split), None)
    named = _named(found) if found is not None else None
    return named if named in split.clips else None


# Tables


def cells(text: str, mark: str) -> list[list[str]]:
    """Return the rows of a text by RFC 4180, without blank lines. Raises NotRegular for quotes out of place."""
    found: list[list[str]] = []
    row: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            cell, at = _quoted(text, at + 1)
        else:
            end = re.compile(f"[{re.escape(mark)}\n]|\r\n").search(text, at)
            stop = end.start() if end else len(text)
            cell, at = text[at:stop], stop
            if '"' in cell or "\r" in cell.rstrip("\r"):
                raise NotRegular
            cell = cell.rstrip("\r") if at >= len(text) else cell
        row.append(cell)
        at += text.startswith("\r\n", at)
        ended = text[at : at + 1]
        if ended == mark:
            at += 1
            if at < len(text) and text[at] not in "\r\n":
                continue
            row.append("")
            at += text.startswith("\r\n", at)
        elif ended not in ("", "\n"):
            raise NotRegular
        if row != [""]:
            found.append(row)
        row, at = [], at + 1
    return found


def _quoted(text: str, at: int) -> tuple[str, int]:
    match = re.compile(r'((?:[^"]|"")*)"(?!")').match(text, at)
    if match is None:
        raise NotRegular
    return match[1].replace('""', '"'), match.end()


_CELL = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")  # leading zeros are no fault of a table
_NUMBERS = (START, END, "confidence", "next_confidence", "latency_ms")


def _record(header: Sequence[str], record: Sequence[str], split: Split) -> Line:
    """Read a row of texts. A row of another width than the header is bad; its clip is that in its column."""
    if len(record) != len(header):
        place = header.index("clip_id")
        clip = record[place] if place < len(record) else None
        return Line(clip if clip in split.clips else None, REJECTED)
    return _typed_row({name: _cell(name, cell) for name, cell in zip(header, record, strict=True)}, split)


def _cell(name: str, cell: str) -> Any:
    if cell == "" and name != "clip_id":
        return None
    if name in (SEGMENT, LATER):
        try:
            return _Scanner(cell).whole()
        except NotRegular:
            return cell
    if name in _NUMBERS and (match := _CELL.fullmatch(cell)):
        return int(cell) if match[1] is None and match[2] is None else float(cell)
    return cell


def _typed_row(row: dict[str, Any], split: Split) -> Line:
    return prediction(Object((name, value) for name, value in row.items() if name), split)


def differences(expected: Table, found: dict[str, dict[str, Any]], rejected: int | None) -> list[str]:
    """Return what two readings of a file differ in, clip by clip; `found` as SmallTruth.predictions returns it."""
    wrong, more = [], 0
    for clip in sorted(expected.readings.keys() | found.keys()):
        mine, theirs = expected.readings.get(clip), found.get(clip)
        if mine is not None and theirs is not None and mine.outcome in (UNDECIDED, OPEN):
            if theirs["outcome"] == UNPARSEABLE or (theirs["outcome"] == ANSWERED and theirs["source"] > 0):
                continue
            if theirs["outcome"] == INVALID and mine.outcome == OPEN:
                more += 1
                continue
        read = theirs and Reading(*(theirs[name] for name in Reading._fields))
        if mine != read:
            wrong.append(f"{clip}: expected {_shown(mine)}, got {_shown(read)}")
    if rejected is not None and rejected != expected.rejected + more:
        wrong.append(f"expected {expected.rejected + more} rejected lines, got {rejected}")
    return wrong


def _shown(reading: Reading | None) -> str:
    return "no line" if reading is None else str(tuple(reading))


def split_of(clips: Collection[str], labels: Sequence[str]) -> Split:
    return Split(frozenset(clips), tuple(labels))
