"""Tables as people write them: texts in columns, cells of all kinds, broken rows, types and sizes of Parquet, Excel."""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile

import duckdb
import pytest

from harness.errors import SubmissionError, UsageError
from harness.ingestion.formats import tables
from harness.ingestion.submission_file import Limits, open_submission
from tests.support.small_truth import CLIPS, read, small_truth

FLAT = ["clip_id", "dominant_operation", "start_frame", "end_frame", "next_operation"]
ONE, TWO = CLIPS[:2]
SAID = json.dumps(
    {
        "dominant_operation": "Tape",
        "temporal_segment": {"start_frame": 14, "end_frame": 98},
        "next_operation": "Put Items",
    },
    indent=1,
)
TAPE = (0, 2, 14, 98, 3)  # outcome and answer
ABSTAINS = (0, 2, None, None, 3)
INVALID = (2, None, None, None, None)


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


@pytest.fixture
def ingest(truth, tmp_path):
    """Function that reads a file, given as text or written already, and returns the report and the answers by clip."""

    def read_answers(text=None, **options):
        if text is not None:
            (tmp_path / "file").write_bytes(text if isinstance(text, bytes) else text.encode())
        found = read(truth, tmp_path / "file", tmp_path, **{"lenient": True, **options})
        fields = ("outcome", "operation", "start_frame", "end_frame", "next_operation")
        return found, {clip: tuple(row[name] for name in fields) for clip, row in truth.predictions().items()}

    return read_answers


def table(*rows, mark=",", quoting=csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator="\n", quoting=quoting).writerows(rows)
    return text.getvalue()


TEXT_NAMES = ["raw_output", "prediction", "Response", "generated_text", "model_answer", "output", "text", "pred"]


@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize("name", TEXT_NAMES)
def test_the_models_text_in_a_column(name, mark, ingest):
    text = table(["clip_id", "question", name], *([clip, "What, then?", SAID] for clip in (ONE, TWO)), mark=mark)
    found, answers = ingest(text)
    assert (found.adapter, found.total, answers) == ("csv", 0, {ONE: TAPE, TWO: TAPE})


TEXT_TABLES = [
    # header, row, answer, codes, why
    (["clip_id", "prediction", "label"], [ONE, SAID, "Pack"], TAPE, [], "a target beside the model's text"),
    (["clip_id", "prediction", "answer"], [ONE, SAID, "Pack"], INVALID, ["CONFLICT"], "answer may be the target"),
    (["clip_id", "answer", "ground_truth"], [ONE, SAID, "Pack"], INVALID, ["CONFLICT"], "the target is known"),
    (["clip_id", "prediction", "error"], [ONE, "", "timeout"], INVALID, ["MISSING"], "an empty reply"),
    (["clip_id", "prediction"], [ONE, "no idea"], (1, None, None, None, None), [], "a text without an answer"),
    ([*FLAT, "response"], [ONE, "Tape", 14, 98, "Put Items", SAID], TAPE, [], "answer columns and their text"),
    ([*FLAT, "response"], [ONE, "Pack", 14, 98, "Put Items", SAID], INVALID, ["CONFLICT"], "another answer"),
    (["clip_id", "messages"], [ONE, json.dumps([{"role": "user", "content": "?"},
     {"role": "assistant", "content": SAID}])], TAPE, [], "turns as JSON"),
    (["clip_id", "conversations"], [ONE, json.dumps([{"from": "gpt", "value": SAID}])], TAPE, [], "LLaVA's turns"),
    (["clip_id", "messages"], [ONE, "Tape"], INVALID, ["MISSING"] * 3, "turns that are none"),
]  # fmt: skip


@pytest.mark.parametrize("header, row, answer, codes, why", TEXT_TABLES, ids=[row[-1] for row in TEXT_TABLES])
def test_a_row_of_text_is_judged_as_a_line_is(header, row, answer, codes, why, ingest):
    found, answers = ingest(table(header, row))
    assert (answers, [problem.code for problem in found.problems]) == ({ONE: answer}, codes)


