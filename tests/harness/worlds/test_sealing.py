"""Sealed splits: what leaves them, what does not, and that a reveal proves what it says."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

import harness
from harness.baselines.write import write_baseline
from harness.cli import main
from harness.errors import HarnessError, TruthError, UsageError, WorldError
from harness.worlds import describe, rendering, sealing
from reference.errors import RenderError
from reference.task import OPERATIONS
from reference.truth.catalog import locate
from reference.truth.sealed import make_secret, read_secret
from tests.support import hand

NAME = "tiny-sealed"


@pytest.fixture(scope="module")
def organiser(tmp_path_factory) -> dict[str, Path]:
    """Seal two sessions under a fresh secret, rendered small."""
    folder = tmp_path_factory.mktemp("organiser")
    (folder / "tiny.toml").write_text(hand.tiny_world())
    paths = {"home": folder / "home", "published": folder / "published", "secret": folder / "secret.json"}
    seal(folder / "tiny.toml", paths)
    paths["secret"].with_name("entrants.toml").write_text("[mine]\n[counted]\n")
    write_baseline("constant", folder / "mine.jsonl", world=NAME, home=paths["home"])
    return paths | {"world": folder / "tiny.toml", "mine": folder / "mine.jsonl"}


def seal(world: Path, paths: dict[str, Path], **options):
    places = paths["published"], paths["secret"]
    return sealing.seal(str(world), *places, home=paths["home"], workers=1, size=32, **options)


def test_secret_is_for_its_owner_alone(organiser):
    assert organiser["secret"].stat().st_mode & 0o777 == 0o600
    secret = json.loads(organiser["secret"].read_text())
    assert {len(secret[key]) for key in ("secret", "salt")} == {64}
    organiser["secret"].chmod(0o644)
    try:
        with pytest.raises(WorldError, match="others can read it"):
            seal(organiser["world"], organiser)
    finally:
        organiser["secret"].chmod(0o600)


def test_sealing_again_changes_nothing(organiser):
    before = locate(NAME, organiser["home"]).seal.commitment
    assert seal(organiser["world"], organiser).commitment == before


def test_what_is_published_holds_no_truth_and_no_secret(organiser):
    names = {path.name for path in organiser["published"].iterdir()}
    assert names == {"clips.jsonl", "frames", "commitment.json", "world.toml", "render.json", "index.json"}
    secret = json.loads(organiser["secret"].read_text())
    texts = [path.read_text() for path in organiser["published"].glob("*.*")]
    for value in secret.values():
        assert not any(value in text for text in texts)
    rows = [json.loads(line) for line in (organiser["published"] / "clips.jsonl").read_text().splitlines()]
    assert len(rows) == 24
    assert {key for row in rows for key in row} == {"clip_id", "frames", "indices", "times_s", "prompt"}
    assert [row["clip_id"] for row in rows] == sorted(row["clip_id"] for row in rows)


def score(paths, **options):
    return harness.score(paths["mine"], world=NAME, home=paths["home"], **options)


def test_four_numbers_leave(organiser):
    record = score(organiser, entrant="mine").record
    assert set(record["metrics"]) == {"oca", "tiou50", "aa1", "score"}
    for row in record["metrics"].values():
        assert set(row) == {"value", "low", "high"}
        assert all(value is None or value == round(value, 3) for value in row.values())
    for key in ("slices", "modes", "funnel", "audit", "sections", "truth_digest", "temporal", "operation"):
        assert key not in record
    whole = score(organiser, organiser=True).record
    assert whole["metrics"]["aa1"]["value"] == pytest.approx(record["metrics"]["aa1"]["value"], abs=0.0005)
    assert whole["truth_digest"][:16] not in json.dumps(record)
    assert whole["truth_public"] is False


def test_scorings_are_logged_by_name(organiser):
    with pytest.raises(UsageError, match="--as NAME takes one"):
        score(organiser)
    first = score(organiser, entrant="counted").record["scorings"]
    again = score(organiser, entrant="counted").record["scorings"]
    other = organiser["mine"].with_name("other.jsonl")
    other.write_text(organiser["mine"].read_text() + "\n")
    second = harness.score(other, world=NAME, home=organiser["home"], entrant="counted").record["scorings"]
    assert (first, again, second) == (1, 1, 2)  # the same file is scored once
    log = [json.loads(line) for line in locate(NAME, organiser["home"]).seal.log.read_text().splitlines()]
    assert [row["name"] for row in log].count("counted") == 2
    assert all(len(row["sha256"]) == 64 for row in log)


REFUSED = [
    ("clips", lambda o, path: score(o, entrant="mine").clips),
    ("oracle", lambda o, path: write_baseline("oracle", path, world=NAME, home=o["home"])),
    ("transition-prior", lambda o, path: write_baseline("transition-prior", path, world=NAME, home=o["home"])),
    ("truth-copy", lambda o, path: write_baseline("truth-copy", path, world=NAME, home=o["home"])),
    ("export", lambda o, path: describe.export(NAME, "test", path, include_test=True, home=o["home"])),
    ("info", lambda o, path: describe.describe(NAME, home=o["home"])),
    ("compare", lambda o, path: compared(o, False)),
]


@pytest.mark.parametrize(("what", "call"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_does_not_leave(what, call, organiser, tmp_path):
    with pytest.raises(UsageError, match="sealed"):
        call(organiser, tmp_path / "x.jsonl")
    assert not list(tmp_path.iterdir())


def compared(organiser, allowed: bool):
    from harness.scoring.request import Request

    request = Request(world=NAME, home=organiser["home"], organiser=allowed)
    return harness.compare(organiser["mine"], "whole-clip", request=request)


def test_organiser_sees_everything(organiser, tmp_path):
    assert len(score(organiser, organiser=True).clips) == 24
    assert describe.describe(NAME, home=organiser["home"], organiser=True)["n"] == 24
    assert compared(organiser, True)["pairs"]


def test_written_record_is_the_public_one(organiser, tmp_path):
    score(organiser, entrant="mine").write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["score.json"]
    assert "slices" not in json.loads((tmp_path / "score.json").read_text())


def revealed(organiser) -> tuple[str, str]:
    said = sealing.reveal(NAME, home=organiser["home"])
    return said["secret"], said["salt"]


def test_reveal_is_checked_by_a_stranger(organiser, tmp_path):
    """Another machine has no registered split and another home: it knows what was published and revealed, no more."""
    checked = sealing.check_reveal(organiser["published"], *revealed(organiser), workers=1, home=tmp_path / "home")
    assert checked.valid and len(checked.claims) == 3


def test_another_secret_or_salt_does_not_pass(organiser, tmp_path):
    secret, salt = revealed(organiser)
    other = "00" * 32
    for values, expected in (((secret, other), [True, True, False]), ((other, salt), [False, False, False])):
        checked = sealing.check_reveal(organiser["published"], *values, workers=1, home=tmp_path)
        assert [agrees for _, agrees in checked.claims] == expected
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        sealing.check_reveal(organiser["published"], "00", salt, home=tmp_path)


def test_reveal_writes_what_check_reveal_reads(organiser, tmp_path):
    """The file is found by its path, in the published folder, and with the folder that it lies in."""
    published, home = tmp_path / "published", organiser["home"]
    shutil.copytree(organiser["published"], published)
    printed = sealing.reveal(NAME, tmp_path / "mine.json", home=home)
    assert json.loads((tmp_path / "mine.json").read_text()) == printed
    sealing.reveal(NAME, published / "reveal.json", home=home)
    secret = read_secret(organiser["secret"])
    for place, file in ((published, tmp_path / "mine.json"), (published, None), (published / "reveal.json", None)):
        assert sealing.revealed_secret(place, revealed=file) == (published, secret)
    assert sealing.check_reveal(published, workers=1, home=tmp_path / "home").valid


def test_reveal_overwrites_nothing(organiser, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    for file in (organiser["secret"], notes):
        before = file.read_bytes()
        with pytest.raises(UsageError, match="holds something else"):
            sealing.reveal(NAME, file, home=organiser["home"])
        assert file.read_bytes() == before


def other_name(organiser, folder):
    path = folder / "reveal.json"
    path.write_text(json.dumps(sealing.reveal(NAME, home=organiser["home"]) | {"name": "another"}))
    return folder, {}


def other_version(organiser, folder):
    path = folder / "render.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": "0" * 16}))
    return folder, {"secret": "00" * 32, "salt": "00" * 32}


def other_folder(organiser, folder):
    sealing.reveal(NAME, folder.parent / "alone.json", home=organiser["home"])
    return folder.parent / "alone.json", {}


UNREADABLE_REVEALS = [
    ("no file", lambda _, folder: (folder, {}), "reveal.json: no such file"),
    ("another split's", other_name, "reveals name 'another', .* is 'tiny-sealed'"),
    ("another version's pictures", other_version, "version of the harness that sealed it"),
    ("a file without its folder", other_folder, "name the published folder too"),
    ("a secret without a salt", lambda _, folder: (folder, {"secret": "00" * 32}), "--secret and --salt together"),
    ("no secret", lambda _, folder: (folder, {"revealed": folder / "index.json"}), "expected secret and salt"),
]


@pytest.mark.parametrize(("why", "made", "message"), UNREADABLE_REVEALS, ids=[case[0] for case in UNREADABLE_REVEALS])
def test_what_cannot_be_checked_is_said(why, made, message, organiser, tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(organiser["published"], folder)
    place, choices = made(organiser, folder)
    with pytest.raises(UsageError, match=message):
        sealing.check_reveal(place, home=tmp_path / "home", **choices)


def swap_a_picture(folder: Path) -> None:
    first, second = sorted((folder / "frames").rglob("*.jpg"))[:2]
    first.write_bytes(second.read_bytes())


def drop_a_clip(folder: Path) -> None:
    lines = (folder / "clips.jsonl").read_text().splitlines(keepends=True)
    (folder / "clips.jsonl").write_text("".join(lines[1:]))


def other_durations(folder: Path) -> None:
    text = (folder / "world.toml").read_text()
    (folder / "world.toml").write_text(text.replace("1340, 2160", "1341, 2160"))


CHANGED = [
    ("a picture", swap_a_picture, "the pictures are the ones published"),
    ("a clip", drop_a_clip, "the clips are the ones published"),
    ("the world", other_durations, "what the secret makes is what was committed to"),
]


@pytest.mark.parametrize(("what", "change", "expected"), CHANGED, ids=[case[0] for case in CHANGED])
def test_what_was_changed_afterwards_is_found(what, change, expected, organiser, tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(organiser["published"], folder)
    change(folder)
    checked = sealing.check_reveal(folder, *revealed(organiser), workers=1, home=tmp_path / "home")
    assert not dict(checked.claims)[expected]
    assert not checked.valid


def test_train_cannot_be_sealed(organiser, tmp_path):
    with pytest.raises(WorldError, match="published to learn from"):
        seal(organiser["world"], organiser, split="train", name="x")


def test_an_imported_world_keeps_its_name(organiser, tmp_path):
    """An imported world comes first where a name is looked up: scorings would be of the wrong truth."""
    hand.world("mine", hand.grid(1, 1), tmp_path, tmp_path / "home")
    paths = {"home": tmp_path / "home", "published": tmp_path / "new", "secret": tmp_path / "new.json"}
    with pytest.raises(WorldError, match="'mine' is the name of an imported world"):
        seal(organiser["world"], paths, name="mine")
    assert not paths["published"].exists() and not paths["secret"].exists()


SINGLE_OUT = [
    ("rules that drop what is missing", {"rules": "drop-missing"}),
    ("weights of one metric alone", {"weights": harness.Weights(oca=1.0, tiou50=0.0, aa1=0.0)}),
]


@pytest.mark.parametrize(("why", "options"), SINGLE_OUT, ids=[case[0] for case in SINGLE_OUT])
def test_no_clip_can_be_singled_out(why, options, organiser):
    with pytest.raises(UsageError, match="other rules or weights"):
        score(organiser, entrant="mine", **options)


def contents(*folders: Path) -> dict[Path, bytes]:
    """Return all files but the key of the user's truth databases."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "key")
    return {path: path.read_bytes() for path in files}


