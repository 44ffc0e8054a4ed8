"""Small files of the canonical fields in every container, with accidents in a few of their answers.

Each must be read as tests/support/strict_reader.py reads it. Where that has no opinion, since the file is no whole
document of its kind, an answer whose text is unharmed may be lost with the file, or its clip be invalid, but it may not
be read as another one.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
import pyarrow.parquet
import zstandard

from reference.task import OPERATIONS
from tests.proof.mutate import (
    LABELS,
    LITERALS,
    NUMBERS,
    STRANGE_CLIPS,
    STRANGE_LABELS,
    a_label,
    a_line,
    a_mutated_line,
    dumps,
    in_bytes,
    in_fields,
)
from tests.proof.tally import Tally
from tests.support import strict_reader
from tests.support.small_truth import CLIPS, SmallTruth, read
from tests.support.strict_reader import INVALID, NotRegular, Split, Table

SPLIT = strict_reader.split_of(CLIPS, OPERATIONS)
BOM = b"\xef\xbb\xbf"
Predictions = dict[str, dict[str, Any]]


class File(NamedTuple):
    """File to be read, and how the second reader reads it; `parts`: the text of each clip's answer."""

    name: str
    data: bytes
    expected: Callable[[bytes, Split], Table]
    parts: dict[str, bytes]


def tallies() -> dict[str, Tally]:
    return {name: Tally("lines", f"files: {name}") for name in MAKERS}


def try_one(tally: Tally, truth: SmallTruth, folder: Path, kind: str, seed: str) -> None:
    """Draw a file of a kind, read it, and compare."""
    chance = random.Random(f"{kind} {seed}")
    file = MAKERS[kind](chance)
    name, data = _packed(file, chance)
    path = folder / name
    path.write_bytes(data)
    before = tally.crashes
    with tally.one(seed) as refused:
        found = read(truth, path, folder, lenient=True)
        predictions = truth.predictions()
    path.unlink()
    if tally.crashes > before:
        return
    try:
        expected = file.expected(file.data, SPLIT)
    except NotRegular:
        if not refused:
            _compare_unharmed(tally, seed, file, predictions)
        return
    if refused:
        tally.differs(seed, f"refused: {refused[0]} {file.data[:3000]!r}")
        return
    # elements of a document on one line have no order there, so which of two is the second one is not said
    counts = not expected.again or kind not in ("array", "document", "by clip")
    wrong = strict_reader.differences(expected, predictions, found.rejected if counts else None)
    if wrong:
        tally.differs(seed, f"{'; '.join(wrong[:3])} {file.data[:3000]!r}")


def _packed(file: File, chance: random.Random) -> tuple[str, bytes]:
    """Return a file's name and bytes, at times packed."""
    if file.name.endswith("parquet"):
        return file.name, file.data
    how = chance.randrange(20)
    if how == 0:
        return f"{file.name}.gz", gzip.compress(file.data, 1)
    if how == 1:
        return f"{file.name}.zst", zstandard.ZstdCompressor(1).compress(file.data)
    return file.name, file.data


def _compare_unharmed(tally: Tally, seed: str, file: File, predictions: Predictions) -> None:
    """Compare the answers whose text stands in the file as it was: they are as they were, or invalid, or lost."""
    for clip, part in file.parts.items():
        if (
            clip in predictions
            and file.data.count(part) == 1
            and file.data.count(clip.encode()) == part.count(clip.encode())
        ):
            mine, theirs = strict_reader.line(part, SPLIT).reading, predictions[clip]
            one = Table({clip: mine})
            if theirs["outcome"] != INVALID and strict_reader.differences(one, {clip: theirs}, None):
                tally.differs(seed, f"{clip} is read as another answer {file.data[:3000]!r}")


# Makers