SEGMENT_CELLS = [
    # cell, the answer's frames or None, what is said of a refused one
    ('{"start_frame": 14, "end_frame": 98}', (14, 98), ""),
    ("{'start_frame': 14, 'end_frame': 98}", (14, 98), "as pandas writes a dict"),
    ("[14, 98]", (14, 98), ""),
    ("null", (None, None), ""),
    ("", (None, None), ""),
    ('{"start_frame": 14.0, "end_frame": 98}', None, "14.0 is no integer"),
    ('{"start_frame": 14, "start_frame": 15, "end_frame": 98}', None, "is a text"),
    ("{'start_frame': 14, 'start_frame': 15, 'end_frame': 98}", None, "is a text"),
    ('{"start_frame": 14}', None, "is not in the object"),
    ("(14, 98)", None, '"(14, 98)" is a text; expected an object with start_frame and end_frame, or null'),
    ("14-98", None, '"14-98" is a text'),
    ("None", None, "leave the cell of a table empty"),
    ("[14, NaN]", None, "is a text"),
    ("[14, 98, 99]", None, "is an array"),
    ("14", None, "is a text"),
]


@pytest.mark.parametrize("cell, frames, wrong", SEGMENT_CELLS)
def test_a_segment_in_one_cell(cell, frames, wrong, ingest):
    header = ["clip_id", "dominant_operation", "temporal_segment", "next_operation"]
    found, answers = ingest(table(header, [ONE, "Tape", cell, "Put Items"]))
    if frames is not None:
        assert (found.total, answers) == (0, {ONE: (0, 2, *frames, 3)})
    else:
        assert answers == {ONE: INVALID} and wrong in found.problems[0].sentence


FRAME_CELLS = [
    # start_frame, what is said
    ("14.0", "14.0 is no integer; expected an integer from 0 to 125; write 14"),
    ("1.4e1", "14.0 is no integer; expected an integer from 0 to 125; write 14"),
    ("14.5", "if these are seconds, a frame is seconds x 25, rounded"),
    ("abc", '"abc" is a text; expected an integer from 0 to 125'),
    ("NaN", "leave the cell of a table empty"),
    ("None", "leave the cell of a table empty"),
    ("<NA>", "leave the cell of a table empty"),
    ("", "null is null; expected an integer"),
    ("True", '"True" is a text'),
    ("-1", "-1 is out of range"),
    ("126", "126 is out of range; expected an integer from 0 to 125; give --fps and --clip-frames"),
    ("9" * 30, "is out of range"),
    ("14,0", '"14,0" is a text'),
]


@pytest.mark.parametrize("cell, said", FRAME_CELLS)
def test_words_for_a_cell_that_is_no_frame(cell, said, ingest):
    found, answers = ingest(table(FLAT, [ONE, "Tape", cell, 98, "Put Items"]))
    (problem,) = found.problems
    assert said in problem.sentence and "quotes" not in problem.sentence
    assert answers == {ONE: INVALID}


def test_all_that_is_wrong_with_a_row_is_said(ingest):
    found, _ = ingest(table(FLAT, ["nobody", "Tape", "14.0", "98.0", "Put Items"]))
    assert [problem.code for problem in found.problems] == ["CLIP_UNKNOWN", "TYPE", "TYPE"]


HEADERS = [
    # a table that is read rightly, why
    (table(["", *FLAT], [0, ONE, "Tape", 14, 98, "Put Items"]), "an index without a name"),
    (table(["", *FLAT], [0, ONE, "Tape", 14, 98, "Put Items"], mark="\t"), "the same with tabs"),
    (table(["", *FLAT], [0, ONE, "Tape", 14, 98, "Put Items"], quoting=csv.QUOTE_ALL), "quotes round all, as R writes"),
    ("\ufeff" + table(FLAT, [ONE, "Tape", 14, 98, "Put Items"], quoting=csv.QUOTE_ALL), "a byte order mark and quotes"),
    (", ".join(FLAT) + f"\n{ONE}, Tape, 14, 98, Put Items\n", "spaces after the commas"),
    (table([*FLAT, "", ""], [ONE, "Tape", 14, 98, "Put Items", "", ""]), "columns without names at the end"),
    (table(FLAT[::-1], ["Put Items", 98, 14, "Tape", ONE], mark=";"), "another order"),
]


@pytest.mark.parametrize("text, why", HEADERS, ids=[why for _, why in HEADERS])
def test_headers_that_are_read(text, why, ingest):
    found, answers = ingest(text)
    assert (found.adapter, found.total, answers) == ("csv", 0, {ONE: TAPE})


WITHOUT_CLIPS = [
    table(["Clip", "Operation"], [ONE, "Tape"], [TWO, "Tape"], mark=";"),
    table([ONE, "Tape", 14, 98, "Pack"], [TWO, "Tape", 14, 98, "Pack"]),
]