def missing(organiser, scratch):
    return {"secret": scratch / "secrte.json"}


def another(organiser, scratch):
    make_secret(scratch / "another.json")
    return {"secret": scratch / "another.json"}


def missing_and_another_folder(organiser, scratch):
    return missing(organiser, scratch) | {"published": scratch / "new"}


def another_and_another_folder(organiser, scratch):
    return another(organiser, scratch) | {"published": scratch / "new"}


def missing_on_another_machine(organiser, scratch):
    return missing(organiser, scratch) | {"home": scratch / "home"}


def another_on_another_machine(organiser, scratch):
    return another(organiser, scratch) | {"home": scratch / "home"}


def another_of_an_interrupted_rendering(organiser, scratch):
    """Neither list nor commitment is there yet: the folders of the clips tell whose they are."""
    shutil.copytree(organiser["published"], scratch / "cut")
    for name in ("clips.jsonl", "commitment.json", "index.json"):
        (scratch / "cut" / name).unlink()
    return another_on_another_machine(organiser, scratch) | {"published": scratch / "cut"}


def another_salt(organiser, scratch):
    """The pictures are the same, the commitment is not."""
    secret = json.loads(organiser["secret"].read_text())
    (scratch / "salt.json").touch(mode=0o600)
    (scratch / "salt.json").write_text(json.dumps(secret | {"salt": "00" * 32}))
    return {"secret": scratch / "salt.json", "home": scratch / "home"}


