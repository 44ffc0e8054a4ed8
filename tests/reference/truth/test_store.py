"""Truth databases: stable digests, what is refused and how it is said, and that no other file is reached."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from reference.errors import TruthError, WorldError
from reference.home import cache_home, user_key
from reference.machine import is_of_the_machine
from reference.process.priors import fit
from reference.process.world import load_world
from reference.task import OPERATIONS
from reference.truth import database, store
from reference.truth.catalog import locate
from reference.truth.origin import Content, Origin
from reference.truth.store import open_truth

SPLITS = ("train", "validation", "test", "test-large")


@pytest.mark.parametrize("world", ["warehouse-v2", "canonical-v1"])
def test_every_split_is_pinned_and_built_as_pinned(world, home):
    assert set(load_world(world).digests) == set(SPLITS)
    for split in SPLITS:
        with open_truth(world, split) as truth:
            assert truth.digest == load_world(world).digests[split]
            assert (truth.world, truth.split, truth.public, truth.in_sample) == (world, split, True, False)
            assert truth.operations == OPERATIONS


def test_another_digest_than_the_pinned_one_is_refused(home, tmp_path):
    origin = locate("canonical-v1", home)
    changed = Origin(**{**origin.__dict__, "pinned": {"validation": "0" * 64}})
    with pytest.raises(TruthError, match=r"world canonical-v1, split validation: .* digest 5d4b210123a9115d"):
        store.build_truth(changed, "validation", tmp_path / "x.duckdb", key=b"k" * 32)
    assert list(tmp_path.iterdir()) == [], "nothing half-made is left"


def test_empty_truth_is_refused(home, tmp_path):
    origin = locate("canonical-v1", home)
    clips = list(origin.content("validation").clips)
    empty = Content(OPERATIONS, [], 0, [fit(clips, OPERATIONS)])
    changed = Origin(**{**origin.__dict__, "content": lambda _: empty})
    with pytest.raises(TruthError, match="holds no clip"):
        store.build_truth(changed, "validation", tmp_path / "x.duckdb", key=b"k" * 32)


def test_scaled_world_begins_with_the_unscaled_one(home):
    query = "SELECT * FROM truth.clips ORDER BY session_index, clip_index LIMIT 480"
    with open_truth("canonical-v1", "validation") as small, open_truth("canonical-v1-x2", "validation") as large:
        assert small.connection.execute(query).fetchall() == large.connection.execute(query).fetchall()
        assert (small.n, large.n, large.sessions) == (480, 960, 48)


def test_older_clients_can_open_what_is_written(home):
    with open_truth("canonical-v1", "validation") as truth:
        tags = truth.connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'truth'").fetchone()
    assert tags[0]["storage_version"].startswith("v1.4")


@pytest.fixture
def copy(home, tmp_path) -> Path:
    """A database as this user made it, at another place."""
    with open_truth("canonical-v1", "validation") as truth:
        path = truth.path
    return Path(shutil.copy(path, tmp_path / "truth.duckdb"))


def opened(path: Path):
    return open_truth("canonical-v1", "validation", truth=path)


def test_own_database_elsewhere_is_good(copy):
    with opened(copy) as truth:
        assert truth.n == 480


def changed(sql: str):
    def change(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)

    return change


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def newer_format(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[12:20] = (60000).to_bytes(8, "little")
    path.write_bytes(content)


def sqlite(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE clips (clip_id)")


REFUSED = [
    ("a label altered", changed("UPDATE clips SET next_operation = 0 WHERE clip_index = 3"), "its rows were altered"),
    ("a clip taken out", changed("DELETE FROM clips WHERE clip_index = 3"), "its rows were altered"),
    ("all clips taken out", changed("DELETE FROM clips"), "its rows were altered"),
    ("meta altered", changed("UPDATE meta SET value = '479' WHERE key = 'n'"), "written elsewhere, or altered"),
    (
        "digest altered",
        changed("UPDATE meta SET value = repeat('0', 64) WHERE key = 'truth_digest'"),
        "written elsewhere",
    ),
    ("no meta", changed("DELETE FROM meta"), "schema version None"),
    ("a view", changed("CREATE VIEW v AS SELECT 1"), "holds view v; a truth database holds tables only"),
    ("a macro that shadows sum", changed("CREATE MACRO sum(x) AS 1"), "holds macro sum"),
    ("a table macro", changed("CREATE MACRO t() AS TABLE SELECT 1"), "holds macro t"),
    ("a type", changed("CREATE TYPE mood AS ENUM ('a')"), "holds type mood"),
    ("another table", changed("CREATE TABLE notes (x INT)"), "this is no truth database"),
    ("a stranger's database", changed("DROP TABLE clips"), "this is no truth database"),
    ("a column of another name", changed("ALTER TABLE clips RENAME ceiling_ppm TO c"), "its rows were altered"),
    ("truncated", truncated, "not a usable truth database"),
    ("newer format", newer_format, "not a usable truth database"),
    ("SQLite", sqlite, "not a DuckDB database"),
    ("garbage", lambda path: path.write_bytes(b"hello" * 99), "not a DuckDB database"),
    ("empty file", lambda path: path.write_bytes(b""), "not a DuckDB database"),
    ("missing", lambda path: path.unlink(), "no such truth database"),
]


@pytest.mark.parametrize(("why", "change", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(why, change, message, copy):
    change(copy)
    with pytest.raises(TruthError) as caught:
        opened(copy)
    assert message in str(caught.value), why
    assert "\n" not in str(caught.value)


def logged(statement: str):
    """Change a database by its write-ahead log alone, as a process that is killed leaves it."""
    return changed(f"PRAGMA disable_checkpoint_on_shutdown; {statement}")


AFTERWARDS = [
    ("a label altered", changed("UPDATE clips SET next_operation = 0 WHERE clip_index = 3"), "its rows were altered"),
    ("a macro", changed("CREATE MACRO sum(x) AS 1"), "holds macro sum"),
    ("in the log", logged("UPDATE clips SET next_operation = 0 WHERE clip_index = 3"), "its rows were altered"),
    ("a macro in the log", logged("CREATE MACRO sum(x) AS 1"), "holds macro sum"),
]


@pytest.mark.parametrize(("why", "change", "message"), AFTERWARDS, ids=[case[0] for case in AFTERWARDS])
def test_a_file_that_was_good_is_looked_through_again_once_it_was_written_to(why, change, message, copy, monkeypatch):
    time.sleep(2 * database.QUIET_NS / database.SECOND_NS)
    opened(copy).close()
    with monkeypatch.context() as patch:
        patch.setattr(database, "check_tables", lambda *_: pytest.fail("nothing was written"))
        with opened(copy) as truth:
            assert truth.connected is None and truth.is_usable()
            assert truth.connection.execute("SELECT count(*) FROM truth.clips").fetchone() == (truth.n,)
    change(copy)
    with pytest.raises(TruthError, match=message):
        opened(copy)
    assert copy.with_name(f"{copy.name}.wal").exists() == ("log" in why)


@pytest.mark.parametrize("message", ["its rows were altered", "was replaced while it was open"])
def test_a_file_that_changes_before_it_is_asked_anything_is_refused(message, copy):
    time.sleep(2 * database.QUIET_NS / database.SECOND_NS)
    opened(copy).close()
    with open_truth("canonical-v1", "test") as other, opened(copy) as truth:
        if "altered" in message:
            changed("UPDATE clips SET next_operation = 0 WHERE clip_index = 3")(copy)
        else:
            shutil.copy(other.path, copy)
        with pytest.raises(TruthError, match=message):
            truth.connection.execute("SELECT 1")


def test_a_file_written_to_just_now_is_not_taken_for_known(copy, monkeypatch):
    """Another write may come in the same tick of the clock that its times are kept by."""
    written = copy.stat().st_ctime_ns
    for after, is_quiet in ((0, False), (database.QUIET_NS, False), (database.QUIET_NS + 1, True), (-9, False)):
        monkeypatch.setattr(database.time, "time_ns", lambda now=written + after: now)
        assert (database.state_of(copy) is not None) is is_quiet
    assert database.state_of(copy.parent / "none") is None


def test_another_users_database_is_refused(copy, tmp_path):
    with pytest.raises(TruthError, match="written elsewhere, or altered"):
        open_truth("canonical-v1", "validation", home=tmp_path / "other", truth=copy)


ASKED = [
    ("another split", {"split": "test"}, "holds split validation, expected test"),
    ("another world", {"world": "warehouse-v2"}, "holds world canonical-v1, expected warehouse-v2"),
    ("no such split", {"split": "tset"}, "has no split 'tset'; it has train, validation, test, test-large"),
]


@pytest.mark.parametrize(("why", "asked", "message"), ASKED, ids=[case[0] for case in ASKED])
def test_not_what_was_asked_for(why, asked, message, copy):
    with pytest.raises(TruthError) as caught:
        open_truth(**{"world": "canonical-v1", "split": "validation", "truth": copy} | asked)
    assert message in str(caught.value), why


def test_unknown_world(home):
    with pytest.raises(WorldError, match="no world 'warehouse-v9'; there are canonical-v1, warehouse-v2"):
        open_truth("warehouse-v9")


def test_nothing_but_the_named_files_is_reached(copy, tmp_path):
    allowed, other = tmp_path / "allowed.csv", tmp_path / "other.csv"
    for path in (allowed, other):
        path.write_text("a\n1\n")
    with open_truth("canonical-v1", "validation", truth=copy, allow_files=[allowed]) as truth:
        assert truth.connection.execute("SELECT a FROM read_csv(?)", [str(allowed)]).fetchone() == (1,)
        for statement in (
            f"SELECT * FROM read_csv('{other}')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/new.duckdb'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
            "DELETE FROM truth.clips",
        ):
            with pytest.raises(duckdb.Error):
                truth.connection.execute(statement)


def no_table(path: Path) -> None:
    path.unlink()
    duckdb.connect(str(path)).close()


UNREADABLE = [
    ("cut", truncated),
    ("empty", lambda path: path.write_bytes(b"")),
    ("garbage", lambda path: path.write_bytes(b"hello" * 99)),
    ("newer format", newer_format),
    ("SQLite", sqlite),
    ("a database without tables", no_table),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """A home of these tests' own, and the path of a truth in it."""
    folder = tmp_path_factory.mktemp("store")
    with open_truth("canonical-v1", "validation", home=folder) as truth:
        return folder, truth.path


