"""Submission cards: the reader and the published schema say the same, and nothing is read from outside the folder."""

from __future__ import annotations

import hashlib
import os
import tomllib

import jsonschema
import pytest

from harness.cards import CARD, Card, predictions_of, read_card, write_card
from harness.errors import UsageError
from harness.resources import schema

PREDICTIONS = b'{"clip_id": "a"}\n'
GOOD = {
    "name": '"mine"', "kind": '"model"', "description": '"by hand"', "world": '"w"', "split": '"test"',
    "truth_digest": f'"{"0" * 64}"', "predictions_sha256": f'"{hashlib.sha256(PREDICTIONS).hexdigest()}"',
}  # fmt: skip
FULL = GOOD | {
    "predictions": '"p.jsonl"',
    "uses_truth": "false",
    "model": '"m"',
    "authors": '"a"',
    "date": '"2031-05-06"',
    "license": '"MIT"',
    "url": '"https://example.org"',
    "adapter": '"csv"',
    "fps": "30",
    "clip_frames": "150",
    "lenient": "true",
    "ignore_extra": "true",
    "sample": '"12/0"',
    "shard": '"3/8"',
    "clip_map": '"clip_map.json"',
    "clip_map_sha256": f'"{"2" * 64}"',
    "clean_sha256": f'"{"3" * 64}"',
    "run": '{steps = 3, rate = 2e-4, layers = ["q", "v"], lora = {r = 16}}',
}
SEALED = {key: value for key, value in GOOD.items() if key != "truth_digest"} | {"commitment": f'"{"c" * 64}"'}
METHOD = {key: value for key, value in GOOD.items() if key != "predictions_sha256"} | {
    "runs_sha256": f'["{"a" * 64}", "{"b" * 64}"]'
}


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / CARD).write_text(text, encoding="utf-8")
        (tmp_path / "predictions.jsonl").write_bytes(PREDICTIONS)
        return tmp_path

    return write


def toml(values):
    return "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)