def inside_what_is_published(organiser, scratch):
    return {"secret": organiser["published"] / "secret.json"}


MISTYPED = [
    (missing, "no such secret; tiny-sealed was sealed under"),
    (another, "is another secret than that of tiny-sealed"),
    (missing_and_another_folder, "no such secret; tiny-sealed was sealed under"),
    (another_and_another_folder, "is another secret than that of tiny-sealed"),
    (missing_on_another_machine, "a new one is made for a new folder only"),
    (another_on_another_machine, "was rendered under another secret"),
    (another_of_an_interrupted_rendering, "was rendered under another secret"),
    (another_salt, "is another commitment"),
    (inside_what_is_published, "keep the secret elsewhere"),
]


@pytest.mark.parametrize(("wrong", "message"), MISTYPED, ids=[case[0].__name__ for case in MISTYPED])
def test_a_mistyped_secret_destroys_nothing(wrong, message, organiser, tmp_path):
    """Everything is compared before anything is written: no picture, no list, no secret, no registration."""
    paths = organiser | wrong(organiser, tmp_path)
    before = contents(tmp_path, organiser["published"], organiser["home"] / "sealed")
    with pytest.raises(WorldError, match=message):
        seal(organiser["world"], paths)
    assert contents(tmp_path, organiser["published"], organiser["home"] / "sealed") == before