def _members(chance: random.Random) -> tuple[list[str], list[bytes]]:
    """Draw clips and their objects, at most a quarter of them after an accident to their fields."""
    clips = chance.sample(CLIPS, chance.randrange(8, 24))
    objects = []
    for clip in clips:
        members = a_line(chance, clip)
        if chance.random() < 0.1:
            members = in_fields(members, chance, clips)
        objects.append(dumps(members, chance).encode("utf-8", "surrogatepass"))
    return clips, objects


def _jsonl(chance: random.Random) -> File:
    clips = chance.sample(CLIPS, chance.randrange(8, 24))
    parts = [dumps(a_line(chance, clip), chance).encode() for clip in clips]
    for at in chance.sample(range(len(parts)), chance.randrange(len(parts) // 4)):
        parts[at] = a_mutated_line(chance, clips[at], clips)
    end = chance.choice((b"\n", b"\n", b"\r\n"))
    if chance.random() < 0.2:
        parts.insert(chance.randrange(len(parts)), chance.choice((b"", b" ", b"\t\r")))
    data = end.join(parts) + chance.choice((b"", end, end + end))
    return File("f.jsonl", (BOM if chance.random() < 0.1 else b"") + data, strict_reader.lines, {})


def _document(chance: random.Random, opener: str, closer: str) -> File:
    clips, parts = _members(chance)
    between = chance.choice(("", " ", "\n", "\n  ", "\r\n\t"))
    text = f"{opener}{between}".encode() + f",{between}".encode().join(parts) + f"{between}{closer}".encode()
    return _hurt(chance, File("f.json", text, strict_reader.document, dict(zip(clips, parts, strict=True))))


def _array(chance: random.Random) -> File:
    return _document(chance, "[", "]")


def _predictions(chance: random.Random) -> File:
    before = chance.choice(("", '"model": "m", ', '"note": {"predictions": [1]}, ', '"x": [], '))
    after = chance.choice(("", ', "n": 3', ', "x": {"a": [1, 2]}'))
    return _document(chance, f'{{{before}"predictions": [', f"]{after}}}")


def _by_clip(chance: random.Random) -> File:
    clips = chance.sample(CLIPS, chance.randrange(8, 24))
    parts = {}
    for clip in clips:
        members = a_line(chance, clip)
        if any(name == "raw_output" for name, _ in members) and len(members) < 4:
            members = [
                ("clip_id", clip),
                ("dominant_operation", "Tape"),
                ("temporal_segment", None),
                ("next_operation", None),
            ]
        if chance.random() < 0.1:
            members = in_fields(members, chance, clips)
        if chance.random() < 0.8:
            members = [member for member in members if member[0] != "clip_id"]
        parts[clip] = dumps(members, chance).encode("utf-8", "surrogatepass")
    between = chance.choice(("", " ", "\n", "\n  "))
    listed = [json.dumps(clip).encode() + b": " + part for clip, part in parts.items()]
    if chance.random() < 0.1:
        listed.append(chance.choice(listed))
    text = b"{" + f",{between}".encode().join(listed) + b"}"
    whole = {clip: b'{"clip_id": ' + json.dumps(clip).encode() + b", " + part[1:] for clip, part in parts.items()}
    file = _hurt(chance, File("f.json", text, strict_reader.by_clip, {}))
    return file._replace(parts=whole if file.data == text else {})


def _stream(chance: random.Random) -> File:
    clips = chance.sample(CLIPS, chance.randrange(8, 24))
    parts = {}
    for clip in clips:
        line = dumps(a_line(chance, clip), chance)
        parts[clip] = json.dumps(json.loads(line), indent=chance.choice((1, 2, 4))).encode()
    text = chance.choice((b"\n", b"\n\n", b"\r\n")).join(parts.values())
    return _hurt(chance, File("f.jsonl", text, strict_reader.stream, parts))


def _hurt(chance: random.Random, file: File) -> File:
    """Return a file, at times after an accident to its bytes, or with a byte order mark."""
    how = chance.random()
    if how < 0.25:
        return file._replace(data=in_bytes(file.data, chance))
    return file._replace(data=BOM + file.data) if how > 0.95 else file


COLUMNS = ("confidence", "next_confidence", "latency_ms", "source", "note", "")


def _delimited(chance: random.Random, mark: str) -> File:
    clips = chance.sample(CLIPS, chance.randrange(8, 24))
    ends = chance.choice((["start_frame", "end_frame"], ["temporal_segment"]))
    following = chance.choice(("next_operation", "anticipated_next_operation"))
    names = ["clip_id", "dominant_operation", *ends, following, *chance.sample(COLUMNS, chance.randrange(4))]
    if chance.random() < 0.3:
        chance.shuffle(names)
    if "clip_id" not in names[:1] and names[0] == "":
        names = names[1:]
    records = [_record(chance, clip, names) for clip in clips]
    for at in chance.sample(range(len(records)), chance.randrange(len(records) // 4)):
        records[at] = _hurt_record(chance, records[at], names, mark)
    end = chance.choice(("\n", "\n", "\r\n"))
    out = io.StringIO()
    quoting = chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    csv.writer(out, delimiter=mark, lineterminator=end, quoting=quoting).writerows([names, *records])
    text = out.getvalue()
    data = (BOM if chance.random() < 0.1 else b"") + text.encode("utf-8", "surrogatepass")
    return File(
        chance.choice(("f.csv", "f.tsv", "f.txt")), data, lambda data, split: strict_reader.table(data, mark, split), {}
    )


def _record(chance: random.Random, clip: str, names: list[str]) -> list[str]:
    abstains = chance.random() < 0.1
    cells: dict[str, Any] = {
        "clip_id": clip,
        "dominant_operation": a_label(chance),
        "start_frame": None if abstains else chance.randrange(126),
        "end_frame": None if abstains else chance.randrange(126),
        "temporal_segment": None if abstains else json.dumps([chance.randrange(126), chance.randrange(126)]),
        "next_operation": a_label(chance),
        "confidence": chance.choice((None, 0, 1, 0.25, "0.123456", "1e-3")),
        "next_confidence": chance.choice((None, 0.5)),
        "latency_ms": chance.choice((None, 412.5, 17)),
        "source": chance.choice((None, "model", "fallback")),
        "note": chance.choice((None, "x", "a, b; c", 'say "x"', "two\nlines", "é")),
        "": chance.randrange(100),
    }
    cells["anticipated_next_operation"] = cells["next_operation"]
    return ["" if cells[name] is None else str(cells[name]) for name in names]


def _hurt_record(chance: random.Random, record: list[str], names: list[str], mark: str) -> list[str]:
    """Return a row after an accident to one cell, or to their number."""
    record, at = list(record), chance.randrange(len(record))
    kind = chance.randrange(6)
    if kind == 0:
        return record[:-1] if len(record) > 2 else record
    if kind == 1:
        return [*record, "x"]
    if kind == 2 and (labels := [at for at, name in enumerate(names) if "operation" in name]):
        record[chance.choice(labels)] = chance.choice(STRANGE_LABELS)
    elif kind == 3 and "clip_id" in names:
        record[names.index("clip_id")] = chance.choice(STRANGE_CLIPS)
    elif names[at]:
        record[at] = chance.choice((*NUMBERS, *LITERALS, ""))
    if any("\r" in cell for cell in record):
        return [cell.replace("\r", "") for cell in record]
    return record


def _csv(chance: random.Random) -> File:
    return _delimited(chance, ",")


def _tsv(chance: random.Random) -> File:
    return _delimited(chance, "\t")


def _semicolon(chance: random.Random) -> File:
    return _delimited(chance, ";")


def _parquet(chance: random.Random) -> File:
    clips = chance.sample(CLIPS, chance.randrange(8, 24))
    rows = [_typed_row(chance, clip) for clip in clips]
    nested = chance.random() < 0.3
    columns: dict[str, Any] = {"clip_id": pyarrow.array([row["clip_id"] for row in rows], pyarrow.string())}
    for name in ("dominant_operation", "next_operation", "source", "note"):
        columns[name] = pyarrow.array([row[name] for row in rows], pyarrow.string())
    frames = chance.choice((pyarrow.int64(), pyarrow.int32(), pyarrow.int16(), pyarrow.float64()))
    if nested:
        kind = pyarrow.struct([("start_frame", frames), ("end_frame", frames)])
        ends = [{name: row[name] for name in ("start_frame", "end_frame")} for row in rows]
        columns["temporal_segment"] = pyarrow.array(ends, kind)
    else:
        for name in ("start_frame", "end_frame"):
            columns[name] = pyarrow.array([row[name] for row in rows], frames)
    for name in ("confidence", "latency_ms"):
        columns[name] = pyarrow.array([row[name] for row in rows], pyarrow.float64())
    if chance.random() < 0.2:
        columns["when"] = pyarrow.array([0] * len(rows), pyarrow.timestamp("us", tz="UTC"))
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table(columns),
        sink,
        compression=chance.choice(("snappy", "zstd", "none")),
        row_group_size=chance.choice((5, 1000)),
    )
    data = sink.getvalue()
    if chance.random() < 0.3:
        at = chance.randrange(4, len(data) - 8)
        return File("f.parquet", data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :], _no_opinion, {})
    as_read = [_as_read(row, frames == pyarrow.float64(), nested) for row in rows]
    return File("f.parquet", data, lambda _, split: strict_reader.rows(as_read, split), {})


def _no_opinion(data: bytes, split: Split) -> Table:
    raise NotRegular


def _typed_row(chance: random.Random, clip: str) -> dict[str, Any]:
    abstains = chance.random() < 0.1
    row: dict[str, Any] = {
        "clip_id": clip,
        "dominant_operation": a_label(chance),
        "start_frame": None if abstains else chance.randrange(126),
        "end_frame": None if abstains else chance.randrange(126),
        "next_operation": chance.choice((a_label(chance), chance.choice(LABELS))),
        "source": chance.choice((None, "model", "repaired")),
        "note": chance.choice((None, "x")),
        "confidence": chance.choice((None, 0.0, 1.0, 0.25, float("nan"))),
        "latency_ms": chance.choice((None, 412.5, 17.0)),
    }
    kind = chance.randrange(40)
    if kind == 0:
        row["clip_id"] = chance.choice((*STRANGE_CLIPS, None, chance.choice(CLIPS)))
    elif kind == 1:
        row["dominant_operation"] = chance.choice(STRANGE_LABELS)
    elif kind == 2:
        row[chance.choice(("start_frame", "end_frame"))] = chance.choice((None, -1, 126, 32_000))
    elif kind == 3:
        row["confidence"] = chance.choice((-0.1, 1.5, float("inf"), 1e300))
    elif kind == 4:
        row["source"] = chance.choice(("Model", "", "x"))
    return row


def _as_read(row: dict[str, Any], decimals: bool, nested: bool) -> dict[str, Any]:
    """Return a row as its columns hold it: NaN is an empty cell, and a column of decimals holds no frame numbers."""
    row = {name: None if value != value else value for name, value in row.items()}
    ends = {name: row.pop(name) for name in ("start_frame", "end_frame")}
    if decimals:
        ends = {name: None if value is None else float(value) for name, value in ends.items()}
    if nested:
        segment = None if set(ends.values()) == {None} else strict_reader.Object(ends.items())
        return row | {"temporal_segment": segment}
    return row | ends


MAKERS: dict[str, Callable[[random.Random], File]] = {
    "JSON Lines": _jsonl,
    "array": _array,
    "document": _predictions,
    "by clip": _by_clip,
    "stream": _stream,
    "CSV": _csv,
    "TSV": _tsv,
    "CSV with ;": _semicolon,
    "Parquet": _parquet,
}