CASES = [
    ("the least a card must say", GOOD, None),
    ("everything a card can say", FULL, None),
    ("name with markup is text", GOOD | {"name": '"<script>{{7*7}}"'}, None),
    ("name in any script", GOOD | {"name": '"模型"'}, None),
    ("frame rate as a fraction", GOOD | {"fps": "29.97"}, None),
    ("an entry that uses the truth is a reference", GOOD | {"kind": '"reference"', "uses_truth": "true"}, None),
    ("a reference need not use it", GOOD | {"kind": '"reference"'}, None),
    ("no name", GOOD | {"name": None}, "missing keys name"),
    ("a clip map without its digest", GOOD | {"clip_map": '"m.json"'}, "belong together"),
    ("a clip map elsewhere", FULL | {"clip_map": '"../m.json"'}, "clip_map = .*same folder"),
    ("no digest of predictions", GOOD | {"predictions_sha256": None}, "missing keys predictions_sha256"),
    ("several missing are all named", {"name": '"x"'}, "missing keys kind, description, world, split"),
    ("misspelt key", GOOD | {"licence": '"MIT"'}, "unknown keys licence .*harness schema card"),
    ("a table", GOOD | {"model": '{name = "x"}'}, "model = .*expected str"),
    ("a run that is no table", GOOD | {"run": '"x"'}, "run = 'x', expected a table"),
    ("a date in the run", GOOD | {"run": "{begun = 2031-05-06}"}, r"run\.begun = .*expected a plain value"),
    ("a date deep in the run", GOOD | {"run": "{a = [{b = 2031-05-06}]}"}, r"run\.a\[0\]\.b = .*a plain value"),
    ("name is a number", GOOD | {"name": "7"}, "name = 7, expected str"),
    ("empty name", GOOD | {"name": '""'}, "expected printable text"),
    ("escape sequence in the name", GOOD | {"name": r'"\u001b[31mred"'}, "expected printable text"),
    ("line feed in the name", GOOD | {"name": r'"a\nb"'}, "expected printable text"),
    ("kind", GOOD | {"kind": '"winner"'}, "expected one of model, baseline, reference"),
    ("truth used without saying what that makes it", GOOD | {"uses_truth": "true"}, "is of kind 'reference'"),
    ("flag as a text", GOOD | {"lenient": '"true"'}, "lenient = 'true', expected bool"),
    ("flag as a number", GOOD | {"lenient": "1"}, "lenient = 1, expected bool"),
    ("frames as a flag", GOOD | {"clip_frames": "true"}, "clip_frames = True, expected int"),
    ("frame rate as a flag", GOOD | {"fps": "true"}, "fps = True, expected float"),
    ("half a frame", GOOD | {"clip_frames": "125.5"}, "clip_frames = 125.5, expected int"),
    ("frame rate 0", GOOD | {"fps": "0"}, "expected positive numbers"),
    ("negative frame rate", GOOD | {"fps": "-25.0"}, "expected positive numbers"),
    ("no frames", GOOD | {"clip_frames": "0"}, "expected positive numbers"),
    ("short digest", GOOD | {"truth_digest": '"abc"'}, "truth_digest = 'abc', expected a sha256"),
    ("digest in capitals", GOOD | {"truth_digest": f'"{"A" * 64}"'}, "expected a sha256"),
    ("digest that runs on", GOOD | {"truth_digest": f'"{"0" * 65}"'}, "expected a sha256"),
    ("a commitment in place of the truth's digest", SEALED, None),
    ("neither", SEALED | {"commitment": None}, "missing keys truth_digest"),
    ("both", SEALED | {"truth_digest": GOOD["truth_digest"]}, "has truth_digest and commitment"),
    ("short commitment", SEALED | {"commitment": '"abc"'}, "commitment = 'abc', expected a sha256"),
    ("empty commitment", SEALED | {"commitment": '""'}, "missing keys truth_digest"),
    ("runs in place of the predictions", METHOD, None),
    ("runs and predictions", METHOD | {"predictions_sha256": GOOD["predictions_sha256"]}, "one file or the runs of a"),
    ("a run without a digest", METHOD | {"runs_sha256": '["abc"]'}, r"runs_sha256\[0\] = 'abc', expected a sha256"),
    ("runs as a text", METHOD | {"runs_sha256": '"abc"'}, "runs_sha256 = 'abc', expected a list of texts"),
    ("commitment as a number", SEALED | {"commitment": "7"}, "commitment = 7, expected str"),
    ("predictions above the folder", GOOD | {"predictions": '"../p.jsonl"'}, "a file name in the same folder"),
    ("predictions anywhere", GOOD | {"predictions": '"/etc/passwd"'}, "a file name in the same folder"),
    ("predictions in a folder below", GOOD | {"predictions": '"x/p.jsonl"'}, "a file name in the same folder"),
    ("predictions the folder itself", GOOD | {"predictions": '"."'}, "a file name in the same folder"),
    ("predictions its parent", GOOD | {"predictions": '".."'}, "a file name in the same folder"),
    ("predictions with a NUL", GOOD | {"predictions": r'"a\u0000b"'}, "a file name in the same folder"),
    ("predictions without a name", GOOD | {"predictions": '""'}, "a file name in the same folder"),
]


@pytest.mark.parametrize(("why", "values", "message"), CASES, ids=[case[0] for case in CASES])
def test_reader_and_schema_agree(why, values, message, write):
    folder = write(toml(values))
    validator = jsonschema.Draft202012Validator(schema("card"))
    assert validator.is_valid(tomllib.loads(toml(values))) is (message is None), why
    if message is None:
        read_card(folder)
    else:
        with pytest.raises(UsageError, match=message):
            read_card(folder)


def test_the_schema_knows_every_key():
    assert set(schema("card")["properties"]) == set(FULL | SEALED | METHOD) == set(Card.__dataclass_fields__)


UNREADABLE = [
    ("not TOML", "name =\n", "Invalid value"),
    ("key twice", 'name = "a"\nname = "b"\n', "Cannot overwrite"),
    ("nested 100,000 deep", "a = " + "[" * 100_000, "nested too deep"),
]