@pytest.mark.parametrize("text", WITHOUT_CLIPS)
def test_a_table_without_answers_is_one_message(text, ingest):
    with pytest.raises(SubmissionError) as refused:
        ingest(text)
    first = next(csv.reader([text.splitlines()[0]], delimiter=max(",\t;", key=text.splitlines()[0].count)))
    message = str(refused.value)
    assert "\n" not in message and "a table without a column of answers or of a model's text" in message
    assert all(json.dumps(name) in message for name in first)


OTHER_NAMES = [
    # a table that names clips by another column, as which adapter's rows
    table(["index", "video", "question", "answer", "prediction"], [0, ONE, "?", "Pack", SAID], mark="\t"),
    table(["id", "prediction"], [ONE, SAID]),
    table(["file", "response"], [f"videos/{ONE}.mp4", SAID], mark=";"),
    *(table([name], [json.dumps(json.loads(SAID))]) for name in ("response", "text", "answer", "output", "completion")),
    table(["", "text"], [0, json.dumps(json.loads(SAID))]),
]


@pytest.mark.parametrize("text", OTHER_NAMES)
def test_a_table_names_its_clips_by_any_column(text, ingest):
    found, answers = ingest(text, clip_map=[ONE])
    assert (found.adapter, found.total, list(answers)) == ("csv", 0, [ONE])


NO_TABLES = [
    b"CUDA out of memory, text, output\n" + 3 * b'{"clip_id": "x"}\n',
    b"Loading the model, please wait\nReady.\nSet, go.\n",
    b'"dominant_operation": "Tape", "text": null}\n' + b'{"clip_id": "x"}\n',
    b"2026-11-28 10:00:00,123 INFO\n2026-11-28 10:00:00,124 INFO\n",
    b"clip\nx\n",
    b"",
]


@pytest.mark.parametrize("text", NO_TABLES)
def test_what_is_no_table(text):
    assert tables.find_header(text.splitlines(keepends=True)) is None


def test_lone_carriage_returns_are_named(ingest):
    with pytest.raises(SubmissionError, match="lines end in carriage returns alone"):
        ingest(table(FLAT, [ONE, "Tape", 14, 98, "Put Items"]).replace("\n", "\r"))


def test_rows_of_sample(tmp_path):
    """Rows are spread over the table; what is in the midst of a cell is none."""
    for rows in (5, 100):
        text = table(["", "video", "response"], *([at, clip, SAID] for at, clip in enumerate(CLIPS[:rows])))
        text += table(*([at, clip, "none"] for at, clip in enumerate(CLIPS[rows : 2 * rows])))
        (tmp_path / "t.csv").write_text(text)
        duckdb.sql(f"SELECT clip AS video, 1 AS x FROM unnest({list(CLIPS[:rows])!r}) t(clip)").write_parquet(
            str(tmp_path / "t.parquet")
        )
        for name in ("t.csv", "t.parquet"):
            with open_submission(tmp_path / name, tmp_path) as source:
                found = tables.rows_of_sample(source, 20)
            assert 0 < len(found) <= 20 and {row["video"] for row in found} <= set(CLIPS) and "" not in found[0]
            assert found[-1]["video"] == CLIPS[rows - 1 if name == "t.parquet" else 2 * rows - 1]


GOOD = {
    "plain": [[*FLAT]] + [[clip, "Tape", 14, 98, "Put Items"] for clip in CLIPS[:6]],
    "text": [["clip_id", "response"]] + [[clip, SAID] for clip in CLIPS[:6]],
    "text after a question": [["question", "clip_id", "response"]] + [["What, then?", c, SAID] for c in CLIPS[:6]],
    "text on lines of its own": [["clip_id", "response"]] + [[clip, f"So:\n\n{SAID}\n"] for clip in CLIPS[:6]],
}


def without_last_quote(row: str) -> str:
    before, _, after = row.rpartition('"')
    return before + after


