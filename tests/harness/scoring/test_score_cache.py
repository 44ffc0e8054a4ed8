"""Tests of the score cache: no entry is lost, torn or left half made, whoever is killed and whatever is full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError
from harness.scoring import score as scoring
from harness.scoring.score_cache import ANSWERS, RECORD, ScoreCache, key
from reference.files import STALE_SECONDS, TEMPORARY
from tests.support import hand

WORLD = "kept"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with a world of 60 clips, and a function that writes other answers for every number."""
    home = tmp_path_factory.mktemp("results")
    rows = hand.grid(12, 5)
    hand.world(WORLD, rows, home, home)

    def file(number):
        lines = [hand.right(row, **({"next_operation": "Wrap"} if i < number else {})) for i, row in enumerate(rows)]
        return hand.write(home / f"answers-{number}.jsonl", lines)

    return home, file


def entries(home):
    return sorted((path for path in (home / "scores").iterdir() if not path.name.startswith(".")), key=lambda p: p.name)


def score(home, file, **options):
    return harness.score(file, world=WORLD, home=home, **options)


def test_the_same_file_again_is_looked_up(place, monkeypatch):
    home, file = place
    first = score(home, file(1))

    def not_again(*_):
        raise AssertionError("scored again")

    monkeypatch.setattr(scoring, "_score_into", not_again)
    again = score(home, file(1))
    moved = hand.write(home / "elsewhere" / "other name.jsonl", map(json.loads, file(1).read_text().splitlines()))
    assert again.record == first.record == score(home, moved).record
    assert again.answers == first.answers
    with pytest.raises(AssertionError, match="scored again"):
        score(home, file(2))


DEPENDS = [
    ({"rules": "inclusive-ends"}, "rules"),
    ({"rules": "one-frame-degenerate"}, "what is degenerate"),
    ({"weights": harness.Weights(0.2, 0.2, 0.6)}, "weights"),
    ({"lenient": True}, "how it is read"),
    ({"fps": 50.0, "clip_frames": 250}, "frames"),
]


@pytest.mark.parametrize(("options", "why"), DEPENDS, ids=[case[1] for case in DEPENDS])
def test_what_a_score_depends_on_is_another_entry(options, why, place):
    home, file = place
    assert score(home, file(1), **options).answers != score(home, file(1)).answers, why


def test_a_name_or_a_threshold_is_no_reason_to_score_again(place):
    home, file = place
    named = score(home, file(1), name="mine")
    plain = score(home, file(1))
    assert named.answers == plain.answers and named.signature == f"{plain.signature}|name:mine"


def test_an_entry_holds_two_files_and_nothing_of_the_submission(place):
    home, file = place
    folder = score(home, file(3)).answers.parent
    assert {path.name for path in folder.iterdir()} == {RECORD, ANSWERS}
    import gzip

    packed = home / "answers.jsonl.gz"
    packed.write_bytes(gzip.compress(file(3).read_bytes()))
    assert {path.name for path in score(home, packed).answers.parent.iterdir()} == {RECORD, ANSWERS}


def test_a_refused_file_leaves_nothing(place):
    home, _file = place
    before = entries(home)
    with pytest.raises(HarnessError):
        score(home, hand.write(home / "bad.jsonl", [{"clip_id": "c00-00"}]))
    assert entries(home) == before and not list((home / "scores").glob(f"{TEMPORARY}*"))


def test_the_first_of_two_is_kept(tmp_path):
    store = ScoreCache(tmp_path)
    for text in ("first", "second"):
        with store.scratch() as scratch:
            (scratch / RECORD).write_text(json.dumps({"format": text, "metrics": {}, "diagnostics": {}}))
            (scratch / ANSWERS).write_bytes(b"PAR1" + b"footer" + (6).to_bytes(4, "little") + b"PAR1")
            folder = store.keep(scratch, "entry")
    assert json.loads((folder / RECORD).read_text())["format"] == "first" and store.find("entry") == folder
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["entry"]


