"""Files that are no predictions at all: what each is and the way out, in tables.

BYTES knows files by their first bytes, ARCHIVES by the names of the files in a zip archive, OBJECTS by the keys of
JSON objects, FOLDERS by the names in them. A row is so narrow that no prediction file fits it; all objects that are
looked at must fit the same row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.ingestion.field_names import is_truth_row, text_names

EXPORT = "export its rows as JSON Lines, CSV or Parquet"
SHEET = "save the sheet as CSV"
NAMES_SEEN = 10_000  # of an archive
UNPACK = "unpack it and pass the prediction file"
READ_PACKED = "unpack it; .gz and .zst are read as they are"
ANSWERS = "pass the file with the model's answers"
WEIGHTS = "harness predict asks a model, and writes its answers"
RESULTS = "pass the file of results that the batch wrote"
SAMPLES = f"{ANSWERS}, one a clip (of lm-eval and lmms-eval: samples_*.jsonl, written with --log_samples)"


class Other(NamedTuple):
    """Kind of file that is no prediction file: what it is, and what to do instead."""

    what: str
    remedy: str
    test: Callable[[Any], Any]
    of_clips: bool = False  # its objects may have a clip_id

    @property
    def message(self) -> str:
        """Return what is said of such a file."""
        return f"this is {self.what}: {self.remedy}"


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


def _at(offset: int, *words: bytes) -> Callable[[bytes], bool]:
    return lambda head: any(head[offset : offset + len(word)] == word for word in words)


def _holds(name: str) -> Callable[[Sequence[str]], bool]:
    """Return the test of archives in which one file has a name like this."""
    known = re.compile(name)
    return lambda names: any(map(known.fullmatch, names))


def _text(pattern: str) -> Callable[[bytes], Any]:
    known = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:" + pattern.encode() + rb")", re.IGNORECASE)
    return known.match


def _all_lines(pattern: str, needed: str) -> Callable[[bytes], bool]:
    """Return the test of texts whose first lines are all like this, and one like `needed`."""
    like, one = re.compile(pattern.encode()), re.compile(needed.encode())

    def test(head: bytes) -> bool:
        lines = [line for line in head.splitlines()[:8] if line.strip() and not line.lstrip().startswith(b"#")][:5]
        return all(map(like.fullmatch, lines)) and any(map(one.fullmatch, lines))

    return test


_COLUMN = re.compile(rb"\b(clip_id|dominant_operation|raw_output|response|prediction)\b")
"""Names of which a table of predictions has one."""


def _is_piped_table(head: bytes) -> bool:
    """Return True for rows of cells between |, also as Markdown writes them."""
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:8] if line.strip()][:5]
    widths = {line.count(b"|") for line in lines}
    return len(widths) == 1 and widths != {0} and bool(_COLUMN.search(lines[0])) and lines[0].lstrip()[:1] not in b"{["


def _is_commented_table(head: bytes) -> bool:
    """Return True for a header of a table, known by one of its names, behind lines that begin with #."""
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    rows = [line for line in lines if not line.startswith(b"#")][:1]
    begins = lines[:1] != rows and rows and rows[0][:1] not in b"{["
    return bool(begins and re.search(rb"[,;\t|]", rows[0]) and _COLUMN.search(rows[0]))


def _is_pickle(head: bytes) -> Any:
    binary = head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")
    return binary or re.match(rb"\([dl]p\d+\n|[}\]]q\0|c(copy_reg|__builtin__|numpy[\w.]*)\n", head)


def _is_safetensors(head: bytes) -> bool:
    return head[8:10] == b'{"' and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