@pytest.mark.parametrize(("why", "text", "message"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_unreadable(why, text, message, write):
    with pytest.raises(UsageError, match=message):
        read_card(write(text))


def test_a_run_that_never_ends(write):
    """Dotted keys nest without brackets: above 64 the file is not parsed, above 16 a run is refused."""
    with pytest.raises(UsageError, match="nested too deep"):
        read_card(write(toml(GOOD | {f"run{'.a' * 5000}": "1"})))
    with pytest.raises(UsageError, match="is nested deeper than 16"):
        read_card(write(toml(GOOD | {f"run{'.a' * 20}": "1"})))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_run_holds_finite_numbers(value, write):
    with pytest.raises(UsageError, match=r"run\.loss = .*expected a finite number"):
        read_card(write(toml(GOOD | {"run": f"{{loss = {value}}}"})))


def test_not_utf8(write):
    folder = write("")
    (folder / CARD).write_bytes(b'name = "\xff"')
    with pytest.raises(UsageError, match="not UTF-8"):
        read_card(folder)


def test_no_card(tmp_path):
    with pytest.raises(UsageError, match=r"card\.toml: No such file"):
        read_card(tmp_path)


def test_what_is_read_is_what_was_written(tmp_path):
    card = Card(
        'näme "q" \\ <b>', "model", "d", "w", "test", "0" * 64, "1" * 64, fps=29.97, lenient=True, adapter="csv"
    )
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card
    assert "authors" not in (tmp_path / CARD).read_text()  # a default is not written


RUNS = [
    ({"steps": 3, "rate": 2e-4, "tiny": 1e-300, "on": True, "name": 'a "b" \\ \x7f\n'}, "scalars"),
    ({"lora": {"r": 16, "target": {"names": ["q", "v"]}}, "after": 1}, "tables, and what stands behind them"),
    ({"odd key.": {"": 1, "ключ": [1, "a", {"x": {"y": []}}]}}, "keys that need quotes, lists of tables"),
    ({"empty": {}, "none": []}, "empty ones"),
]


@pytest.mark.parametrize(("run", "why"), RUNS, ids=[case[1] for case in RUNS])
def test_a_run_is_read_as_it_was_written(run, why, tmp_path):
    card = Card("a", "model", "d", "w", "test", "0" * 64, "1" * 64, run=run)
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card, why
    jsonschema.validate(tomllib.loads((tmp_path / CARD).read_text()), schema("card"))


def test_a_card_asks_for_the_options_of_score(tmp_path):
    card = Card("a", "model", "d", "w", "test", "0" * 64, "1" * 64)
    assert set(card.ingestion(tmp_path).values()) == {None, False}
    asked = Card(
        "a", "model", "d", "w", "test", "0" * 64, "1" * 64, fps=30.0, clip_frames=150, adapter="csv", lenient=True
    )
    expected = {"adapter": "csv", "fps": 30.0, "clip_frames": 150, "lenient": True, "ignore_extra": False}
    expected |= {"clip_map": None, "sample": None}
    assert asked.ingestion(tmp_path) == expected


def test_predictions_are_those_the_card_was_made_for(write):
    folder = write(toml(GOOD))
    card = read_card(folder)
    assert predictions_of(folder, card) == folder / "predictions.jsonl"
    (folder / "predictions.jsonl").write_bytes(PREDICTIONS + b"\n")
    with pytest.raises(UsageError, match=r"sha256 is .*, the card says"):
        predictions_of(folder, card)
    (folder / "predictions.jsonl").unlink()
    with pytest.raises(UsageError, match=r"predictions\.jsonl: No such file"):
        predictions_of(folder, card)


@pytest.mark.parametrize(
    ("make", "reason"), [(os.mkfifo, "not a regular file"), (os.mkdir, "is a directory")], ids=["pipe", "folder"]
)
def test_predictions_that_are_no_file(make, reason, write):
    folder = write(toml(GOOD))
    (folder / "predictions.jsonl").unlink()
    make(folder / "predictions.jsonl")
    with pytest.raises(UsageError, match=reason):
        predictions_of(folder, read_card(folder))