def test_half_an_entry_is_none(tmp_path):
    (tmp_path / "scores" / "entry").mkdir(parents=True)
    (tmp_path / "scores" / "entry" / RECORD).write_text("{}")
    assert ScoreCache(tmp_path).find("entry") is None


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:200])


def replaced_by(make):
    def replace(folder):
        shutil.rmtree(folder)
        make(folder)

    return replace


def foreign(folder):
    folder.mkdir()
    (folder / "desktop.ini").write_text("foreign")


DAMAGED = [
    ("an empty record", lambda folder: (folder / RECORD).write_bytes(b"")),
    ("a cut record", cut(RECORD)),
    ("a record that holds nothing", lambda folder: (folder / RECORD).write_text("{}")),
    ("a record that is no object", lambda folder: (folder / RECORD).write_text("null")),
    ("no record", lambda folder: (folder / RECORD).unlink()),
    ("empty answers", lambda folder: (folder / ANSWERS).write_bytes(b"")),
    ("cut answers", cut(ANSWERS)),
    ("no answers", lambda folder: (folder / ANSWERS).unlink()),
    ("an empty folder", replaced_by(Path.mkdir)),
    ("a foreign file in its place", replaced_by(lambda folder: folder.write_text("foreign"))),
    ("a broken link in its place", replaced_by(lambda folder: folder.symlink_to("nowhere"))),
    ("foreign files alone", replaced_by(foreign)),
]


@pytest.mark.parametrize(("why", "damage"), DAMAGED, ids=[case[0] for case in DAMAGED])
def test_what_cannot_be_read_is_made_anew(why, damage, place):
    home, file = place
    first = score(home, file(5))
    damage(first.answers.parent)
    again = score(home, file(5))
    assert again.record == first.record and len(again.clips) == 60, why
    assert {path.name for path in again.answers.parent.iterdir()} == {RECORD, ANSWERS}
    assert not list((home / "scores").glob(f"{TEMPORARY}*"))


def test_answers_damaged_inside_are_made_anew_by_the_next_run(place):
    home, file = place
    first = score(home, file(6))
    content = first.answers.read_bytes()
    first.answers.write_bytes(content[:8] + bytes(len(content) - 1008) + content[-1000:])
    with pytest.raises(HarnessError, match=r"answers\.parquet: damaged .*; the same command makes it anew"):
        len(first.clips)
    assert len(score(home, file(6)).clips) == 60


def test_stale_temporaries_are_swept(place):
    home, file = place
    old, young = home / "scores" / f"{TEMPORARY}old", home / "scores" / f"{TEMPORARY}young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / ANSWERS).write_text("x")
    past = time.time() - STALE_SECONDS - 60
    os.utime(old, (past, past))
    score(home, file(4))
    assert (old.exists(), young.exists()) == (False, True)
    (young / ANSWERS).unlink()
    young.rmdir()


def test_key_depends_on_every_part_and_not_on_their_order():
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1}) != key({"a": 1, "b": 3})


CHILDREN = textwrap.dedent("""
    import os, random, signal, sys, time
    from pathlib import Path
    import duckdb, scipy.special  # once, so that a child is all scoring
    import harness.scoring.score, reference.truth.store
    home, kind, files = sys.argv[1], sys.argv[2], sys.argv[3:]

    def start(file):
        child = os.fork()
        if child:
            return child
        try:
            harness.score(file, world="kept", home=home)
            os._exit(0)
        except BaseException as error:
            print(file, repr(error), file=sys.stderr, flush=True)
            os._exit(1)

    if kind == "together":
        codes = [os.waitpid(child, 0)[1] for child in [start(file) for file in files]]
    else:
        moments, codes, begun = random.Random(7), [], time.perf_counter()
        os.waitpid(start(files.pop(0)), 0)
        took = time.perf_counter() - begun
        for file in files:
            child = start(file)
            time.sleep(moments.uniform(0, 1.2 * took))
            os.kill(child, signal.SIGKILL)
            codes.append(os.waitpid(child, 0)[1])
    print(*codes)
""")


