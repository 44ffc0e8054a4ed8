"""Files that are no predictions at all: one message says what each is, and the way out."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pytest

from harness.errors import HarnessError, SubmissionError, UsageError
from harness.ingestion.not_predictions import ARCHIVES, BYTES, OBJECTS
from harness.ingestion.packed import archives
from harness.ingestion.submission_file import Limits
from tests.harness.ingestion.lines.test_line_checker import line
from tests.support.small_truth import CLIPS, read, small_truth

ROW = line(clip_id=CLIPS[0])
ROWS = [line(clip_id=clip) for clip in CLIPS[:3]]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TABLE = pa.table({"clip_id": [*CLIPS[:3]], "dominant_operation": ["Tape"] * 3})


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


def zipped(*names: str, text: bytes = JSONL) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(JSONL)
        archive.addfile(member, io.BytesIO(JSONL))
    return file.getvalue()


def saved(write) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def database(tmp_path: Path, kind: str) -> bytes:
    path = tmp_path / "database"
    with {"sqlite": sqlite3, "duckdb": duckdb}[kind].connect(str(path)) as connection:
        connection.execute("CREATE TABLE predictions (clip_id VARCHAR)")
    connection.close()
    return path.read_bytes()


HEADER = b'{"weights":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
BINARY = [
    # what a file holds, what it is called, what is said
    (pickle.dumps(ROWS), "p.pkl", "a pickle, which is never opened, since that runs code: export its rows"),
    (pickle.dumps(ROWS, protocol=2), "p.pkl", "a pickle"), (pickle.dumps(ROWS, protocol=0), "p.pkl", "a pickle"),
    (saved(lambda file: np.save(file, np.arange(3))), "p.npy", "a NumPy array (.npy)"),
    (saved(lambda file: np.savez(file, clips=np.arange(3))), "p.npz", "a NumPy archive (.npz)"),
    (zipped("archive/data.pkl", "archive/version"), "p.pt", "a PyTorch checkpoint: harness predict asks a model"),
    (len(HEADER).to_bytes(8, "little") + HEADER + bytes(4), "m.safetensors", "a model's weights (safetensors)"),
    (b"GGUF\3\0\0\0", "m.gguf", "a model's weights (GGUF)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "p.xls", "an old workbook or document of Office"),
    (zipped("mimetype", text=b"application/vnd.oasis.opendocument.spreadsheet"), "p.ods", "an OpenDocument sheet"),
    (zipped("Index/Document.iwa"), "p.numbers", "a workbook of Numbers"),
    (zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "p.docx", "an Office document: save"),
    (zipped("[Content_Types].xml", "ppt/presentation.xml"), "p.pptx", "an Office document"),
    (zipped("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin"), "p.xlsm", "a workbook with macros, or in"),
    (zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.bin"), "p.xlsb", "a workbook with macros, or in binary"),
    (zipped("[Content_Types].xml", "word/document.xml")[:-40], "p.docx", "a zip archive: unpack it"),
    (gzip.compress(zipped("_rels/.rels", "word/document.xml")), "p.docx.gz", "an Office document"),
    (zipped("preview.jpg", "Index/Document.iwa"), "p.pages", "a workbook of Numbers or document of Pages"),
    (zipped("archive/version", "archive/data.pkl"), "p.pth", "a PyTorch checkpoint"),
    (zipped("word/document.xml"), "p.docx", "an Office document: save the sheet as CSV"),
    (zipped("predictions.jsonl"), "p.zip", "a zip archive: unpack it and pass the prediction file"),
    (zipped(), "p.zip", "an empty zip archive"),
    (saved(lambda file: pa.feather.write_feather(TABLE, file)), "p.feather", "an Arrow or Feather file: write it as"),
    (saved(lambda file: pa.ipc.new_stream(file, TABLE.schema).write(TABLE)), "p.arrow", "a stream of Arrow"),
    (saved(lambda file: pa.orc.write_table(TABLE, file)), "p.orc", "an ORC file: write it as Parquet"),
    (b"Obj\x01\x02\x16avro.schema", "p.avro", "an Avro file: write it as Parquet"),
    (b"PARE" + bytes(40) + b"PARE", "p.parquet", "an encrypted Parquet file"),
    (b"\x89HDF\r\n\x1a\n" + bytes(99), "p.h5", "an HDF5 file"),
    (lzma.compress(JSONL), "p.xz", "xz data: unpack it; .gz and .zst are read"),
    (bz2.compress(JSONL), "p.bz2", "bzip2 data"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "p.7z", "a 7z archive: unpack it"), (b"Rar!\x1a\x07\x01\0", "p.rar", "a rar archive"),
    (b"\x04\x22\x4d\x18d@", "p.lz4", "lz4 data"), (tarred(), "p.tar", "a tar archive: unpack it"),
    (gzip.compress(tarred()), "p.tar.gz", "a tar archive: unpack it"),
    (b"%PDF-1.7\n", "p.pdf", "a PDF document"), (b"\x89PNG\r\n\x1a\n", "p.png", "a picture"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "p.jpg", "a picture"), (b"RIFF\x24\0\0\0WEBPVP8 ", "p.webp", "a picture"),
    (b"\0\0\0\x20ftypisom\0\0", "p.mp4", "a video"), (b"\x1a\x45\xdf\xa3\x01", "p.webm", "a video"),
    (b"\x7fELF\2\1\1", "harness", "a program"),
    (JSONL.decode().encode("utf-16"), "p.jsonl", "UTF-16 or UTF-32 text, not UTF-8: save it as UTF-8"),
    (JSONL.decode().encode("utf-16-le"), "p.jsonl", "UTF-16 or"),
    (JSONL.decode().encode("utf-16-be"), "p.jsonl", "UTF-16 or"),
    (JSONL.decode().encode("utf-32"), "p.jsonl", "UTF-16 or UTF-32"),
    (JSONL.decode().encode("utf-32-be"), "p", "UTF-16 or"),
    (rb"{\rtf1\ansi\deff0 {\fonttbl}" + JSONL, "p.rtf", "a rich text document (RTF)"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "p.jsonl", "a Git LFS pointer, not the"),
    (b"<!DOCTYPE html>\n<html><title>Sign in</title>", "p.jsonl", "a page of HTML"),
    (b"\n <HTML>\n", "p.jsonl", "a page of HTML, as a download"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "p.jsonl", "XML"),
    (b"<annotation><object/></annotation>", "p.xml", "XML"),
    (b"Traceback (most recent call last):\n  File", "p.jsonl", "a Python error"),
    (b'name = "m"\nkind = "model"\n\n[run]\nseed = 3\n', "card.toml", "TOML, such as the card of an entry: pass the"),
    (b"# mine\n[tool.x]\na = 1\n", "p.toml", "TOML"), (b"---\nmodel: m\nclips:\n  - a\n", "p.yaml", "YAML or a log"),
    (b"sep=;\r\nclip_id;raw_output\r\n", "p.csv", "a table after Excel's line sep=: remove the first line"),
    (b"clip_id|dominant_operation\na|Tape\nb|Pack\n", "p.csv", "a table of cells between |: write it as CSV"),
    (b"| clip_id | raw_output |\n|---|---|\n| a | x |\n", "p.md", "a table of cells between |"),
    (b"# made by m\nclip_id,dominant_operation\na,Tape\n", "p.csv", "a table after lines of comment: remove the lines"),
    (JSONL.replace(b"\n", b"\r"), "p.jsonl", "lines that end in carriage returns alone: save the file with LF"),
    (b"- clip_id: a\n  dominant_operation: Tape\n", "p.yml", "YAML"), (b"model: m\nname: x\n", "p", "YAML"),
]  # fmt: skip


@pytest.mark.parametrize("data, name, message", BINARY, ids=[f"{row[2][:24]} {row[1]}" for row in BINARY])
def test_a_file_that_is_known_by_its_bytes(data, name, message, truth, tmp_path):
    _refused(truth, tmp_path, data, name, message)


LOG = ("header.json", *(f"samples/{clip}_epoch_1.json" for clip in CLIPS))
WORKBOOK = ("xl/workbook.xml", *(f"xl/media/{clip}.png" for clip in CLIPS))


@pytest.mark.parametrize("names", [CLIPS, LOG, WORKBOOK], ids=["zip", "log", "workbook"])
def test_a_zip_archive_with_too_large_a_directory(names, truth, tmp_path, monkeypatch):
    file = tmp_path / "p.zip"
    file.write_bytes(zipped(*names))
    with pytest.raises(SubmissionError, match=r"a zip archive of more than 2 files \(--max-lines\)"):
        read(truth, file, tmp_path / "scratch", Limits(max_lines=2))
    monkeypatch.setattr(archives, "DIRECTORY_BYTES", 70)
    with pytest.raises(SubmissionError, match=r"whose directory has over 70 bytes; unpack it"):
        read(truth, file, tmp_path / "scratch")


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_databases(kind, truth, tmp_path):
    (tmp_path / "new").mkdir()
    _refused(truth, tmp_path, database(tmp_path / "new", kind), "p.db", "database: export its predictions as JSONL")


def _refused(truth, tmp_path, data: bytes, name: str, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(SubmissionError) as refused:
        read(truth, file, tmp_path / "scratch", lenient=True)
    assert str(refused.value).startswith(f"{file}: this is ")
    assert message in str(refused.value) and "\n" not in str(refused.value)


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "What?"}]}
TRUE = {"session": "s", "next_operations": ["Pack"], "next_visible": True, "cut_kind": "dense", "ceiling": 0.5}
METRICS = {"oca": {"value": 0.5}}
NO_PREDICTIONS = [
    # the objects of a file, what is said
    ([{"columns": ["clip_id", "prediction"], "data": [[CLIPS[0], "text"]]}], "a table in one object"),
    ([{"clip_id": {"0": CLIPS[0]}, "dominant_operation": {"0": "Tape"}}], "a table in one object, as pandas, Polars"),
    ([{"clip_id": list(CLIPS[:2]), "response": ["a", "b"]}], "write its rows"),
    ([{"custom_id": clip, "method": "POST", "url": "/v1/chat/completions", "body": QUESTION} for clip in CLIPS[:3]],
     "a file of requests for a batch, not of their results: pass the file of results"),
    ([{"custom_id": clip, "params": QUESTION} for clip in CLIPS[:3]], "a file of requests for a batch"),
    ([{"key": clip, "request": {"contents": []}} for clip in CLIPS[:3]], "a file of requests for a batch"),
    ([{"request": {"contents": []}} for clip in CLIPS[:3]], "a file of requests for a batch"),
    ([{"recordId": clip, "modelInput": QUESTION} for clip in CLIPS[:3]], "a file of requests for a batch"),
    ([{"id": "batch_1", "object": "batch", "input_file_id": "a", "output_file_id": "b"}], "the state of a batch"),
    ([{"id": "b", "type": "message_batch", "processing_status": "ended", "results_url": "u"}], "the state of a batch"),
    ([{"format": "warehouse-harness/score-1", "metrics": METRICS}], "a score record of harness score: it "
     "holds scores; pass the prediction file that was scored"),
    ([{"format": "warehouse-harness/sealed-score-1", "metrics": METRICS}], "a score record of harness score"),
    ([{"format": "warehouse-harness/leaderboard-1", "entries": []}], "a leaderboard"),
    ([{"format": "warehouse-harness/comparison-1"}], "a comparison of harness compare"),
    ([{"format": "warehouse-harness/predict-1", "model": "m"}], "the identity of a prediction run: pass predictions"),
    ([{"format": "warehouse-harness/rendering-1", "request": {}}], "the description of a rendering"),
    ([{"format": "warehouse-harness/page-2"}], "a file of the harness"),
    ([{"adapter": "canonical", "lines": 3, "problems_total": 0, "problems": []}], "a report of harness validate"),
    ([{"clip_id": clip, "frames": ["0.jpg"], "indices": [0], "times_s": [0.0], "prompt": "?"} for clip in CLIPS[:3]],
     "the list of a rendering's clips, questions without answers"),
    ([row | TRUE for row in ROWS], "the truth (rows of harness world export)"),
    ([{"device": "T4", "predicted_peak_gib": 1.0, "measured_peak_gib": 1.0}], "a training record"),
    ([{"error": {"message": "invalid key", "type": "auth"}}], "an error that a server answered"),
    ([{"detail": "Not Found"}], "an error that a server answered"),
    ([{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}], "a notebook"),
    ([{"splits": ["train", "test"]}], "a part of a data set that Hugging Face datasets saved"),
    ([{"_data_files": [{"filename": "data.arrow"}], "_fingerprint": "f"}], "a part of a data set that Hugging Face"),
    ([{"images": [], "annotations": [], "categories": []}], "annotations in COCO's form"),
    ([{"version": "1.3", "database": {}, "taxonomy": []}], "annotations in ActivityNet's form"),
    ([{"id": 1, "data": {"video": "v"}, "annotations": []}], "annotations of Label Studio"),
    ([{"architectures": ["Q"], "model_type": "q"}], "the configuration of a model"),
    ([{"metadata": {}, "weight_map": {}}], "the configuration of a model"),
    ([{"log_history": [], "global_step": 3}], "the state of a trainer"),
    ([{"$schema": "s", "properties": {}}], "a JSON Schema"),
    ([{"epoch": 3.0, "eval_loss": 0.5, "eval_runtime": 3.2}], "a file of scores without answers: pass the file"),
    ([{"version": 2, "status": "success", "eval": {"task": "t"}, "plan": {}, "stats": {}}],
     "an Inspect log without samples"),
]  # fmt: skip


@pytest.mark.parametrize("objects, message", NO_PREDICTIONS, ids=[row[1][:40] for row in NO_PREDICTIONS])
def test_a_file_that_is_known_by_its_objects(objects, message, truth, tmp_path):
    texts = ["".join(json.dumps(row) + "\n" for row in objects), json.dumps(objects), json.dumps(objects, indent=1)]
    if len(objects) == 1:
        texts[1:] = [json.dumps(objects[0], indent=1)]
    for text in texts:
        _refused(truth, tmp_path, text.encode(), "file", message)


READ = [
    # lines of predictions that share keys with other files
    [{"custom_id": CLIPS[0], "response": {"body": {"choices": [{"message": {"content": json.dumps(ROW)}}]}}}],
    [{"custom_id": CLIPS[0], "result": {"message": {"content": [{"type": "text", "text": json.dumps(ROW)}]}}}],
    [ROW | {"format": "warehouse-harness/mine", "transformers_version": "5", "error": None, "eval_loss": 0.1}],
    [{"clip_id": CLIPS[0], "response": json.dumps(ROW), "frames": [], "prompt": "What?", "times_s": []}],
    [ROW | {"annotations": [], "data": {}, "results": {}, "n-shot": 0}],
]  # fmt: skip


@pytest.mark.parametrize("rows", READ)
def test_predictions_that_share_keys_are_read(rows, truth, tmp_path):
    file = tmp_path / "file"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(truth, file, tmp_path / "scratch", lenient=True).rows == 1
    assert truth.predictions()[CLIPS[0]]["outcome"] == 0


def test_a_stray_line_of_another_kind_refuses_no_file(truth, tmp_path):
    file = tmp_path / "file"
    file.write_text("loss: 3\n" + JSONL.decode() + '{"error": {"message": "timed out"}}\n')
    assert read(truth, file, tmp_path / "scratch", lenient=True).rows == 3


def test_an_adapter_that_is_asked_for_reads_what_it_gets(truth, tmp_path):
    file = tmp_path / "file"
    file.write_text(json.dumps(ROW | TRUE) + "\n")
    assert read(truth, file, tmp_path / "scratch", lenient=True, adapter="canonical").total == 1


FOLDERS = [
    # a file in a folder, what is said of the folder
    (
        "predictions.jsonl.part",
        "it is a run of harness predict that is not finished: the same command asks about the rest; its "
        "predictions.jsonl.part holds the answers so far",
    ),
    ("predictions.jsonl", "it is an entry: pass its predictions.jsonl"),
    (
        "dataset_dict.json",
        "it is a data set that Hugging Face datasets saved: load it, and write its rows with to_json",
    ),
    ("index.json", "it is a rendering, questions without answers"),
    ("else", "is a directory, expected a prediction file"),
]


@pytest.mark.parametrize("name, message", FOLDERS)
def test_a_folder_says_what_to_pass(name, message, truth, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(UsageError) as refused:
        read(truth, tmp_path, tmp_path / "scratch")
    assert "is a directory" in str(refused.value) and message in str(refused.value)


def test_every_row_is_tested():
    said = " ".join(message for *_, message in BINARY) + " ".join(message for _, message in NO_PREDICTIONS)
    known = [other.what[:18] for other in (*ARCHIVES, *BYTES, *OBJECTS)]
    rare = ("compress data (.Z)", "a DuckDB database", "a SQLite database", "an Access database", "a picture, sound")
    assert [what for what in known if what not in said and not what.startswith(tuple(text[:16] for text in rare))] == []
    assert issubclass(SubmissionError, HarnessError) and SubmissionError("").exit_code == 2
