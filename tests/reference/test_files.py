"""Files, TOML and ordered work: what the one helper of each kind promises."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from reference import files
from reference.errors import HarnessError, WorldError
from reference.files import LOCKED, STALE_SECONDS, TEMPORARY, scratch, sha256, sweep, write_json, write_text
from reference.pools.processes import in_order, in_processes
from reference.process.world import parse_world
from reference.toml import parse_toml, read_toml
from reference.truth.openpack import parse_map

TEXTS = [
    ("plain\n", b"plain\n", "as it is"),
    ("ü → \U0001f4e6", "ü → \U0001f4e6".encode(), "UTF-8"),
    ("a\r\nb", b"a\r\nb", "line ends are not translated"),
    ("bad \udcff name", b"bad ? name", "a lone surrogate"),
]


@pytest.mark.parametrize(("text", "content", "why"), TEXTS, ids=[case[2] for case in TEXTS])
def test_text(text, content, why, tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_text(path, text)
    assert path.read_bytes() == content
    assert sha256(path) == sha256(content) == hashlib.sha256(content).hexdigest()
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"], "nothing is left beside it"


def test_json_is_readable_and_whole_or_not_there(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"b": "ü", "a": [1]})
    assert path.read_text("utf-8") == '{\n "b": "ü",\n "a": [\n  1\n ]\n}\n'
    write_json(path, {"b": 1, "a": 2}, sort_keys=True)
    before = path.read_text("utf-8")
    assert before == '{\n "a": 2,\n "b": 1\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text("utf-8") == before and len(list(tmp_path.iterdir())) == 1


def test_a_sum_does_not_read_a_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.delattr("pathlib.Path.read_bytes")
    assert sha256(path) == expected


def make_old(path):
    past = time.time() - STALE_SECONDS - 60
    os.utime(path, (past, past))


def test_temporary_folders_of_dead_processes_alone_are_swept(tmp_path):
    """The lock tells, whatever their age; of what an earlier version left the age tells."""
    dead, plain, old = (tmp_path / name for name in (f"{TEMPORARY}dead{LOCKED}", f"{TEMPORARY}new", f"{TEMPORARY}old"))
    with scratch(tmp_path) as mine:
        make_old(mine)
        for folder in (dead, plain, old):
            folder.mkdir()
            (folder / "file").write_text("x")
        make_old(old)
        (tmp_path / f"{TEMPORARY}link{LOCKED}").symlink_to(tmp_path)
        sweep(tmp_path)
        assert [path.exists() for path in (mine, dead, plain, old)] == [True, False, True, False]
        assert (plain / "file").exists()
    assert not mine.exists()


def test_without_locks_the_age_tells(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", unsupported)
    with scratch(tmp_path) as mine:
        sweep(tmp_path)
        assert mine.exists()
        make_old(mine)
        sweep(tmp_path)
        assert not mine.exists()
    write_text(tmp_path / "file", "as ever")
    assert (tmp_path / "file").read_text() == "as ever" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_names_the_file(tmp_path):
    """Writing and syncing raise errors that name no file, and a temporary name helps nobody."""
    path = tmp_path / "page.html"
    for named in (None, "inside"):
        with pytest.raises(OSError, match=rf"No space left on device: '{path}'"), files.replacement(path) as temporary:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), named and str(temporary))
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}'"), scratch(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


BAD_TOML = [
    (b"a = ", "x.toml: not a TOML file: Invalid value", "no value"),
    (b"a = '\xff'", "x.toml: not UTF-8 (invalid start byte)", "no UTF-8"),
    (b"a = " + b"[" * 100_000, "x.toml: not a TOML file: nested too deep", "nested 100,000 deep"),
]


@pytest.mark.parametrize(("content", "message", "why"), BAD_TOML, ids=[case[2] for case in BAD_TOML])
def test_bad_toml_is_refused_in_one_way(content, message, why, tmp_path):
    class Mine(HarnessError):
        pass

    path = tmp_path / "x.toml"
    path.write_bytes(content)
    for error, read in (
        (Mine, lambda: parse_toml(content, "x.toml", Mine)),
        (Mine, lambda: read_toml(path, Mine)),
        (WorldError, lambda: parse_world(content, "x.toml")),
        (WorldError, lambda: parse_map(content, "x.toml")),
    ):
        with pytest.raises(error) as caught:
            read()
        assert message in str(caught.value)


def test_a_missing_toml_file_is_named(tmp_path):
    with pytest.raises(WorldError, match=r"none\.toml: No such file"):
        read_toml(tmp_path / "none.toml", WorldError)


def slow_square(number: int) -> int:
    time.sleep(0.002 * (number % 3))  # later tasks overtake earlier ones
    return number * number


def test_results_come_in_order_with_few_tasks_in_flight():
    started, lock = [], threading.Lock()

    def work(number):
        with lock:
            started.append(number)
        return slow_square(number)

    with ThreadPoolExecutor(4) as pool:
        for place, result in enumerate(in_order(pool, work, range(40), ahead=6)):
            assert result == place * place
            assert len(started) <= place + 7


def test_a_reader_who_stops_leaves_no_task_behind():
    done = []
    with ThreadPoolExecutor(1) as pool:
        results = in_order(pool, lambda number: done.append(slow_square(number + 1)), range(1000), ahead=5)
        next(results)
        results.close()
    assert len(done) <= 6


def add(base: list[int], number: int) -> int:
    return base[0] + number


def divide(base: int, number: int) -> float:
    return base / number


def die(base: int, number: int) -> None:
    os._exit(3)


def test_processes_share_one_object_and_raise_their_errors():
    assert list(in_processes(add, [100], range(9), workers=2, ahead=3)) == list(range(100, 109))
    with pytest.raises(ZeroDivisionError):
        list(in_processes(divide, 1, [1, 0, 1], workers=1, ahead=2))
    with pytest.raises(BrokenProcessPool):
        list(in_processes(die, 1, [1], workers=1, ahead=1))


KILLED = """
import operator, os, signal
from reference.pools.processes import in_processes
for result in in_processes(operator.add, 1, range(100), 2, 4):
    print(result, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_parent_that_is_killed_alone():
    """They hold its standard output, which is read to its end here."""
    command = [sys.executable, "-c", KILLED]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (-9, "1\n")