ARCHIVES = (
    Other("a NumPy archive (.npz)", EXPORT, lambda names: names and all(name.endswith(".npy") for name in names)),
    Other("a PyTorch checkpoint", WEIGHTS, _holds(r"[^/]+/(data\.pkl|\.format_version|byteorder)")),
    Other("a workbook of Numbers or document of Pages", SHEET, _holds(r"Index\.zip|Index/.*\.iwa")),
    Other("a workbook with macros, or in binary form", SHEET, _holds(r"xl/(vbaProject|workbook)\.bin")),
    Other("an Office document", SHEET, _holds(r"(word|ppt|xl|visio)/[^/]+\.xml")),
)
BYTES = (
    Other("a table after Excel's line sep=", "remove the first line of the file", _text(r"sep=.\s*[\r\n]")),
    Other("an OpenDocument sheet or text", SHEET, _at(30, b"mimetypeapplication/vnd.oasis")),
    Other("a zip archive", UNPACK, _begins(b"PK\x03\x04")),
    Other("an empty zip archive", ANSWERS, _begins(b"PK\x05\x06")),
    Other("a tar archive", UNPACK, _at(257, b"ustar")),
    Other("xz data", READ_PACKED, _begins(b"\xfd7zXZ\0")),
    Other("bzip2 data", READ_PACKED, _begins(b"BZh")),
    Other("a 7z archive", UNPACK, _begins(b"7z\xbc\xaf\x27\x1c")),
    Other("a rar archive", UNPACK, _begins(b"Rar!\x1a\x07")),
    Other("lz4 data", READ_PACKED, _begins(b"\x04\x22\x4d\x18")),
    Other("compress data (.Z)", READ_PACKED, _begins(b"\x1f\x9d")),
    Other("a DuckDB database", "export its predictions as JSONL or Parquet", _at(8, b"DUCK")),
    Other("a SQLite database", "export its predictions as JSONL", _begins(b"SQLite format 3\0")),
    Other("an Access database", EXPORT, _at(4, b"Standard Jet DB", b"Standard ACE DB")),
    Other("an HDF5 file", EXPORT, _begins(b"\x89HDF\r\n\x1a\n")),
    Other("an Arrow or Feather file", "write it as Parquet, CSV or JSON Lines", _begins(b"ARROW1", b"FEA1")),
    Other("a stream of Arrow", "write it as Parquet, CSV or JSON Lines", _begins(b"\xff\xff\xff\xff")),
    Other("an ORC file", "write it as Parquet, CSV or JSON Lines", _text("ORC[^ -~]")),
    Other("an Avro file", "write it as Parquet, CSV or JSON Lines", _begins(b"Obj\x01")),
    Other("an encrypted Parquet file", "write it without encryption", _begins(b"PARE")),
    Other("an old workbook or document of Office (.xls, .doc)", SHEET, _begins(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    Other("a NumPy array (.npy)", EXPORT, _begins(b"\x93NUMPY")),
    Other("a pickle, which is never opened, since that runs code", EXPORT, _is_pickle),
    Other("a model's weights (safetensors)", WEIGHTS, _is_safetensors),
    Other("a model's weights (GGUF)", WEIGHTS, _begins(b"GGUF", b"GGML")),
    Other("a PDF document", ANSWERS, _begins(b"%PDF-")),
    Other("a picture", ANSWERS, _begins(b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")),
    Other("a picture, sound or video", ANSWERS, lambda head: head[:4] == b"RIFF" and head[8:12].isupper()),
    Other("a video", f"{ANSWERS}; {WEIGHTS}", lambda head: head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3"),
    Other("a program", ANSWERS, _begins(b"\x7fELF", b"MZ\x90\0", b"\xcf\xfa\xed\xfe")),
    Other(
        "UTF-16 or UTF-32 text, not UTF-8",
        "save it as UTF-8",
        lambda head: head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:2],
    ),
    Other(
        "a Git LFS pointer, not the file that it stands for",
        "git lfs pull fetches it",
        _text("version https?://git-lfs"),
    ),
    Other(
        "a page of HTML, as a download gives that met a log-in or an error",
        "download the file itself",
        _text(r"<!doctype html|<html|<head\b|<body\b|<script\b"),
    ),
    Other("XML", "write one JSON object a line", _text(r"<\?xml|<!doctype|<svg\b|<[a-z][\w:.-]*( [^<>]*)?>")),
    Other("a rich text document (RTF)", "save it as plain text, one JSON object a line", _text(r"\{\\rtf")),
    Other("a Python error", "see why the program that wrote it failed", _text(r"Traceback \(most recent call last\)")),
    Other(
        "TOML, such as the card of an entry",
        "pass the prediction file that the card describes",
        _all_lines(r"\s*(\[\[?[\w.\"' -]+\]\]?|[\w.\"'-]+\s*=\s*\S.*)", r"\s*[\w.\"'-]+\s*=\s*\S.*"),
    ),
    Other("a table after lines of comment", "remove the lines that begin with #", _is_commented_table),
    Other("a table of cells between |", "write it as CSV: cells between commas, semicolons or tabs", _is_piped_table),
    Other(
        "lines that end in carriage returns alone",
        "save the file with LF line ends (tr '\\r' '\\n' < FILE)",
        lambda head: b"\n" not in head and re.match(rb"(?:\xef\xbb\xbf)?\s*\{[^\r]*\}[ \t]*\r\s*\{", head),
    ),
    Other(
        "YAML or a log",
        "write one JSON object a line",
        _all_lines(r"---|\s*- .+|\s*(- )?[\w.\"'-]+:( .*)?", r"\s*(- )?[\w.-]+: .*|---"),
    ),
)
FAILED = frozenset(("error", "status", "response", "result", "output", "modelOutput", "prediction", "predictions"))
FAILURE_KEYS = {"error", "detail", "message", "status", "code", "type", "request_id", "documentation_url"}


def _keys(*names: str, without: Iterable[str] = ()) -> Callable[[Mapping[str, Any]], bool]:
    wanted, unwanted = frozenset(names), frozenset(without)
    return lambda value: wanted <= value.keys() and unwanted.isdisjoint(value)


def _of_format(name: str) -> Callable[[Mapping[str, Any]], bool]:
    start = f"warehouse-harness/{name}"
    return lambda value: isinstance(value.get("format"), str) and value["format"].startswith(start)


def _one_of(*tests: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], bool]:
    return lambda value: any(test(value) for test in tests)


def _is_truth(value: Mapping[str, Any]) -> bool:
    return is_truth_row(value) and not text_names(value)


def _is_failure(value: Mapping[str, Any]) -> bool:
    """Return True for what a server answers in place of what it was asked for."""
    said = value.get("error", value.get("detail", value.get("message")))
    return bool(said) and value.keys() <= FAILURE_KEYS


def _are_losses(value: Mapping[str, Any]) -> bool:
    return not value.keys().isdisjoint(("eval_loss", "train_loss", "eval_runtime", "train_runtime"))


def _is_table(value: Mapping[str, Any]) -> bool:
    """Return True for a table in one object: a list of its columns' names, or a column under each name."""
    columns = [item for item in value.values() if isinstance(item, dict | list)]
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return True
    lengths = {len(column) for column in columns}
    rows = next((column.keys() for column in columns if isinstance(column, dict)), ())
    of_columns = all(isinstance(column, list) or column.keys() == rows for column in columns)
    known = "clip_id" in value and len(columns) == len(value) > 1
    return known and of_columns and len(lengths) == 1


OBJECTS = (
    Other(
        "a table in one object, as pandas, Polars and Weights & Biases write it",
        'write its rows: to_json(FILE, orient="records", lines=True) of pandas, or a CSV file',
        _is_table,
        of_clips=True,
    ),
    Other(
        "a score record of harness score",
        "it holds scores; pass the prediction file that was scored",
        _one_of(_of_format("score-"), _of_format("sealed-score-"), _keys("truth_digest", "metrics", "signature")),
    ),
    Other(
        "a report of harness validate",
        "pass the prediction file that was validated",
        _keys("adapter", "problems_total", "problems"),
    ),
    Other("a leaderboard", ANSWERS, _one_of(_of_format("leaderboard-"), _of_format("sealed-leaderboard-"))),
    Other("a comparison of harness compare", ANSWERS, _of_format("comparison-")),
    Other("the identity of a prediction run", "pass predictions.jsonl beside it", _of_format("predict-")),
    Other("the description of a rendering", ANSWERS, _one_of(_of_format("render"), _keys("clips", "bytes", "files"))),
    Other("a file of the harness", ANSWERS, _of_format("")),
    Other(
        "the list of a rendering's clips, questions without answers",
        f"{ANSWERS}; {WEIGHTS}",
        _keys("clip_id", "frames", "prompt", "times_s", without=FAILED),
        of_clips=True,
    ),
    Other("the truth (rows of harness world export)", ANSWERS, _is_truth, of_clips=True),
    Other("a training record", "pass the predictions of the model", _keys("predicted_peak_gib", "measured_peak_gib")),
    Other(
        "a file of requests for a batch, not of their results",
        RESULTS,
        _one_of(
            _keys("custom_id", "body", without=FAILED), _keys("custom_id", "params", without=FAILED),
            _keys("recordId", "modelInput", without=FAILED), _keys("key", "request", without=(*FAILED, "candidates")),
            lambda value: value.keys() <= {"request", "labels", "id"} and isinstance(value.get("request"), dict),
        ),
    ),
    Other(
        "the state of a batch, not its results",
        "download its output file, and pass that",
        _one_of(_keys("input_file_id", "output_file_id"), _keys("processing_status", "results_url")),
    ),
    Other("an error that a server answered, not the file", "ask for the file again", _is_failure),
    Other("a notebook", "write the predictions from it to a file", _keys("cells", "nbformat")),
    Other(
        "a part of a data set that Hugging Face datasets saved (save_to_disk)",
        "load it, and write its rows with to_json",
        _one_of(
            _keys("_data_files", "_fingerprint"),
            _keys("features", "citation"),
            lambda value: value.keys() == {"splits"} and isinstance(value["splits"], list),
        ),
    ),
    Other("annotations in COCO's form, a data set's targets", ANSWERS, _keys("images", "annotations", "categories")),
    Other("annotations in ActivityNet's form, a data set's targets", ANSWERS, _keys("database", "taxonomy")),
    Other("annotations of Label Studio, a data set's targets", ANSWERS, _keys("annotations", "data", without=FAILED)),
    Other(
        "the configuration of a model",
        WEIGHTS,
        _one_of(
            _keys("architectures", "model_type"), _keys("peft_type", "base_model_name_or_path"),
            _keys("metadata", "weight_map"), _keys("model", "added_tokens"), _keys("tokenizer_class"),
            _keys("transformers_version"),
        ),
    ),
    Other("the state of a trainer", ANSWERS, _keys("log_history", "global_step")),
    Other("a JSON Schema", ANSWERS, _keys("$schema", "properties")),
    Other("a file of scores without answers", SAMPLES, _are_losses),
    Other("an Inspect log without samples", "pass the log with them", _keys("eval", "plan", without=["samples"])),
)  # fmt: skip
FOLDERS = (
    # a name in the folder, what the folder is, what to do
    (
        "predictions.jsonl.part",
        "a run of harness predict that is not finished",
        "the same command asks about the rest; its predictions.jsonl.part holds the answers so far",
    ),
    ("predictions.jsonl", "an entry", "pass its predictions.jsonl"),
    ("card.toml", "an entry", "pass its prediction file"),
    ("dataset_dict.json", "a data set that Hugging Face datasets saved", "load it, and write its rows with to_json"),
    ("dataset_info.json", "a data set that Hugging Face datasets saved", "load it, and write its rows with to_json"),
    ("index.json", "a rendering, questions without answers", WEIGHTS),
    ("clips.jsonl", "a rendering, questions without answers", WEIGHTS),
    ("config.json", "a model", WEIGHTS),
)


def by_bytes(head: bytes) -> str:
    """Return what a file with these first bytes is and the way out, or nothing where it may hold predictions."""
    return next((other.message for other in BYTES if other.test(head)), "")


def by_names(names: Sequence[str]) -> str:
    """Return what an archive with files of these names is and the way out, or nothing where it is none of ARCHIVES."""
    return next((other.message for other in ARCHIVES if other.test(names[:NAMES_SEEN])), "")


def by_objects(objects: list[dict[str, Any]]) -> str:
    """Return what a file with these objects is and the way out, or nothing where it may hold predictions."""
    of_clips = any("clip_id" in value for value in objects)
    rows = (other for other in OBJECTS if objects and (other.of_clips or not of_clips))
    return next((other.message for other in rows if all(map(other.test, objects))), "")


def by_folder(folder: Path) -> str:
    """Return what a folder is and the way out, as far as it is known."""
    known = (f"; it is {what}: {remedy}" for name, what, remedy in FOLDERS if (folder / name).exists())
    return next(known, "")