def test_a_secret_may_move(organiser, tmp_path):
    """What is compared is the secret, not its path; where it cannot be read, only its split cannot be used."""
    rows = describe.list_splits(organiser["home"])
    moved = tmp_path / "moved.json"
    organiser["secret"].rename(moved)
    try:
        listed = describe.list_splits(organiser["home"])
        assert [row | {"note": ""} for row in listed[:-1]] == rows[:-1]
        assert (listed[-1]["world"], listed[-1]["split"]) == (NAME, "test")
        assert "its secret cannot be read" in listed[-1]["note"] and "secret.json" in listed[-1]["note"]
        with pytest.raises(WorldError, match="tiny-sealed is sealed, and its secret cannot be read"):
            locate(NAME, organiser["home"])
        seal(organiser["world"], organiser | {"secret": moved})
        assert describe.list_splits(organiser["home"]) == rows
    finally:
        moved.rename(organiser["secret"])
        seal(organiser["world"], organiser)


def test_a_damaged_registration_hides_no_other_world(organiser, tmp_path):
    (tmp_path / "sealed" / "bad").mkdir(parents=True)
    (tmp_path / "sealed" / "bad" / "seal.json").write_text("{")
    (tmp_path / "worlds" / "worse").mkdir(parents=True)
    (tmp_path / "worlds" / "worse" / "world.json").write_text("[")
    notes = {row["world"]: row["note"] for row in describe.list_splits(tmp_path)}
    assert (
        "remove it and seal bad again" in notes["bad"]
        and "import worse again" in notes["worse"]
        and notes["warehouse-v2"] == ""
    )


