"""Sealed splits: what leaves them, what does not, and that a reveal proves what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import harness
from harness.baselines.write import write_baseline
from harness.errors import UsageError, WorldError
from harness.worlds import describe, sealing
from reference.truth.catalog import locate
from tests.support import hand

NAME = "tiny-sealed"


@pytest.fixture(scope="module")
def organiser(tmp_path_factory) -> dict[str, Path]:
    """Seal two sessions under a fresh secret, rendered small."""
    folder = tmp_path_factory.mktemp("organiser")
    (folder / "tiny.toml").write_text(hand.tiny_world())
    paths = {"home": folder / "home", "published": folder / "published", "secret": folder / "secret.json"}
    seal(folder / "tiny.toml", paths)
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
    record = score(organiser, name="mine").record
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
    with pytest.raises(UsageError, match="--name is needed"):
        score(organiser)
    first = score(organiser, name="counted").record["scorings"]
    second = score(organiser, name="counted").record["scorings"]
    assert (first, second) == (1, 2)
    log = [json.loads(line) for line in locate(NAME, organiser["home"]).seal.log.read_text().splitlines()]
    assert [row["name"] for row in log].count("counted") == 2
    assert all(len(row["sha256"]) == 64 for row in log)


REFUSED = [
    ("clips", lambda o, path: score(o, name="mine").clips),
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
    score(organiser, name="mine").write(tmp_path)
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
    ("the world", other_durations, "the truth, clips and pictures are the ones committed to"),
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


SINGLE_OUT = [
    ("rules that drop what is missing", {"rules": "drop-missing"}),
    ("weights of one metric alone", {"weights": harness.Weights(oca=1.0, tiou50=0.0, aa1=0.0)}),
]


@pytest.mark.parametrize(("why", "options"), SINGLE_OUT, ids=[case[0] for case in SINGLE_OUT])
def test_no_clip_can_be_singled_out(why, options, organiser):
    with pytest.raises(UsageError, match="other rules or weights"):
        score(organiser, name="mine", **options)
