"""Prediction lines by chance, and accidents that happen to them: in their fields, in their text, in their bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from reference.task import OPERATIONS

Members = list[tuple[str, Any]]
"""An object as (key, value), so that a key can stand twice."""

LABELS = OPERATIONS
STRANGE_LABELS = (
    "taping", "", " ", "Tape.", "Unknown", "unknown", "none", "Box", "Tape Tape", "Tape\n", "\tTape", "Tape\u00a0",
    "Box\u00a0Setup", "Tape\u2028", "\u0085Tape", "\x1fTape", "Ta\x00pe", "Ta\u200bpe", "\u202eTape", "\ufeffTape",
    "Pac\u212a", "Put Item\u017f", "Т\u0430\u0440\u0435", "T\u0430pe", "\u03a4ape", "Ｔape", "𝐓ape", "Tape\u0301",
    "Táp\u00e9", "Wra\u0440", "ВОХ SETUP", "Ιdle", "Taρe", "Inner\u2003Packing", "inner__packing", "PUT-ITEMS",
    "put  items", "-tape_", "tApE", "Lаbel", "\U0001f4e6", "Tape \U0001f600", "\ufffd", "操作", "x" * 300,
)  # fmt: skip
STRANGE_CLIPS = (
    "", " ", "clip-9999", "CLIP-0001", "clip-0001 ", " clip-0002", "clip_0003", "clip-0004.mp4", "cl\u200bip-0005",
    "clip-0006\n", "clip-0007\x00", "\u202eclip-0008", "clip\u20110009", "с\u043bip-0010", "clip-0011\ufeff",
    "../clip-0012", "clip-00\u06613", "\uff43lip-0014", "caf\u00e9", "cafe\u0301", "clip-0015\u2028", "null", "0",
)  # fmt: skip
NUMBERS = (
    "0", "1", "-0", "-1", "125", "126", "62", "1.0", "62.5", "1e1", "1E+1", "1e-1", "1e400", "-1e400", "1e-400",
    "0.5", "0.0", "-0.0", "-0.1", "1.0000001", "0.9999999999999999999", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "1" * 400, "1" * 400 + ".5", "1" * 30 + ".5", "0.0000005",
    "0.1234565", "1000000000", "1000000000.1", "412.5", "0.00005", "NaN", "Infinity", "-Infinity", "01", "00", "+1",
    ".5", "5.", "1.e1", "1e", "0x1", "1_0", "\u0661\u0662", "--1", "1 2", "-", "nan",
)  # fmt: skip
LITERALS = (
    "null", "true", "false", '""', '"14"', '"x"', "[]", "{}", "[1]", "[1, 2]", "[2, 1]", "[1, 2, 3]", "[null, null]",
    "[0, 125]", "[0.0, 1]", '["1", "2"]', "[true, false]", "[[1, 2]]", '{"start_frame": 1, "end_frame": 2}',
    '{"start_frame": 1}', '{"end_frame": 1, "start_frame": 3}', '{"start_frame": 1, "end_frame": 2, "x": 3}',
    '{"start_frame": 1, "end_frame": 2, "End_Frame": 3}', '{"a": 1, "a": 1}', '{"a": {"b": [{"c": 1, "c": 2}]}}',
    '{"a": 1, "A": 2}', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u00e9"', '{"\\ud800": 1}',
    '["\\ude00"]', '{"\\u0061": 1, "a": 2}', "[" * 64 + "]" * 64, "[" * 63 + "]" * 63, "[" * 62 + "]" * 62,
    "[" * 70 + "]" * 70, '{"a":' * 63 + "1" + "}" * 63, "undefined", "None", "True", "'x'", "[1,]", "{,}",
    '{"start_frame": null, "end_frame": null}', '{"start_frame": 1, "start_frame": 1, "end_frame": 2}',
)  # fmt: skip
TEXTS = (
    "", " ", "\n\t", "I do not know.", "Tape", "{", "}", "{}", "null", "[]", "The box {is} taped",
    '{"dominant_operation": "Tape"}', '{"a": 1}', "{'a': 1}",
    '{"dominant_operation": "Tape", "temporal_segment": [1, 2]', "```json\n```", "\u2028\u0085", "\x00", "\ufeff",
)  # fmt: skip
JUNK = (
    b"\xff", b"\xc3", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\x00",
    b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\x85", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\x8b", b"\xe2\x80\xae", b'"',
    b'\\"', b"\\", b"\\\\", b"{", b"}", b"[", b"]", b",", b":", b", ", b'": ', b'":', b"\t", b"\r", b"\r\r", b"'",
    b"//", b"/**/", b"#", b"0", b"1", b"-", b".", b"e", b"NaN", b"null", b"\\u0000", b"\\ud800", b"\\u12", b"\\x41",
    b"\\n", b"_", b" ", b'"clip_id": "clip-0001", ', b', "confidence": 0.5', b', "raw_output": "y"', b', "x": {}',
    b'"source": "model", ', b', "next_operation": "Tape"', b"\xc4\xb1", "\u0430".encode(), "\U0001f600".encode(),
)  # fmt: skip
OTHER_FIELDS = (
    "model", "note", "x", "", "label", "ground_truth", "Clip_ID", "CLIP_ID", "Confidence", "ſource", "Next_Operation",
    "raw_Output", "temporal_segment ", "tags", "clip", "id", "start", "\u0441lip_id",
)  # fmt: skip
FIELDS = (
    "clip_id", "dominant_operation", "temporal_segment", "start_frame", "end_frame", "next_operation",
    "anticipated_next_operation", "confidence", "next_confidence", "latency_ms", "raw_output", "source",
)  # fmt: skip


class Raw(str):
    """JSON text of a value, written as it is."""


def a_label(chance: random.Random) -> str | None:
    """Draw a label in one of its usual spellings, at times null or unknown."""
    if chance.random() < 0.06:
        return None
    if chance.random() < 0.03:
        return "Taping"
    label = chance.choice(LABELS)
    style: Callable[[str], str] = chance.choice((str, str, str, str.lower, str.upper, str.title, str.swapcase))
    return style(label).replace(" ", chance.choice("   __-")) + chance.choice(("", "", "", " "))


def an_answer(chance: random.Random) -> Members:
    """Draw the answer fields of a good line, in one of the ways to write a segment."""
    start, end = chance.randrange(126), chance.randrange(126)
    ways: tuple[Members, ...] = (
        [("temporal_segment", {"start_frame": start, "end_frame": end})],
        [("temporal_segment", {"start_frame": start, "end_frame": end})],
        [("temporal_segment", [start, end])],
        [("temporal_segment", None)],
        [("start_frame", start), ("end_frame", end)],
        [("end_frame", None), ("start_frame", None)],
        [("temporal_segment", {"end_frame": end, "start_frame": start, "note": 1})],
    )
    following = chance.choice(("next_operation",) * 4 + ("anticipated_next_operation",))
    return [("dominant_operation", a_label(chance)), *chance.choice(ways), (following, a_label(chance))]


def a_line(chance: random.Random, clip: str) -> Members:
    """Draw a good line of a clip."""
    members: Members = [("clip_id", clip)]
    if chance.random() < 0.15:
        members.append(("raw_output", a_text(chance, clip)))
    else:
        members += an_answer(chance)
        if chance.random() < 0.1:
            members.append(("raw_output", chance.choice(("said", None, "", 'a "quoted" \\ text', "é\u2028\U0001f600"))))
    for name, values in (
        ("confidence", (0, 1, 0.5, 0.123456, 0.1234565, None, round(chance.random(), 3))),
        ("next_confidence", (0.0, 1.0, 0.25, None)),
        ("latency_ms", (0, 412.5, 10**9, 0.0005, None, 17)),
        ("source", ("model", "repaired", "fallback", None)),
        (chance.choice(("model", "note", "label", "tags")), (1, "x", None, ["a", {"b": 2}], "Tape", {})),
    ):
        if chance.random() < 0.2:
            members.append((name, chance.choice(values)))
    if chance.random() < 0.3:
        chance.shuffle(members)
    return members


def a_text(chance: random.Random, clip: str) -> str:
    """Draw what a model may have said."""
    if chance.random() < 0.2:
        return chance.choice(TEXTS)
    answer = an_answer(chance)
    if chance.random() < 0.1:
        answer.append((chance.choice(("clip_id", "video")), chance.choice((clip, clip, "clip-0000", "example"))))
    if chance.random() < 0.2:
        answer.append(("confidence", chance.choice((0.5, 1, 0.25))))
    said = dumps(answer, chance)
    draft = dumps(an_answer(chance), chance)
    return chance.choice(
        (
            said,
            said,
            f" {said}\n",
            f"```json\n{said}\n```",
            f"```\n{said}\n```",
            f"The answer is {said}.",
            f"First {draft}, no: {said}",
            f"{{a or b}} {said}",
            f"{said} {{",
            f"Answer:\n{said}\nDone {{}}",
            said[:-1],
            said + "}",
            said.replace('"', "'"),
            said.replace("}", ",}", 1),
        )
    )


def dumps(members: Members, chance: random.Random) -> str:
    """Write an object as JSON, in one of the usual styles."""
    comma, colon = chance.choice(((", ", ": "), (", ", ": "), (",", ":"), (" , ", " : "), (",\t", ":  ")))
    to_ascii = chance.random() < 0.5

    def write(value: Any) -> str:
        if isinstance(value, Raw):
            return value
        if isinstance(value, dict):
            return "{" + comma.join(f"{write(key)}{colon}{write(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + comma.join(map(write, value)) + "]"
        return json.dumps(value, ensure_ascii=to_ascii)

    return "{" + comma.join(f"{write(key)}{colon}{write(value)}" for key, value in members) + "}"


def in_fields(members: Members, chance: random.Random, clips: Sequence[str]) -> Members:
    """Return an object after an accident to one of its fields."""
    members = list(members)
    at = chance.randrange(len(members))
    key, value = members[at]
    kind = chance.randrange(10)
    if kind == 0:
        del members[at]
    elif kind == 1:
        members.append((key, chance.choice((value, value, None, 1, "x"))))
    elif kind == 2:
        members.append((chance.choice((*FIELDS, *OTHER_FIELDS)), chance.choice((None, 1, "x", "Tape", value, 0.5))))
    elif kind == 3:
        members[at] = (chance.choice((*FIELDS, *OTHER_FIELDS, key.upper(), key.title(), key + " ")), value)
    elif kind == 4:
        members[at] = (key, Raw(chance.choice(LITERALS)))
    elif kind == 5:
        members[at] = (key, Raw(chance.choice(NUMBERS)))
    elif kind == 6:
        return _with(members, "clip_id", chance.choice((*STRANGE_CLIPS, chance.choice(clips))))
    elif kind == 7:
        name = chance.choice(("dominant_operation", "next_operation", "anticipated_next_operation"))
        return _with(members, name, chance.choice(STRANGE_LABELS))
    elif kind == 8:
        ends = [Raw(chance.choice((*NUMBERS, *LITERALS[:8]))), chance.randrange(126)]
        chance.shuffle(ends)
        segment = chance.choice((ends, dict(zip(("start_frame", "end_frame"), ends, strict=True))))
        return _with(members, "temporal_segment", segment)
    else:
        name = chance.choice(("confidence", "next_confidence", "latency_ms", "source", "raw_output"))
        return _with(members, name, Raw(chance.choice((*NUMBERS, *LITERALS))))
    return members or [("clip_id", "x")]


def _with(members: Members, name: str, value: Any) -> Members:
    if any(key == name for key, _ in members):
        return [(key, value if key == name else item) for key, item in members]
    return [*members, (name, value)]


def in_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return bytes after one to three small accidents."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        kind = chance.randrange(9)
        if kind == 0:
            data = data[:at] + chance.choice(JUNK) + data[at:]
        elif kind == 1:
            data = data[:at] + chance.choice(JUNK) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + data[at + chance.randrange(1, 4) :]
        elif kind == 3:
            data = data[:at] + data[at : min(to, at + 40)] + data[at:]
        elif kind == 4:
            data = data[: max(at, len(data) - 40)]
        elif kind == 5:
            data = data[:at] + data[min(to, at + 40) :]
        elif kind == 6:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif kind == 7 and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        elif kind == 8:
            data = data.replace(b'": ', chance.choice((b'" : ', b'":  ', b'":', b'":\t', b'": \r')), 1)
        data = data or b"x"
    return data


def a_mutated_line(chance: random.Random, clip: str, clips: Sequence[str]) -> bytes:
    """Draw a line of a clip after an accident to its fields or its bytes, or several; it holds no line feed."""
    members = a_line(chance, clip)
    how = chance.random()
    if how < 0.6:
        for _ in range(chance.choice((1, 1, 1, 2))):
            members = in_fields(members, chance, clips)
    data = dumps(members, chance).encode("utf-8", "surrogatepass")
    if how > 0.5:
        data = in_bytes(data, chance)
    return data.replace(b"\n", b" ")