BROKEN = [
    # what is done to a row (one that does not change is left out), why
    (without_last_quote, "a quote never closed"),
    (lambda row: '"' + row if '"' not in row else row, "a quote before the clip, never closed"),
    (lambda row: row.replace(",Tape", ',"Tape', 1), "a quote before a cell, never closed"),
    (lambda row: row.replace("Tape", '"Ta"pe', 1), "quotes inside a cell"),
    (lambda row: row.replace(",Tape,", ',"Tape" ,', 1), "space after a quote"),
    (lambda row: row.replace(",Tape,", ",Ta\rpe,", 1), "a lone carriage return"),
    (lambda row: row.replace("Tape", "T\udcffpe", 1), "a byte that is not UTF-8"),
    (lambda row: row.rstrip("\n") + ",x\n", "a cell too many"),
    (lambda row: row.rpartition(",")[0] + "\n" if '"' not in row else row, "a cell too few"),
    (lambda row: row.replace(ONE[:5], '"' + ONE[:5], 1) if "," in row[:12] else row, "a quote before the clip's cell"),
]


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("broken, why", BROKEN, ids=[why for _, why in BROKEN])
def test_a_broken_row_costs_itself(kind, broken, why, ingest):
    """Wherever it stands, and with another one near: its clip is invalid, the others answer."""
    header, *rows = (table(row) for row in GOOD[kind])
    if broken(rows[0]) == rows[0]:
        return
    for places in ((0,), (2,), (5,), (1, 2), (1, 3), (0, 5)):
        text = header + "".join(broken(row) if at in places else row for at, row in enumerate(rows))
        found, answers = ingest(text.encode(errors="surrogateescape"))
        assert answers == {clip: INVALID if at in places else TAPE for at, clip in enumerate(CLIPS[:6])}, places
        assert found.rejected == len(places)


def test_where_ids_tell_nothing_the_width_does(ingest):
    """Rows of clips that no split knows: the broken one does not swallow the rest."""
    rows = [f"other-{number},Tape,14,98,Pack\n" for number in range(6)]
    rows[2] = 'other-2,"Tape,14,98,Pack\n'
    found, answers = ingest(",".join(FLAT) + "\n" + "".join(rows))
    assert answers == {} and found.codes == {"CLIP_UNKNOWN": 5, "COLUMNS": 1}
    assert "a quote is never closed" in next(p.wrong for p in found.problems if p.code == "COLUMNS")


def test_a_cell_may_span_lines_and_hold_tables(ingest):
    """Lines like rows of another table, in a cell that is closed, are text of that cell."""
    example = table(FLAT, [TWO, "Tape", 14, 98, "Pack"])
    found, answers = ingest(table(["clip_id", "question", "response"], [ONE, f"As in\n{example}?", f"x, y, z\n{SAID}"]))
    assert (found.total, found.lines, answers) == (0, 1, {ONE: TAPE})


def test_a_row_may_be_as_long_as_a_line(ingest):
    """The csv module's own limit of 131,072 characters a cell is none."""
    long = SAID.replace("{", "thinking " * 40_000 + "{", 1)
    text = table(["clip_id", "response"], [ONE, long], [TWO, SAID])
    assert ingest(text)[1] == {ONE: TAPE, TWO: TAPE}
    found, answers = ingest(text, limits=Limits(max_line_bytes=100_000))
    assert answers == {TWO: TAPE} and found.codes == {"TOO_LONG": 1}
    spread = long.replace("thinking ", "thinking\n")
    found, answers = ingest(table(["clip_id", "response"], [ONE, spread], [TWO, SAID]), limits=Limits(100_000))
    assert answers == {ONE: INVALID, TWO: TAPE} and found.rejected == 1


def write_parquet(tmp_path, columns: str, rows: int = 2) -> None:
    clips = "'clip-' || lpad(i::VARCHAR, 4, '0')"
    duckdb.sql(columns.replace("CLIP", clips) + f" FROM range({rows}) t(i)").write_parquet(str(tmp_path / "file"))