@pytest.mark.parametrize(("why", "damage"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_a_truth_of_the_store_that_cannot_be_read_is_made_anew(why, damage, made):
    folder, path = made
    damage(path)
    with open_truth("canonical-v1", "validation", home=folder) as truth:
        assert truth.digest == load_world("canonical-v1").digests["validation"], why
    assert list(path.parent.iterdir()) == [path]


def test_an_altered_truth_of_the_store_is_refused(made, tmp_path):
    """It can be read, and somebody may want to know who altered it."""
    folder = Path(shutil.copytree(made[0], tmp_path / "home"))
    [path] = folder.glob("truth/*/*.duckdb")
    changed("UPDATE clips SET next_operation = 0 WHERE clip_index = 3")(path)
    with pytest.raises(TruthError, match="its rows were altered"):
        open_truth("canonical-v1", "validation", home=folder)


def test_what_killed_builders_left_is_swept_when_the_store_is_opened(made):
    folder, path = made
    left = [path.parent / ".new-a-locked", folder / "truth" / "other" / ".new-b-locked", folder / ".new-c-locked"]
    for place in left:
        place.mkdir(parents=True)
        (place / "file.duckdb.wal").write_bytes(b"x")
    (folder / ".key-0123").write_bytes(b"x")
    open_truth("canonical-v1", "validation", home=folder).close()
    assert not [place for place in left if place.exists()]
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS], ids=["EPERM", "ENOTSUP", "ENOSYS"])
def test_a_key_is_made_without_hard_links(code, tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", unsupported)
    key = user_key(tmp_path)
    assert len(key) == 32 and user_key(tmp_path) == key
    assert [path.name for path in tmp_path.iterdir()] == ["key"] and (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"x" * 31], ids=["empty", "cut"])
