"""Tar shards in WebDataset's layout: members of one sample stand together, its key is the name up to the first dot.

A sample has `KEY.json` (what a model may see of the clip), `KEY.00.jpg`, `KEY.01.jpg`, ... (or .webp) and, where models
may train on it, `KEY.truth.json`. Shards are plain ustar with times, owners and modes set to constants: equal samples
give equal bytes.

Reading is strict, since a tar of unknown origin can hold anything: only regular files with such names; no folders,
links or devices, no other extensions (`.pyd` and `.pkl` members would be run by WebDataset's default decoders), no
extended headers; a size limit; an end. Every refusal is a ShardError that names file and member.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from reference.errors import ShardError
from reference.outside_files import open_regular

MEMBER = re.compile(r"(?P<key>[A-Za-z0-9][A-Za-z0-9_-]{0,79})\.(?P<field>[0-9]{2}\.(?:jpg|webp)|json|truth\.json)")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
MEMBER_BYTES = 64 << 20
_BLOCK = 512
_KINDS = {
    tarfile.DIRTYPE: "a folder", tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a pipe",
    tarfile.XHDTYPE: "an extended header", tarfile.XGLTYPE: "an extended header",
    tarfile.GNUTYPE_LONGNAME: "a long name", tarfile.GNUTYPE_LONGLINK: "a long link",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}  # fmt: skip


class Sample(NamedTuple):
    """One clip in a shard: its key, its members by the rest of their names, and the byte at which it begins."""

    key: str
    members: Mapping[str, bytes]
    offset: int

    @property
    def facts(self) -> dict[str, Any]:
        """Return the clip's line of clips.jsonl without paths: what a model may see."""
        return json.loads(self.members["json"])

    @property
    def truth(self) -> dict[str, Any] | None:
        """Return the clip's truth, or None where the shard has none."""
        return json.loads(self.members["truth.json"]) if "truth.json" in self.members else None

    @property
    def pictures(self) -> list[bytes]:
        """Return the image files in the order of the frames."""
        return [self.members[field] for field in sorted(self.members) if field[0].isdigit()]


def members_of(
    facts: Mapping[str, Any], pictures: Iterable[bytes], image: str, truth: Mapping[str, Any] | None
) -> dict[str, bytes]:
    """Return the members of a sample, by the names that follow its key."""
    members = {f"{place:02d}.{image}": picture for place, picture in enumerate(pictures)}
    members["json"] = _json(facts)
    if truth is not None:
        members["truth.json"] = _json(truth)
    return members


def write_shard(path: Path, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    """Write (key, members) pairs as a tar, in place: for a path that nobody reads before this function returns."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for key, members in samples:
            for field, content in members.items():
                if not MEMBER.fullmatch(f"{key}.{field}"):
                    raise ShardError(f"{path}: {key}.{field} cannot be a member")
                member = tarfile.TarInfo(f"{key}.{field}")
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))


def read_shard(path: Path) -> Iterator[Sample]:
    """Yield the samples of a shard in turn. Raises ShardError at the first member that does not belong into one."""
    yield from _samples(path, 0)


def read_sample(path: Path, offset: int) -> Sample:
    """Return the sample whose first header stands at byte `offset`. Raises ShardError."""
    found = next(_samples(path, offset), None)
    if found is None:
        raise ShardError(f"{path}: no sample at byte {offset}")
    return found


def _samples(path: Path, start: int) -> Iterator[Sample]:
    key, offset, members, done = "", start, dict[str, bytes](), set[str]()
    for place, found, field, content in _members(path, start):
        if found != key:
            if members:
                yield Sample(key, members, offset)
            done.add(key)
            key, offset, members = found, place, {}
        if found in done or field in members:
            raise ShardError(f"{path}: member {found}.{field} occurs twice, or apart from its sample")
        members[field] = content
    if members:
        yield Sample(key, members, offset)


def _members(path: Path, start: int) -> Iterator[tuple[int, str, str, bytes]]:
    """Yield (offset, key, field, content) of each member, read block by block.

    tarfile would follow links and extended headers, which no shard of ours has.
    """
    with open_regular(path, ShardError) as file:
        file.seek(start)
        last = ""
        while True:
            place = file.tell()
            member = _header(path, file, last)
            if member is None:
                return
            name = MEMBER.fullmatch(member.name)
            assert name is not None
            yield place, name["key"], name["field"], _content(path, file, member)
            last = member.name


def _header(path: Path, file: IO[bytes], last: str) -> tarfile.TarInfo | None:
    block = file.read(_BLOCK)
    if len(block) < _BLOCK:
        raise ShardError(f"{path}: truncated {f'after member {last}' if last else 'before its first member'}")
    if not any(block):
        if any(map(any, iter(lambda: file.read(MEMBER_BYTES), b""))):
            raise ShardError(f"{path}: data follow its end")
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        after = f"after member {last}" if last else "at its start"
        raise ShardError(f"{path}: no tar header {after}: damaged, or no tar file") from None
    _check_member(path, member)
    return member


def _check_member(path: Path, member: tarfile.TarInfo) -> None:
    name = member.name[:200]
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise ShardError(f"{path}: member {name!r} is {_KINDS.get(member.type, 'of an unknown kind')}, expected a file")
    if not MEMBER.fullmatch(member.name):
        raise ShardError(f"{path}: member {name!r}: expected KEY.json, KEY.truth.json, KEY.00.jpg or KEY.00.webp")
    if not 0 <= member.size <= MEMBER_BYTES:
        raise ShardError(f"{path}: member {name!r} has {member.size:,} bytes, at most {MEMBER_BYTES:,} are read")


def _content(path: Path, file: IO[bytes], member: tarfile.TarInfo) -> bytes:
    content = file.read(member.size)
    padding = -member.size % _BLOCK
    if len(content) < member.size or len(file.read(padding)) < padding:
        raise ShardError(f"{path}: truncated within member {member.name!r}")
    return content


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
