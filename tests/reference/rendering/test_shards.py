"""Shards: what is written, that WebDataset itself reads it, and every kind of member that does not belong there."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from reference.errors import ShardError
from reference.rendering.shards import members_of, read_sample, read_shard, write_shard

SAMPLES = [
    ("aa01", members_of({"clip_id": "aa01", "indices": [0, 124]}, [b"first", b"second" * 200], "jpg", None)),
    ("bb02", members_of({"clip_id": "bb02", "indices": [3, 5]}, [b"x", b""], "jpg", {"next_operation": "Tape"})),
]


@pytest.fixture
def shard(tmp_path) -> Path:
    path = tmp_path / "test-00000.tar"
    write_shard(path, SAMPLES)
    return path


def test_what_was_written_is_read(shard):
    first, second = read_shard(shard)
    assert (first.key, first.facts, first.truth) == ("aa01", {"clip_id": "aa01", "indices": [0, 124]}, None)
    assert first.pictures == [b"first", b"second" * 200]
    assert second.truth == {"next_operation": "Tape"} and second.pictures == [b"x", b""]
    for sample in (first, second):
        assert read_sample(shard, sample.offset) == sample
    with tarfile.open(shard) as archive:
        names = "aa01.00.jpg aa01.01.jpg aa01.json bb02.00.jpg bb02.01.jpg bb02.json bb02.truth.json"
        assert archive.getnames() == names.split()


def test_equal_samples_give_equal_bytes(shard, tmp_path):
    write_shard(tmp_path / "again.tar", SAMPLES)
    assert (tmp_path / "again.tar").read_bytes() == shard.read_bytes()
    with tarfile.open(shard) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            assert member.mode == 0o644


@pytest.mark.skipif(find_spec("webdataset") is None, reason="webdataset is not installed")
def test_webdataset_reads_them_in_its_secure_mode(shard):
    script = textwrap.dedent("""
        import json, sys, webdataset
        samples = list(webdataset.WebDataset(sys.argv[1], shardshuffle=False))
        print(json.dumps([{name: value.decode() for name, value in sample.items() if isinstance(value, bytes)}
                          | {"key": sample["__key__"]} for sample in samples]))
    """)
    secure = {"WDS_SECURE": "1", "PATH": "/usr/bin:/bin", "HOME": str(shard.parent)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, shard], capture_output=True, text=True, timeout=60, env=secure
    )
    assert run.returncode == 0, run.stderr
    first, second = json.loads(run.stdout)
    assert (first["key"], first["00.jpg"], json.loads(first["json"])["indices"]) == ("aa01", "first", [0, 124])
    assert (second["key"], json.loads(second["truth.json"])) == ("bb02", {"next_operation": "Tape"})


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"x", link: str = "", **changes) -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


HOSTILE = [
    ("a way out", member("../x.json"), r"member '\.\./x\.json': expected KEY\.json"),
    ("an absolute path", member("/etc/x.json"), "member '/etc/x.json': expected"),
    ("a folder in the name", member("a/b.json"), "member 'a/b.json': expected"),
    ("a symbolic link", member("a.json", tarfile.SYMTYPE, link="/etc/passwd"), "member 'a.json' is a symbolic link"),
    ("a hard link", member("a.json", tarfile.LNKTYPE, link="aa01.json"), "member 'a.json' is a hard link"),
    ("a device", member("a.json", tarfile.CHRTYPE), "member 'a.json' is a device"),
    ("a pipe", member("a.json", tarfile.FIFOTYPE), "member 'a.json' is a pipe"),
    ("a folder", member("a.json", tarfile.DIRTYPE), "member 'a.json/' is a folder|member 'a.json' is a folder"),
    ("a pickle that WebDataset would run", member("aa.pyd"), r"member 'aa\.pyd': expected"),
    ("another pickle", member("aa.pkl"), r"member 'aa\.pkl': expected"),
    ("torch's pickle", member("aa.pth"), r"member 'aa\.pth': expected"),
    ("an unexpected type", member("aa.txt"), r"member 'aa\.txt': expected"),
    ("a hidden file", member(".json"), r"member '\.json': expected"),
    ("a long name", member("a" * 120 + ".json"), "a long name|an extended header|expected KEY"),
    ("too large", member("aa.json", size=(64 << 20) + 1), r"'aa\.json' has 67,108,865 bytes, at most 67,108,864"),
    ("twice", member("aa01.json"), r"member aa01\.json occurs twice, or apart from its sample"),
    ("an extended header", member("aa.json", pax_headers={"path": "../../x"}), "is an extended header"),
]


@pytest.mark.parametrize(("why", "bad", "message"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_56_members_that_do_not_belong_there(tmp_path, why, bad, message):
    path = tmp_path / "bad.tar"
    info, content = bad
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in (("aa01.json", b"{}"), ("bb02.json", b"{}")):
            archive.addfile(*(lambda made, text=text: (made[0], io.BytesIO(text)))(member(name, content=text)))
        archive.fileobj.write(info.tobuf(tarfile.PAX_FORMAT if info.pax_headers else tarfile.GNU_FORMAT))
        archive.fileobj.write(content.ljust(512, b"\0") if info.size else b"")
        archive.offset = archive.fileobj.tell()
    with pytest.raises(ShardError, match=rf"bad\.tar: .*({message})"):
        list(read_shard(path))


TRUNCATED = [
    (100, "truncated before its first member"),
    (512, r"truncated within member 'aa01\.00\.jpg'"),
    (600, r"truncated within member 'aa01\.00\.jpg'"),
    (1024, r"truncated after member aa01\.00\.jpg"),
    (1024 + 512 + 700, r"truncated within member 'aa01\.01\.jpg'"),
    (1024 + 512 + 1536 + 512, r"truncated within member 'aa01\.json'"),
]


@pytest.mark.parametrize(("size", "message"), TRUNCATED)
def test_56_truncated(shard, size, message):
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(ShardError, match=rf"test-00000\.tar: {message}"):
        list(read_shard(shard))


OTHERWISE = [
    ("empty", lambda content: b"", "truncated before its first member"),
    ("no tar", lambda content: b"PK\3\4" * 300, "no tar header at its start"),
    ("a changed header", lambda content: content[:1030] + b"Z" + content[1031:], r"no tar header after .*aa01\.00"),
    ("more behind the end", lambda content: content + b"y" * 512, "data follow its end"),
]


@pytest.mark.parametrize(("why", "change", "message"), OTHERWISE, ids=[case[0] for case in OTHERWISE])
def test_other_damage(shard, why, change, message):
    shard.write_bytes(change(shard.read_bytes()))
    with pytest.raises(ShardError, match=message):
        list(read_shard(shard))


def test_missing():
    with pytest.raises(ShardError, match=r"none\.tar: No such file"):
        list(read_shard(Path("none.tar")))


NO_MEMBERS = [("../x", "json"), ("a b", "json"), ("a", "pyd"), ("a" * 90, "json"), ("", "json")]


@pytest.mark.parametrize(("key", "field"), NO_MEMBERS)
def test_only_members_of_ours_are_written(tmp_path, key, field):
    with pytest.raises(ShardError, match="cannot be a member"):
        write_shard(tmp_path / "x.tar", [(key, {field: b""})])