def test_a_key_that_was_cut_is_made_anew(content, tmp_path):
    (tmp_path / "key").write_bytes(content)
    assert len(user_key(tmp_path)) == 32 and user_key(tmp_path) == (tmp_path / "key").read_bytes()


UNUSABLE = [("back\\slash", r"with \\ in it"), ("question?", r"with \? in it"), ("latin-\udce9", "not UTF-8 in it")]


@pytest.mark.parametrize(("name", "message"), UNUSABLE, ids=["backslash", "question mark", "not UTF-8"])
def test_a_folder_that_the_database_cannot_use_is_one_sentence(name, message, made, tmp_path):
    with pytest.raises(TruthError, match=f"{message}; HARNESS_HOME names another folder"):
        open_truth("canonical-v1", "validation", home=tmp_path / name / "home")
    with pytest.raises(TruthError, match=f"{message}; choose another folder"):
        open_truth("canonical-v1", "validation", home=made[0], truth=tmp_path / name)
    with (
        open_truth("canonical-v1", "validation", home=made[0], allow_directories=[tmp_path]) as truth,
        pytest.raises(TruthError, match=f"{message}; choose another folder"),
    ):
        store.export(truth, tmp_path / name / "truth.parquet")


@pytest.mark.parametrize("name", ["star* [1] {a}", "quote' semi; per%41cent", "ü\u00a0\n"])
def test_other_odd_folders_work(name, tmp_path):
    with open_truth("canonical-v1", "validation", home=tmp_path / name) as truth:
        assert truth.n == 480