def children(home, kind, files):
    done = subprocess.run(
        [sys.executable, "-c", CHILDREN, home, str(kind), *files],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return list(map(int, done.stdout.split())), done.stderr


def whole(home):
    """Read every entry; return how many there are."""
    import duckdb

    for folder in entries(home):
        assert json.loads((folder / RECORD).read_bytes())["n"] == 60
        assert duckdb.execute("SELECT count(*) FROM read_parquet(?)", [str(folder / ANSWERS)]).fetchall() == [(60,)]
    return len(entries(home))


def test_twelve_processes_at_once_lose_nothing(place, tmp_path):
    """Six files, each scored by two processes at the same time."""
    _, file = place
    home = fresh_home(tmp_path)
    codes, said = children(home, "together", [file(number) for number in (*range(6), *range(6))])
    assert codes == [0] * 12, said
    assert whole(home) == 6
    for number in range(6):
        assert score(home, file(number)).record["metrics"]["aa1"]["value"] == pytest.approx(1 - number / 60)


def test_killed_at_twenty_random_moments(place, tmp_path):
    """Ten files twice each, killed within 1.2 times what an eleventh took: some finish, most do not."""
    _, file = place
    home = fresh_home(tmp_path)
    codes, said = children(home, "killed", [file(20), *(file(number % 10) for number in range(20))])
    assert len(codes) == 20 and 9 in codes and not set(codes) - {0, 9}, said
    assert 1 <= whole(home) <= 11
    for number in range(10):
        assert score(home, file(number)).record["metrics"]["aa1"]["value"] == pytest.approx(1 - number / 60)
    assert whole(home) == 11


def fresh_home(tmp_path):
    hand.world(WORLD, hand.grid(12, 5), tmp_path, tmp_path)  # builds the truth too
    return tmp_path


LIMITED = "ulimit -f {blocks}; exec {python} -m harness score {file} --world kept --output {out}"


@pytest.mark.parametrize("blocks", [0, 1, 8], ids=["no byte", "the first kilobyte", "8 kilobytes"])
def test_full_disk(blocks, place, tmp_path):
    """A limit on the size of files is a full disk, as far as a process can tell; older entries stay."""
    _, file = place
    home = fresh_home(tmp_path)
    out = tmp_path / "out"
    score(home, file(1)).write(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    command = LIMITED.format(blocks=blocks, python=sys.executable, file=file(2), out=out)
    done = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"HARNESS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr and done.stderr.startswith("harness: ") and "File too large" in done.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert whole(home) == 1 and not list((home / "scores").glob(f"{TEMPORARY}*"))
    assert score(home, file(2)).record["n"] == 60


UNWRITABLE = [
    ("a file where the folder should be", "plain/file"),
    ("a place where nothing can be made", "/proc/nowhere"),
]


@pytest.mark.parametrize(("why", "target"), UNWRITABLE, ids=[case[0] for case in UNWRITABLE])
def test_output_that_cannot_be_written(why, target, place, tmp_path):
    home, file = place
    (tmp_path / "plain").write_text("mine")
    done = hand.harness_here("score", file(1), "--world", WORLD, "--output", tmp_path / target, home=home)
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.startswith("harness: "), why
    assert (tmp_path / "plain").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into read-only folders")
def test_read_only_folder(place, tmp_path):
    home, file = place
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    done = hand.harness_command("score", file(1), "--world", WORLD, "--output", out, home=home)
    assert done.returncode == 2 and "Permission denied" in done.stderr and list(out.iterdir()) == []


def test_a_home_that_cannot_be_made(place):
    _, file = place
    done = hand.harness_here("score", file(1), "--world", "warehouse-v2", home=Path("/proc/nowhere"))
    assert done.returncode == 2 and done.stderr.startswith("harness: ") and "Traceback" not in done.stderr
