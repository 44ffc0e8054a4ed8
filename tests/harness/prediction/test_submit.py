"""Entries made of files: what is copied and what the card says, what is refused, and that the board then shows it.

The world has twelve sessions of five equal clips; `right.jsonl` is right on all of them.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tomllib
from dataclasses import replace

import pytest

import harness
from harness.cards import CLEAN, predictions_of, read_card, write_card
from harness.comparison.board_text import skipped_lines
from harness.errors import SubmissionError, UsageError
from harness.ingestion.submission_file import split_ending
from harness.report.exports import texts
from tests.support import hand

WORLD = "submit"


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    home = tmp_path_factory.mktemp("submit")
    rows = hand.grid(12, 5)
    hand.world(WORLD, rows, home, home)
    return home, rows


@pytest.fixture
def place(rows, tmp_path, monkeypatch):
    home, rows = rows
    monkeypatch.setenv("HARNESS_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    hand.write(tmp_path / "right.jsonl", [hand.right(row) for row in rows])
    return tmp_path


def submit(file, name, **choices):
    return harness.submit(file, name=name, world=WORLD, **choices)


def board(folder="submissions", **choices):
    return harness.leaderboard(folder, world=WORLD, **choices)


def test_an_entry_is_the_file_a_card_and_its_score(place):
    made = submit("right.jsonl", "my-vlm", description="by hand")
    assert sorted(path.name for path in (place / "submissions" / "my-vlm").iterdir()) == [
        "card.toml",
        "predictions.jsonl",
    ]
    card = read_card(place / "submissions" / "my-vlm")
    assert card == made.card
    assert (card.name, card.kind, card.description, card.world) == ("my-vlm", "model", "by hand", WORLD)
    assert card.truth_digest == made.score.record["truth_digest"]
    assert predictions_of(made.folder, card).read_bytes() == (place / "right.jsonl").read_bytes()
    assert made.score.metrics["score"].value == 1
    shown = board()
    assert [row["name"] for row in shown["entries"]] == ["my-vlm"] and not shown["skipped"]
    assert shown["entries"][0]["metrics"] == made.score.record["metrics"]


def test_answers_to_clean_pictures_are_checked_copied_and_kept(place, rows):
    """Kept where the entry is made anew of its own file, and gone with another file that has none."""
    (place / "c.jsonl").write_text((place / "right.jsonl").read_text())
    made = submit("right.jsonl", "twice", clean="c.jsonl")
    assert (made.folder / CLEAN).read_bytes() == (place / "c.jsonl").read_bytes()
    assert made.card.clean_sha256 == read_card(made.folder).clean_sha256
    assert f"clean:{made.card.clean_sha256[:16]}" in made.score.record["signature"]
    again = submit(made.folder / "predictions.jsonl", "twice", replace=True)
    assert again.card.clean_sha256 == made.card.clean_sha256 and (again.folder / CLEAN).exists()
    other = submit("right.jsonl", "twice", replace=True)
    assert not other.card.clean_sha256 and not (other.folder / CLEAN).exists()
    (place / "c.jsonl").write_text("{}\n")
    with pytest.raises(SubmissionError, match=r"c\.jsonl"):
        submit("right.jsonl", "refused", clean="c.jsonl")
    assert not (place / "submissions" / "refused").exists()


def to_csv(lines):
    head = "clip_id,dominant_operation,start_frame,end_frame,next_operation\n"
    return head + "".join(
        f"{line['clip_id']},{line['dominant_operation']},{line['temporal_segment']['start_frame']},"
        f"{line['temporal_segment']['end_frame']},{line['next_operation']}\n"
        for line in lines
    )


FORMATS = [
    ("mine.json", "predictions.json", lambda lines: json.dumps(lines).encode()),
    ("mine.csv", "predictions.csv", lambda lines: to_csv(lines).encode()),
    ("mine.JSONL", "predictions.jsonl", lambda lines: jsonl(lines)),
    ("mine.v4.1.jsonl.gz", "predictions.jsonl.gz", lambda lines: gzip.compress(jsonl(lines))),
    ("mine.gz", "predictions.jsonl.gz", lambda lines: gzip.compress(jsonl(lines))),
    ("mine.out", "predictions.jsonl", lambda lines: jsonl(lines)),
    ("mine", "predictions.jsonl", lambda lines: jsonl(lines)),
    ("mine.txt", "predictions.txt", lambda lines: to_csv(lines).encode()),
]


def jsonl(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.mark.parametrize(("name", "expected", "write"), FORMATS, ids=[case[0] for case in FORMATS])
def test_a_file_in_any_format_is_an_entry(name, expected, write, place, rows):
    (place / name).write_bytes(write([hand.right(row) for row in rows[1]]))
    made = submit(name, "mine")
    assert made.card.predictions == expected
    shown = board()
    assert shown["broken"] == [] and shown["entries"][0]["metrics"]["score"]["value"] == 1


def test_the_options_of_reading_stand_on_the_card(place, rows):
    """At 20 frames a second Tape is [24, 56) of 100 frames; one line is no prediction, and one of no such clip."""
    lines = [hand.right(row, temporal_segment=hand.segment(24, 56)) for row in rows[1]]
    lines[0]["temporal_segment"] = "soon"
    hand.write(place / "frames.jsonl", [*lines, hand.right(rows[1][0], clip_id="elsewhere")])
    with pytest.raises(SubmissionError):
        submit("frames.jsonl", "frames", clip_frames=100)
    made = submit("frames.jsonl", "frames", clip_frames=100, lenient=True, ignore_extra=True, adapter="canonical")
    said = tomllib.loads((made.folder / "card.toml").read_text())
    expected = {"clip_frames": 100, "lenient": True, "ignore_extra": True, "adapter": "canonical"}
    assert {key: said[key] for key in expected} == expected and "fps" not in said
    assert board()["entries"][0]["metrics"]["tiou50"]["value"] == made.score.metrics["tiou50"].value == 59 / 60


def test_an_entrys_file_is_read_as_its_card_says(place, rows):
    """`score`, `validate`, `report` and `compare` of the file beside a card give what the board gives."""
    lines = [hand.right(row, temporal_segment=hand.segment(12, 28)) for row in rows[1]]
    hand.write(place / "frames.jsonl", lines)
    made = submit("frames.jsonl", "frames", clip_frames=50)
    file = made.folder / made.card.predictions
    scored = harness.score(file, world=WORLD)
    assert scored.metrics["tiou50"].value == made.score.metrics["tiou50"].value == 1
    assert "read as the card.toml beside it says: clip_frames 50" in scored.record["diagnostics"]["notes"]
    assert harness.validate(file, world=WORLD).total == 0
    assert harness.score(file, world=WORLD, clip_frames=125).metrics["tiou50"].value < 1
    assert submit(file, "frames", replace=True).card.clip_frames == 50
    file.write_text(file.read_text() + "\n")
    assert harness.score(file, world=WORLD).metrics["tiou50"].value < 1, "another file than the card's"


def llama_factory(rows) -> list[dict]:
    """Return answers and targets as LLaMA-Factory writes them: no clip is named."""
    texts = [json.dumps({key: value for key, value in hand.right(row).items() if key != "clip_id"}) for row in rows]
    return [{"prompt": "What is done?", "predict": text, "label": text} for text in texts]


def test_a_clip_map_is_part_of_the_entry(place, rows):
    hand.write(place / "generated_predictions.jsonl", llama_factory(rows[1]))
    hand.write(place / "clips.jsonl", [{"clip_id": row["clip_id"], "frames": []} for row in rows[1]])
    with pytest.raises(UsageError, match="pass --clip-map FILE"):
        submit("generated_predictions.jsonl", "mine")
    made = submit("generated_predictions.jsonl", "mine", clip_map="clips.jsonl")
    assert board()["entries"][0]["metrics"]["score"]["value"] == made.score.metrics["score"].value == 1
    (made.folder / "clip_map.json").write_text("[]")
    assert "sha256 is" in board()["broken"][0]["error"]
    submit("right.jsonl", "mine", replace=True)
    assert not (made.folder / "clip_map.json").exists() and board()["broken"] == []


def test_a_map_in_another_order_than_the_targets_is_refused(place, rows):
    lines = [row | {"label": row["label"].replace("Tape", "Pack")} for row in llama_factory(rows[1])]
    hand.write(place / "generated_predictions.jsonl", lines)
    turned = [row["clip_id"] for row in (*rows[1][9:], *rows[1][:9])]
    with pytest.raises(SubmissionError, match=r"targets beside the answers .* order of the file"):
        harness.score("generated_predictions.jsonl", world=WORLD, clip_map=turned)


@pytest.mark.parametrize("choice", ["weights", "rules", "max_lines"])
def test_what_no_card_can_say_is_refused(choice, place):
    value = {"weights": None, "rules": "standard", "max_lines": 7}[choice]
    with pytest.raises(UsageError, match=f"cannot say {choice}"):
        submit("right.jsonl", "mine", **{choice: value})
    assert not (place / "submissions").exists()


def test_a_file_is_refused_as_score_refuses_it(place, rows):
    hand.write(place / "bad.jsonl", [hand.right(rows[1][0], temporal_segment=7), {"clip_id": "no such clip"}])
    messages = []
    for judge in (submit, lambda file, name: harness.score(file, world=WORLD)):
        with pytest.raises(SubmissionError) as refused:
            judge("bad.jsonl", "bad")
        messages.append(str(refused.value))
    assert messages[0] == messages[1] and "nothing was scored" in messages[0]
    assert not (place / "submissions").exists()


NAMES = [
    ("Qwen2.5-VL-3B", None),
    ("模型_4.1+lora", None),
    ("Qwen/Qwen2.5-VL", "such as 'Qwen-Qwen2.5-VL'"),
    ("my vlm", "such as 'my-vlm'"),
    ("..", "expected the name of a folder"),
    (".hidden", "such as 'hidden'"),
    ("-o", "such as 'o'"),
    ("", "expected the name of a folder"),
    ("a\n", "such as 'a'"),
    ("a\x1b[31m", "such as 'a-31m'"),
    ("ends.", "such as 'ends'"),
    ("x" * 300, "expected the name of a folder"),
]


@pytest.mark.parametrize(("name", "message"), NAMES, ids=[repr(case[0])[:20] for case in NAMES])
def test_names_are_safe_names_of_folders(name, message, place):
    if message is None:
        assert submit("right.jsonl", name).folder.name == name
        return
    with pytest.raises(UsageError, match=message):
        submit("right.jsonl", name)
    assert not (place / "submissions").exists()


def test_an_entry_is_replaced_only_on_demand(place, rows):
    (place / "training.json").write_text('{"device": "none"}')
    first = submit("right.jsonl", "mine")
    assert json.loads((first.folder / "training.json").read_text()) == {"device": "none"}
    (place / "training.json").unlink()
    (first.folder / "notes.md").write_text("kept")
    (place / "new.csv").write_text(to_csv([hand.right(row, next_operation="Wrap") for row in rows[1]]))
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    with pytest.raises(UsageError, match="submissions/mine: holds an entry already; --replace replaces it"):
        submit("new.csv", "mine")
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before
    submit("new.csv", "mine", replace=True)
    assert sorted(path.name for path in first.folder.iterdir()) == ["card.toml", "notes.md", "predictions.csv"]
    assert board()["entries"][0]["metrics"]["aa1"]["value"] == 0


def test_predictions_that_lie_in_the_folder_already_get_a_card(place):
    folder = place / "submissions" / "my-vlm"
    folder.mkdir(parents=True)
    shutil.copy(place / "right.jsonl", folder / "answers.jsonl")
    (folder / "training.json").write_text('{"device": "none"}')
    made = submit(folder / "answers.jsonl", "my-vlm")
    assert made.card.predictions == "answers.jsonl"
    assert sorted(path.name for path in folder.iterdir()) == ["answers.jsonl", "card.toml", "training.json"]
    with pytest.raises(UsageError, match="holds an entry already"):
        submit(folder / "answers.jsonl", "my-vlm")
    submit(folder / "answers.jsonl", "my-vlm", replace=True)
    assert [row["name"] for row in board()["entries"]] == ["my-vlm"]


def test_what_a_killed_run_copied_is_no_obstacle(place):
    folder = place / "submissions" / "cut-off"
    folder.mkdir(parents=True)
    shutil.copyfile("right.jsonl", folder / "predictions.jsonl")
    assert submit("right.jsonl", "cut-off").score.metrics["score"].value == 1


def test_predictions_without_a_card_are_not_overwritten(place):
    folder = place / "submissions" / "my-vlm"
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_text("others\n")
    with pytest.raises(UsageError, match="--replace"):
        submit("right.jsonl", "my-vlm")
    (folder / "predictions.jsonl").rename(folder / "predictions.jsonl.part")
    with pytest.raises(UsageError, match="unfinished run of harness predict"):
        submit("right.jsonl", "my-vlm", replace=True)


def test_standard_input_is_no_file(place):
    with pytest.raises(UsageError, match="submit needs a file"):
        submit("-", "mine")


def test_the_frame_rate_of_a_card_counts_beside_its_clip_length(place, rows):
    """Clips of 100 frames are 20 a second where nothing else is said, and 4 s long where the rate is said to be 25.

    Tape is [30, 70). The answer [16, 50) overlaps it by 20 of 54 frames; at 20 a second it is [20, 63), 33 of 50.
    """
    hand.write(place / "a.jsonl", [hand.right(row, temporal_segment=hand.segment(16, 50)) for row in rows[1]])
    for fps in (None, 25.0, 20.0):
        made = submit("a.jsonl", f"fps-{fps}", clip_frames=100, fps=fps)
        read = harness.score("a.jsonl", world=WORLD, clip_frames=100, fps=fps)
        assert made.score.record["metrics"] == read.record["metrics"]
        assert made.card.ingestion(made.folder)["fps"] == fps
    values = {row["name"]: row["metrics"]["tiou50"]["value"] for row in board()["entries"]}
    assert values == {"fps-None": 1, "fps-25.0": 0, "fps-20.0": 1}


SHOWN = [
    ("my-vlm", "no card.toml", "submissions/my-vlm: no card.toml, not shown (harness submit FILE --name my-vlm)"),
    ("my vlm", "no card.toml", "submissions/my vlm: no card.toml, not shown (harness submit FILE --name NAME)"),
]


def test_the_board_says_what_it_does_not_show(place):
    made = submit("right.jsonl", "good")
    folder = place / "submissions"
    for name, _, _ in SHOWN:
        (folder / name).mkdir()
        shutil.copy("right.jsonl", folder / name / "predictions.jsonl")
    (folder / "running").mkdir()
    (folder / "running" / "predictions.jsonl.part").touch()
    shutil.copy("right.jsonl", folder / "gpt-4.1.jsonl")
    (folder / "README.md").touch()
    (folder / ".git").mkdir()
    (folder / "other").mkdir()
    write_card(folder / "other", replace(made.card, split="train"))
    shown = board()
    assert [row["name"] for row in shown["entries"]] == ["good"] and shown["elsewhere"] == 1
    assert {row["name"]: row["reason"] for row in shown["skipped"]} == {
        "gpt-4.1.jsonl": "a file, in no folder of its own",
        "my vlm": "no card.toml",
        "my-vlm": "no card.toml",
        "other": f"for {WORLD} / train",
        "running": "an unfinished run of predict",
    }
    lines = skipped_lines(shown)
    assert {line for _, _, line in SHOWN} < set(lines) and len(lines) == 5
    assert "submissions/gpt-4.1.jsonl --name gpt-4.1)" in lines[0]
    assert "Not shown: submissions/my-vlm: no card.toml" in texts.markdown(shown)
    shutil.move(folder, place / "entries")
    assert "entries/my-vlm: no card.toml, not shown (harness submit FILE --name my-vlm --folder entries)" in (
        skipped_lines(board("entries"))
    )


ENDINGS = [
    ("Qwen2.5-VL-3B.jsonl", "Qwen2.5-VL-3B", ".jsonl"),
    ("Qwen2.5-VL-3B", "Qwen2.5-VL-3B", ""),
    ("gpt-4.1.json", "gpt-4.1", ".json"),
    ("gpt-4.1.parquet.zst", "gpt-4.1", ".parquet.zst"),
    ("gpt-4.1.CSV", "gpt-4.1", ".CSV"),
    ("gpt-4.1.gz", "gpt-4.1", ".gz"),
    ("v1.json.jsonl", "v1.json", ".jsonl"),
    (".jsonl", ".jsonl", ""),
    ("a.csv.v2", "a.csv.v2", ""),
]


@pytest.mark.parametrize(("name", "stem", "ending"), ENDINGS, ids=[case[0] for case in ENDINGS])
def test_only_known_endings_are_cut_from_a_name(name, stem, ending):
    assert split_ending(name) == (stem, ending)