FULL = [
    (duckdb.IOException, "IO Error: Could not write file: No space left on device", "No space left on device"),
    (duckdb.TransactionException, "Failed to commit: ... No space left on device", "No space left on device"),
    (duckdb.OutOfMemoryException, "failed to offload data block (File too large)", "File too large"),
]


@pytest.mark.parametrize(("kind", "text", "reason"), FULL, ids=["writing", "committing", "spilling"])
def test_a_full_disk_names_the_file_and_the_variable(kind, text, reason, home):
    path = home / "truth" / "x.duckdb"
    with pytest.raises(TruthError) as caught, database.write_errors(path):
        raise kind(text)
    where = "HARNESS_HOME names another folder for derived files"
    assert str(caught.value) == f"{path}: cannot be written ({reason}); {where}"
    assert is_of_the_machine(caught.value)


LOCKER = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("held", "patience", "good"), [(1.0, 10.0, True), (30.0, 0.3, False)])
def test_locked_by_another_process(held, patience, good, copy, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE_SECONDS", patience)
    holder = subprocess.Popen([sys.executable, "-c", LOCKER, copy, str(held)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        if good:
            opened(copy).close()
        else:
            with pytest.raises(TruthError, match=f"in use by PID {holder.pid}"):
                opened(copy)
    finally:
        holder.kill()
        holder.communicate()


BUILDER = """
import sys
import time
from pathlib import Path
from reference.truth.store import open_truth
open_truth("canonical-v1", "validation", home=Path(sys.argv[1])).close()
print("done", flush=True)
"""


def test_many_builders_at_once_and_one_killed(tmp_path):
    """Six processes make the same truth; some are killed at various moments; whoever comes last finds it good."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILDER, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    for place, process in enumerate(processes[:3]):
        try:
            process.wait(0.4 + 0.4 * place)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == -signal.SIGKILL or (out == "done\n" and not err)
    with open_truth("canonical-v1", "validation", home=tmp_path) as truth:
        assert truth.digest == load_world("canonical-v1").digests["validation"]


def test_secret_of_the_user_is_private(home):
    assert (home / "key").stat().st_mode & 0o777 == 0o600


def test_home_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    assert cache_home() == tmp_path
    monkeypatch.delenv("HARNESS_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_home() == tmp_path / "cache" / "warehouse-harness"
    assert cache_home("elsewhere") == Path("elsewhere")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    for name in ("HARNESS_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    with pytest.raises(TruthError, match="set HARNESS_HOME"):
        cache_home()


@pytest.mark.parametrize("name", ["a?b", "a\\b", "a\udcffb"], ids=ascii)
def test_folders_in_which_no_database_can_be_kept_are_named(name, tmp_path):
    """DuckDB cuts a name at a question mark, takes a backslash for a slash, and needs UTF-8."""
    for choice in ("home", "truth"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        with pytest.raises(TruthError, match=r"choose another|HARNESS_HOME names another"):
            open_truth("warehouse-v2", **{choice: folder})