ANSWER = "SELECT CLIP AS clip_id, 'Tape' AS dominant_operation, 'Put Items' AS next_operation, "
FRAMES = "14 AS start_frame, 98 AS end_frame"
PARQUET = [
    # columns, the answer, what is said of the first problem
    (f"{ANSWER}{FRAMES}, now() AS t, INTERVAL 1 DAY AS d, MAP{{'a': 1}} AS m, 'x'::BLOB AS image", TAPE, ""),
    (f"{ANSWER}{FRAMES}, 1::DECIMAL(2, 1) AS confidence, 'NaN'::DOUBLE AS latency_ms", TAPE, ""),
    (f"{ANSWER}{{'start_frame': 14, 'end_frame': 98}} AS temporal_segment", TAPE, ""),
    (f"{ANSWER}[14, 98] AS temporal_segment", TAPE, ""),
    (f"{ANSWER}'[14, 98]' AS temporal_segment", TAPE, ""),
    (f"{ANSWER}{{'start_frame': NULL::INT, 'end_frame': NULL::INT}} AS temporal_segment", ABSTAINS, ""),
    (f"{ANSWER}NULL::INT AS start_frame, NULL::INT AS end_frame", ABSTAINS, ""),
    (f"{ANSWER}[14] AS start_frame, 98 AS end_frame", INVALID, "[14] is an array; expected an integer"),
    (f"{ANSWER}{{'a': 14}} AS start_frame, 98 AS end_frame", INVALID, '{"a": 14} is an object'),
    (f"{ANSWER}14 AS start_frame, 98.0::DOUBLE AS end_frame", INVALID, "98.0 is no integer"),
    (f"{ANSWER}'14' AS start_frame, 98 AS end_frame", INVALID, '"14" is a text'),
    (f"SELECT CLIP AS clip_id, $said${SAID}$said$ AS prediction, now() AS t", TAPE, ""),
    (f"SELECT (CLIP)::BLOB AS clip_id, ($said${SAID}$said$)::BLOB AS response", TAPE, ""),
    (f"SELECT CLIP AS clip_id, [{{'role': 'assistant', 'content': $said${SAID}$said$}}] AS messages", TAPE, ""),
    (f"SELECT CLIP AS clip_id, [{{'from': 'gpt', 'value': $said${SAID}$said$}}] AS conversations", TAPE, ""),
    (f"SELECT CLIP AS clip_id, $said${SAID}$said$ AS prediction, 'Pack' AS answer", INVALID, "different texts"),
    (f"{ANSWER}{FRAMES}, 'Pack' AS predicted_operation", INVALID, "which may be the model's own answer"),
    (f"SELECT CLIP AS video, $said${SAID}$said$ AS prediction", TAPE, ""),
]  # fmt: skip


@pytest.mark.parametrize("columns, answer, said", PARQUET)
def test_types_of_parquet(columns, answer, said, ingest, tmp_path):
    write_parquet(tmp_path, columns)
    found, answers = ingest()
    assert answers == {ONE: answer, TWO: answer}
    assert (found.total == 0) if not said else said in found.problems[0].sentence
    for name in ("t", "m", "image"):
        assert any(f'unknown field "{name}"' in note for note in found.notes) == (f" AS {name}," in f"{columns},")


PARQUET_REFUSED = [
    (f"{ANSWER}now() AS start_frame, 98 AS end_frame", {}, "start_frame is of type TIMESTAMP WITH TIME ZONE"),
    (f"{ANSWER}{FRAMES}, true AS next_visible, 'x' AS cut_kind", {}, "this is the truth"),
    ("SELECT CLIP AS video, 1 AS score", {}, 'its columns are "video", "score"'),
    (f"{ANSWER}{FRAMES}", {"adapter": "array"}, "neither an array nor an object"),
    (f"{ANSWER}{FRAMES}", {"limits": Limits(max_lines=1)}, "over the cap of 1 lines (--max-lines)"),
    (f"{ANSWER}{FRAMES}, repeat('x', 100_000) AS raw_output", {"limits": Limits(max_bytes=100_000)}, "(--max-bytes)"),
]


@pytest.mark.parametrize("columns, options, message", PARQUET_REFUSED)
def test_parquet_that_is_refused(columns, options, message, ingest, tmp_path):
    write_parquet(tmp_path, columns)
    with pytest.raises(SubmissionError) as refused:
        ingest(**options)
    assert message in str(refused.value)


def test_adapters_by_name_read_a_table(ingest, tmp_path):
    write_parquet(tmp_path, f"{ANSWER}{FRAMES}")
    for adapter, read_as in (("canonical", "parquet"), ("raw-text", "raw-text")):
        found, answers = ingest(adapter=adapter)
        assert (found.adapter, answers) == (read_as, {ONE: TAPE, TWO: TAPE})
    text = table(["clip_id", "response"], [ONE, SAID])
    for adapter, read_as in (("canonical", "csv"), ("raw-text", "raw-text")):
        found, answers = ingest(text, adapter=adapter)
        assert (found.adapter, answers) == (read_as, {ONE: TAPE})