# An entrant's machine: the published folder, and no registration


@pytest.fixture
def entrant(organiser, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return organiser["published"]


def right_shape(question):
    assert question.frames.shape == (8, 32, 32, 3) and question.prompt
    return {
        "dominant_operation": "Tape",
        "temporal_segment": {"start_frame": 0, "end_frame": 60},
        "next_operation": "Label",
    }


def test_an_entrant_validates_predicts_and_submits(organiser, entrant, tmp_path, capsys, monkeypatch):
    """The entry that leaves is scored on the organiser's machine: its card pins the commitment."""
    made = harness.predict(right_shape, "entries/mine", world=entrant, wants=harness.Wants(size=32))
    assert (made.answered, made.expected, made.published) == (24, 24, True)
    found = harness.validate(made.path, world=entrant / "world.toml")
    assert (found.rows, found.clips, found.total) == (24, 24, 0)
    wrong = hand.write(tmp_path / "wrong.jsonl", [{"clip_id": "x", "dominant_operation": "Tape"}])
    assert "CLIP_UNKNOWN" in harness.validate(wrong, world=entrant).codes
    half = hand.write(tmp_path / "half.jsonl", [json.loads(line) for line in made.path.read_text().splitlines()[:12]])
    for words in (["validate", str(half)], ["submit", str(half), "--name", "half", "--folder", "entries"]):
        monkeypatch.setattr(sys, "argv", ["harness", *words, "--world", str(entrant)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        assert "answer 12 of 24 clips of tiny-sealed" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "entries" / "half").exists()
    file = shutil.copy(made.path, tmp_path / "file.jsonl")
    submitted = harness.submit(file, name="again", folder="entries", world=entrant)
    commitment = locate(NAME, organiser["home"]).commitment
    assert submitted.score is None and submitted.card.commitment == commitment and submitted.card.world == NAME
    from harness.scoring.request import Request

    board = harness.leaderboard("entries", request=Request(world=NAME, home=organiser["home"], organiser=True))
    assert {row["name"] for row in board["entries"]} == {"mine", "again"} and not board["broken"]


@pytest.mark.parametrize("side", ["organiser", "entrant"])
def test_a_part_of_a_sealed_split_is_neither_sent_nor_scored(side, organiser, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(organiser["home"] if side == "organiser" else tmp_path / "home"))
    world = NAME if side == "organiser" else str(organiser["published"])
    told = {}
    for limit in (23, 24):
        words = [
            "--model",
            "baseline:constant",
            "--world",
            world,
            "--limit",
            str(limit),
            "-o",
            str(tmp_path / f"{limit}"),
        ]
        monkeypatch.setattr(sys, "argv", ["harness", "predict", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        told[limit] = capsys.readouterr().out
    assert "--fresh without --limit answers all" in told[23]
    advice = "harness score" if side == "organiser" else "send "
    assert advice not in told[23] and advice in told[24]


def test_json_says_what_the_exit_code_says(organiser, tmp_path, capsys, monkeypatch):
    """A file has no score for its problems, or for too few answers; a program reads the same reason as a person."""
    lines = [json.loads(line) for line in organiser["mine"].read_text().splitlines()]
    wrong = [*lines[:-1], lines[-1] | {"temporal_segment": 7}]
    monkeypatch.setenv("HARNESS_HOME", str(organiser["home"]))
    for name, rows, refusal in (
        ("all", lines, ""),
        ("few", lines[:12], "answer 12 of 24"),
        ("wrong", wrong, "1 problem"),
    ):
        file = hand.write(tmp_path / f"{name}.jsonl", rows)
        monkeypatch.setattr(sys, "argv", ["harness", "validate", str(file), "--world", NAME, "--format", "json"])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        report = json.loads(captured.out)
        assert bool(stopped.value.code) == bool(report["refusal"]) == bool(refusal)
        assert refusal in report["refusal"] and report["refusal"] in captured.err


def test_an_entrant_learns_what_is_published(organiser, entrant):
    found = describe.describe(entrant)
    assert (found["world"], found["n"], found["sessions"], found["kind"]) == (NAME, 24, 6, "published")
    assert found["operations"] == [label for label in OPERATIONS if label != "Unknown"]  # no clip has that label
    assert found["pictures"] == {"form": "frames", "frames": 8, "sampler": "uniform", "size": 32, "image": "jpg"}


NOT_HERE = [
    ("score", lambda folder, file: harness.score(file, world=folder)),
    ("score with a name", lambda folder, file: harness.score(file, world=folder, name="mine")),
    ("compare", lambda folder, file: harness.compare(file, file, world=folder)),
    ("leaderboard", lambda folder, file: harness.leaderboard(file.parent, world=folder)),
    ("build", lambda folder, file: describe.build(folder)),
    ("export", lambda folder, file: describe.export(folder, "test", file, include_test=True)),
    ("oracle", lambda folder, file: write_baseline("oracle", file, world=folder)),
]


@pytest.mark.parametrize(("what", "call"), NOT_HERE, ids=[case[0] for case in NOT_HERE])
def test_what_needs_the_truth_is_with_the_organiser(what, call, entrant, tmp_path):
    file = tmp_path / "mine.jsonl"
    write_baseline("constant", file, world=entrant)
    before = file.read_bytes()
    with pytest.raises(TruthError, match="tiny-sealed is with its organiser"):
        call(entrant, file)
    assert file.read_bytes() == before


def test_the_organiser_is_shown_the_name(organiser):
    """The published folder is meant, on the machine that sealed it."""
    with pytest.raises(TruthError, match="whose truth is on this machine: use --world tiny-sealed"):
        harness.score(organiser["mine"], world=organiser["published"], home=organiser["home"])


@pytest.fixture
def opened(organiser, tmp_path) -> Path:
    """The published folder with what the organiser revealed."""
    folder = tmp_path / "published"
    shutil.copytree(organiser["published"], folder)
    sealing.reveal(NAME, folder / "reveal.json", home=organiser["home"])
    return folder


@pytest.mark.parametrize("where", ["entrant", "organiser"])
def test_after_the_reveal_everyone_scores(where, organiser, opened, tmp_path):
    """The truth is the organiser's, and public: also where the same file was scored under the seal before."""
    home = tmp_path / "home" if where == "entrant" else organiser["home"]
    before = score(organiser, organiser=True)
    after = harness.score(organiser["mine"], world=opened, home=home)
    assert (
        after.record["metrics"] == before.record["metrics"]
        and after.record["truth_digest"] == before.record["truth_digest"]
    )
    assert "truth is public" in after.signature and "truth is public" not in before.signature
    assert len(after.clips) == 24 and after.record["truth_public"]
    assert "truth is public" not in score(organiser, organiser=True).signature
    [built] = describe.build(str(opened), home=home)
    assert built["truth_digest"] == after.record["truth_digest"]
    assert describe.describe(opened, home=home)["frame_limit"]
    commitment = locate(NAME, organiser["home"]).commitment
    lines = [json.loads(line) for line in organiser["mine"].read_text().splitlines()]
    hand.entry(tmp_path / "entries" / "sent", "sent", lines, NAME, "", commitment=commitment)
    board = harness.leaderboard(tmp_path / "entries", world=opened, home=home)
    assert [row["name"] for row in board["entries"]] == ["sent"]


def another_split(folder: Path) -> None:
    reveal_as(folder, name="another")


def another_commitment(folder: Path) -> None:
    reveal_as(folder, commitment="c" * 64)


def another_key(folder: Path) -> None:
    reveal_as(folder, secret="00" * 32)


def another_salt_revealed(folder: Path) -> None:
    reveal_as(folder, salt="00" * 32)


def no_secret(folder: Path) -> None:
    reveal_as(folder, secret=7)


def reveal_as(folder: Path, **changes) -> None:
    path = folder / "reveal.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


NOT_OPENED = [
    (another_key, "is not what was committed to; harness world check-reveal"),
    (another_salt_revealed, "is not what was committed to"),
    (swap_a_picture, "is not what was committed to"),
    (drop_a_clip, "is not what was committed to"),
    (other_durations, "is not what was committed to"),
    (another_split, "reveal.json: reveals name 'another', .* is 'tiny-sealed'"),
    (another_commitment, "reveal.json: reveals commitment 'ccc"),
    (no_secret, "reveal.json: expected secret and salt"),
]


@pytest.mark.parametrize(("change", "message"), NOT_OPENED, ids=[case[0].__name__ for case in NOT_OPENED])
def test_a_reveal_that_does_not_open_the_commitment_scores_nothing(change, message, organiser, opened, tmp_path):
    change(opened)
    for _ in range(2):  # and leaves nothing behind that a second scoring would find
        with pytest.raises(HarnessError, match=message):
            harness.score(organiser["mine"], world=opened, home=tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.duckdb"))


def test_only_the_organiser_draws(organiser, entrant, tmp_path):
    base = organiser["world"]
    with pytest.raises(UsageError, match="has size 32; the model wants size 64, and only the organiser"):
        harness.predict(right_shape, tmp_path / "x", world=entrant, wants=harness.Wants(size=64))
    with pytest.raises(RenderError, match="its pictures lie in"):
        rendering.render(str(entrant), tmp_path / "y")
    with pytest.raises(UsageError, match=r"shows tiny-sealed / test, expected tiny / test; --world "):
        harness.predict(right_shape, tmp_path / "x", world=base, frames=entrant, wants=harness.Wants(size=32))


DAMAGED = [
    ("a picture that is missing", lambda folder: shutil.rmtree(folder / "frames")),
    ("frame numbers that are a text", lambda folder: rewrite(folder, indices="x")),
    ("pictures that are a number", lambda folder: rewrite(folder, frames=7)),
    ("a path out of the folder", lambda folder: rewrite(folder, frames=[f"../../../etc/{n}" for n in range(8)])),
]


def rewrite(folder: Path, **changes) -> None:
    rows = [json.loads(line) | changes for line in (folder / "clips.jsonl").read_text().splitlines()]
    hand.write(folder / "clips.jsonl", rows)


@pytest.mark.parametrize(("what", "damage"), DAMAGED, ids=[case[0] for case in DAMAGED])
def test_damaged_pictures_are_one_line(what, damage, entrant, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(entrant, folder)
    damage(folder)
    with pytest.raises(HarnessError, match=r"damaged.*(No such file|expected an array|leads out of the folder)"):
        harness.predict(right_shape, tmp_path / "x", world=folder, wants=harness.Wants(size=32))