def test_a_row_of_parquet_over_the_cap_is_one_bad_line(ingest, tmp_path):
    """The cap holds for flat and for nested texts; no range of rows loses one."""
    for text in ("{text} AS response", "[{{'role': 'assistant', 'content': {text}}}] AS messages"):
        said = f"repeat(' ', CASE WHEN i = 3 THEN 200_000 ELSE 90_000 END) || $said${SAID}$said$"
        write_parquet(tmp_path, "SELECT CLIP AS clip_id, " + text.format(text=said), 200)
        found, answers = ingest(limits=Limits(max_line_bytes=100_000))
        assert answers == {clip: INVALID if at == 3 else TAPE for at, clip in enumerate(CLIPS)}
        (problem,) = found.problems
        assert (problem.code, problem.line) == ("TOO_LONG", 4)


def test_rows_of_parquet_are_fetched_in_ranges(monkeypatch, ingest, tmp_path):
    monkeypatch.setattr(tables, "FETCHED_BYTES", 1)
    write_parquet(tmp_path, f"{ANSWER}{FRAMES}", 200)
    assert ingest()[1] == dict.fromkeys(CLIPS, TAPE)


WORKBOOK = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>',
}


def test_a_workbook_needs_openpyxl_and_says_so(monkeypatch, ingest, tmp_path):
    with zipfile.ZipFile(tmp_path / "file", "w") as archive:
        for name, text in WORKBOOK.items():
            archive.writestr(name, text)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match=r"needs openpyxl: pip install -e '\.\[excel\]'.*, or save the sheet as CSV"):
        ingest()


SHEETS = [
    # rows of the sheet, the answers, codes of problems, why
    ([FLAT, [ONE, "Tape", 14, 98.0, "Put Items"], [TWO, "Tape", None, None, "Put Items"]],
     {ONE: TAPE, TWO: ABSTAINS}, [], "numbers and empty cells"),
    ([[], FLAT, [], [ONE, "Tape", "14", 98, "Put Items"]], {ONE: TAPE}, [], "empty rows, a number as text"),
    ([FLAT, [ONE, "Tape", 14.5, 98, "Put Items"]], {ONE: INVALID}, ["TYPE"], "half a frame"),
    ([[None, "clip_id", "prediction"], [0, ONE, SAID], [1, TWO, None]], {ONE: TAPE, TWO: INVALID}, ["MISSING"],
     "texts beside an index"),
]  # fmt: skip
SHEETS_REFUSED = [
    ([[FLAT, [ONE, "Tape", "=7*2", 98, "Put Items"]]], {}, "C2 holds a formula"),
    ([[FLAT, [ONE, "Tape", 14, 98, "Put Items"]], [["x"]]], {}, 'sheets with cells are "Sheet", "Sheet1"'),
    ([[FLAT, [ONE, "Tape", 14, 98, "Put Items", "more"]]], {}, "file:2: cells beyond"),
    ([[["clip_id", "a", "a"], [ONE, 1, 2]]], {}, "distinct names"),
    ([[FLAT, *([clip, "Tape", 14, 98, "Pack"] for clip in CLIPS)]], {"max_lines": 100}, "(--max-lines)"),
    ([[FLAT, *([clip, "Tape", 14, 98, "Pack"] for clip in CLIPS)]], {"max_bytes": 5_000}, "(--max-bytes)"),
]


def write_workbook(path, *sheets) -> None:
    book = pytest.importorskip("openpyxl").Workbook()
    for at, rows in enumerate(sheets):
        sheet = book.create_sheet() if at else book.active
        for row in rows:
            sheet.append(row)
    book.save(path)


@pytest.mark.parametrize("rows, expected, codes, why", SHEETS, ids=[row[-1] for row in SHEETS])
def test_a_workbook_is_read(rows, expected, codes, why, ingest, tmp_path):
    write_workbook(tmp_path / "file", rows)
    found, answers = ingest()
    assert (answers, [problem.code for problem in found.problems]) == (expected, codes)
    if codes:
        assert found.problems[0].line == len(rows), "the row of the sheet"


@pytest.mark.parametrize("sheets, limits, message", SHEETS_REFUSED)
def test_a_workbook_that_is_refused(sheets, limits, message, ingest, tmp_path):
    write_workbook(tmp_path / "file", *sheets)
    with pytest.raises(SubmissionError) as refused:
        ingest(limits=Limits(**limits))
    assert message in str(refused.value)
