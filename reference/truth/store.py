"""Truth <-> DuckDB: one database a split, written once, opened read-only and locked.

A truth database is derived from a world file or an imported file. It lies in the per-user cache (`HARNESS_HOME`, by
default ~/.cache/warehouse-harness) or in a folder of the caller's. The first use creates it, and it can be deleted at
any time.

Trust: the digest of a split's truth is pinned in its world file and compared at every build. Every database is sealed:
its meta table holds an HMAC over itself and a sum over all rows, under a key that only this user has
(HARNESS_HOME/key). So a database from elsewhere, or one that was altered, is refused; database.py refuses the rest.
A process sums up the rows of a file again only after it was written to; the HMAC it compares at every opening. It
connects to a file that it knows when that is asked something: a score that is kept needs only the split's digest.
"""

from __future__ import annotations

import contextlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reference.code_digest import code_digest
from reference.errors import TruthError
from reference.files import replacement, sha256, sweep
from reference.home import cache_home, make_private_folder, need_usable, sweep_home, user_key
from reference.resources import sql
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth import database
from reference.truth.catalog import locate
from reference.truth.origin import Content, Origin
from reference.truth.truth_rows import clips_table

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION = "2"
_CHUNK = 50_000

Progress = Callable[[int, int], None]
"""Called with clips done and clips expected."""


class _Found(NamedTuple):
    """What a database says of itself."""

    meta: Mapping[str, str]
    operations: tuple[str, ...]


_LOOKED_THROUGH: dict[tuple[int, ...] | None, _Found] = {}
"""What the files hold whose tables and rows this process has checked, by their state (`database.state_of`)."""


@dataclass
class Truth:
    """An open split; close it, or use `with`. `connect` opens its database, when that is first needed."""

    path: Path
    meta: Mapping[str, str]
    operations: tuple[str, ...]
    connect: Callable[[], duckdb.DuckDBPyConnection]
    connected: duckdb.DuckDBPyConnection | None = None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Return the connection, in memory, with the database as `truth`.

        Raises TruthError where a file that was known when the split was opened has been written to since.
        """
        if self.connected is None:
            self.connected = self.connect()
        return self.connected

    @property
    def world(self) -> str:
        """Return the name of the world."""
        return self.meta["world"]

    @property
    def split(self) -> str:
        """Return the name of the split."""
        return self.meta["split"]

    @property
    def digest(self) -> str:
        """Return the SHA-256, hexadecimal, of the split's truth."""
        return self.meta["truth_digest"]

    @property
    def n(self) -> int:
        """Return the number of clips."""
        return int(self.meta["n"])

    @property
    def sessions(self) -> int:
        """Return the number of sessions."""
        return int(self.meta["sessions"])

    @property
    def sample(self) -> str:
        """Return SESSIONS/SEED where a sample stands in the place of the split, else ""."""
        return self.meta.get("sample", "")

    @property
    def public(self) -> bool:
        """Return whether anyone can compute this truth, from a public seed or a revealed secret."""
        return self.meta["public"] == "true"

    @property
    def sealed(self) -> str:
        """Return the commitment of a sealed split, else "". Of a sealed split only redacted numbers may leave.

        After the reveal the split is sealed no more.
        """
        return "" if self.public else self.commitment

    @property
    def commitment(self) -> str:
        """Return the commitment of a split that is or was sealed, else ""."""
        return self.meta["sealed"]

    @property
    def pin(self) -> dict[str, str]:
        """Return what a card pins the truth by: its digest; of a sealed split the commitment, which tells nothing."""
        return {"truth_digest": "", "commitment": self.sealed} if self.sealed else {"truth_digest": self.digest}

    @property
    def answered(self) -> bool:
        """Return whether the truth is here; of a published split only the clips are."""
        return self.meta["kind"] != "published"

    @property
    def in_sample(self) -> bool:
        """Return whether floors and transitions were fitted on the very session that they are quoted for."""
        return self.meta["in_sample"] == "true"

    @property
    def script(self) -> tuple[int | None, ...]:
        """Return, by operation code, the process's most probable successor; None where the world has no process."""
        return tuple(json.loads(self.meta["script"]))

    def is_usable(self) -> bool:
        """Return whether the connection still answers; a fatal error of DuckDB invalidates it for good."""
        import duckdb

        if self.connected is None:
            return True
        try:
            return self.connection.execute("SELECT count(*) FROM truth.clips").fetchone() == (self.n,)
        except (duckdb.Error, RuntimeError):
            return False

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.connected is not None:
            self.connected.close()

    def __enter__(self) -> Truth:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_truth(
    world: str | Path = DEFAULT_WORLD,
    split: str = DEFAULT_SPLIT,
    *,
    home: str | Path | None = None,
    **choices: Any,
) -> Truth:
    """Open a split's truth, with its answers; builds it first where it does not exist yet.

    `choices`: those of `open_clips`. Raises TruthError, also for a published split whose answers are not here, and
    WorldError.
    """
    locate(world, cache_home(home)).need_answers()
    return open_clips(world, split, home=home, **choices)


def open_clips(
    world: str | Path = DEFAULT_WORLD,
    split: str = DEFAULT_SPLIT,
    *,
    home: str | Path | None = None,
    truth: str | Path | None = None,
    allow_files: Iterable[Path] = (),
    allow_directories: Iterable[Path] = (),
    progress: Progress | None = None,
) -> Truth:
    """Open a split for who needs its clips and labels and no answer: also the published folder of a sealed split.

    `truth`: a database of that split, or a folder to keep databases in, instead of the cache. The connection may read
    `allow_files` and read and write in `allow_directories`, and reach nothing else. Raises TruthError, WorldError.
    """
    folder = cache_home(home)
    origin = locate(world, folder)
    path = truth_path(origin, split, home=folder, truth=truth)
    is_ours = truth is None or path != Path(truth)  # derived, so that a damaged one can be made anew
    sweep_home(folder)
    if not path.exists():
        build_truth(origin, split, path, key=user_key(folder), progress=progress)
    elif is_ours:
        sweep(path.parent)
    if origin.seal is not None and path.stat().st_mode & 0o077:
        with contextlib.suppress(OSError):
            path.chmod(0o600)  # written by a version that let others read it
    try:
        opened = attach(path, folder, allow_files, allow_directories)
    except database.UnreadableTruthError:
        if not is_ours:
            raise
        build_truth(origin, split, path, key=user_key(folder), progress=progress)
        opened = attach(path, folder, allow_files, allow_directories)
    try:
        _check_identity(opened, origin, split)
    except TruthError:
        opened.close()
        raise
    return opened


def truth_path(origin: Origin, split: str, *, home: Path, truth: str | Path | None = None) -> Path:
    """Return the path of the database that `open_truth` uses, or would create, for this split.

    Its name is a digest of everything that the rows depend on, so that a changed world, code or database version makes
    a new file. Raises TruthError for an unknown split or an unusable `truth`.
    """
    import duckdb

    origin.check_split(split)
    if truth is not None:
        need_usable(Path(truth))
    if truth is not None and Path(truth).suffix.lower() == ".duckdb":
        if not Path(truth).exists():
            raise TruthError(f"{truth}: no such truth database")
        return Path(truth)
    if truth is not None and not _can_hold(Path(truth)):
        raise TruthError(f"{truth}: neither a folder nor a place for one, nor a .duckdb file")
    pinned = f"{origin.digest}|{split}|{SCHEMA_VERSION}|{code_digest(__name__)}|{duckdb.__version__}"
    name = f"{split}-{sha256(pinned.encode())[:16]}.duckdb"
    return (home / "truth" if truth is None else Path(truth)) / origin.name / name


def build_truth(origin: Origin, split: str, path: Path, *, key: bytes, progress: Progress | None = None) -> None:
    """Write the database of a split. Raises TruthError when its digest is not the one that its world pins.

    The truth of a sealed split is for its owner's eyes alone. That of a revealed one is checked here against its
    commitment, and a database that was not made is never opened.
    """
    content = origin.content(split)
    if origin.seal is not None:
        make_private_folder(path.parent)
    with (
        database.write_errors(path),
        replacement(path, private=origin.seal is not None) as temporary,
        database.connect() as connection,
    ):
        database.attach_new(connection, temporary)
        connection.execute(sql(__package__, "schema"))
        sessions = _insert(connection, content, progress)
        meta = _meta(connection, origin, split, content, sessions)
        _check_pin(origin, split, meta["truth_digest"], int(meta["n"]))
        if origin.published is not None and origin.published.check is not None:
            origin.published.check(meta["truth_digest"])
        meta["seal"] = _seal(key, meta)
        connection.execute("INSERT INTO truth.meta SELECT unnest(?), unnest(?)", [list(meta), list(meta.values())])
        connection.execute("CHECKPOINT truth; USE memory; DETACH truth")


def _can_hold(folder: Path) -> bool:
    """Return whether a path is a folder or can become one; a mistyped path must not become a tree of folders."""
    return folder.is_dir() or (not folder.exists() and folder.absolute().parent.is_dir())


def _insert(connection: duckdb.DuckDBPyConnection, content: Content, progress: Progress | None) -> int:
    """Write the rows, a chunk at a time; return the number of sessions."""
    codes = list(range(len(content.operations)))
    connection.execute("INSERT INTO truth.operations SELECT unnest(?), unnest(?)", [codes, list(content.operations)])
    sessions: dict[str, int] = {}
    done, clips = len(content.unanswered), iter(content.clips)
    if done:
        connection.execute(sql(__package__, "unanswered"))
        connection.execute(
            "INSERT INTO truth.clips BY NAME SELECT unnest(?) AS clip_id, 0 AS fold", [list(content.unanswered)]
        )
    while chunk := list(islice(clips, _CHUNK)):
        connection.register("chunk", clips_table(chunk, content, sessions))
        connection.execute("INSERT INTO truth.clips SELECT * FROM chunk")
        connection.unregister("chunk")
        done += len(chunk)
        if progress is not None:
            progress(done, content.expected)
    if not done:
        raise TruthError("the truth holds no clip")
    # One statement for all folds: a row at a time, 500 folds took longer than everything else together.
    constants = [
        (fit.operation, fit.start_frame, fit.end_frame, fit.next_operation, list(fit.later)) for fit in content.fits
    ]
    columns = [list(range(len(constants))), *map(list, zip(*constants, strict=True))]
    connection.execute(
        "INSERT INTO truth.constants SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)", columns
    )
    rows = [(fold, code, after) for fold, fit in enumerate(content.fits) for code, after in enumerate(fit.transition)]
    columns = list(map(list, zip(*rows, strict=True)))
    connection.execute("INSERT INTO truth.transition SELECT unnest(?), unnest(?), unnest(?)", columns)
    return len(sessions) if content.sessions is None else content.sessions


def _meta(
    connection: duckdb.DuckDBPyConnection, origin: Origin, split: str, content: Content, sessions: int
) -> dict[str, str]:
    code = {label: place for place, label in enumerate(content.operations)}
    script = [code.get(content.script.get(label, "")) for label in content.operations]
    return {
        "schema_version": SCHEMA_VERSION,
        "world": origin.name,
        "split": split,
        "kind": origin.kind,
        "world_digest": origin.digest,
        "truth_digest": database.scalar(connection, sql(__package__, "digest")),
        "row_checksum": database.scalar(connection, sql(__package__, "checksum")),
        "n": str(database.scalar(connection, "SELECT count(*) FROM truth.clips")),
        "sessions": str(sessions),
        "script": json.dumps(script),
        "public": str(origin.public).lower(),
        "sealed": origin.commitment,
        "in_sample": str(content.in_sample).lower(),
    }


def _check_pin(origin: Origin, split: str, digest: str, n: int) -> None:
    pinned = origin.pinned.get(split)
    if pinned and pinned != digest:
        raise TruthError(
            f"world {origin.name}, split {split}: the truth computed here ({n:,} clips) has digest {digest[:16]}, "
            f"its world file pins {pinned[:16]}; the world file or the generator was changed"
        )


def _seal(key: bytes, meta: Mapping[str, str]) -> str:
    text = json.dumps({name: value for name, value in meta.items() if name != "seal"}, sort_keys=True)
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def attach(path: Path, home: Path, allow_files: Iterable[Path] = (), allow_directories: Iterable[Path] = ()) -> Truth:
    """Open one truth database after every check that a file of unknown origin needs. Raises TruthError.

    A file that this process has looked through before is connected to only when somebody asks it something.
    """
    database.check_magic(path)
    files, folders = list(allow_files), list(allow_directories)
    for allowed in (*files, *folders):
        database.need_utf8(allowed)
    state = database.state_of(path)
    if state in _LOOKED_THROUGH:
        found = _LOOKED_THROUGH[state]
        _check_seal(path, found.meta, home)
        return Truth(path, *found, lambda: _connect_again(path, home, files, folders, found))
    connection, found = _connect(path, home, files, folders)
    return Truth(path, *found, lambda: connection, connection)


def _connect(
    path: Path, home: Path, files: Iterable[Path], folders: Iterable[Path]
) -> tuple[duckdb.DuckDBPyConnection, _Found]:
    """Connect to a database; return what it holds, too."""
    import duckdb

    connection = database.connect(home / "temporary")
    state = database.state_of(path)
    is_known = state in _LOOKED_THROUGH
    try:
        database.attach_when_free(connection, path)
        database.restrict(connection, files, folders)
        if not is_known:
            database.check_tables(connection, path)
        meta = dict(connection.execute("SELECT key, value FROM truth.meta").fetchall())
        _check_seal(path, meta, home)
        if not is_known:
            _check_rows(connection, path, meta)
        operations = connection.execute("SELECT operation FROM truth.operations ORDER BY code").fetchall()
    except TruthError:
        connection.close()
        raise
    except duckdb.Error as error:
        connection.close()
        reason = str(error).splitlines()[0]
        raise database.UnreadableTruthError(f"{path}: not a usable truth database ({reason})") from None
    found = _Found(meta, tuple(label for (label,) in operations))
    if state is not None:
        _LOOKED_THROUGH[state] = found
    return connection, found


def _connect_again(
    path: Path, home: Path, files: Iterable[Path], folders: Iterable[Path], expected: _Found
) -> duckdb.DuckDBPyConnection:
    connection, found = _connect(path, home, files, folders)
    if found != expected:
        connection.close()
        raise TruthError(f"{path}: was replaced while it was open")
    return connection


def _check_seal(path: Path, meta: Mapping[str, str], home: Path) -> None:
    if meta.get("schema_version") != SCHEMA_VERSION:
        raise TruthError(f"{path}: schema version {meta.get('schema_version')}, this version reads {SCHEMA_VERSION}")
    if not hmac.compare_digest(meta.get("seal", ""), _seal(user_key(home), meta)):
        raise TruthError(f"{path}: written elsewhere, or altered; build it here with `harness world build`")


def _check_rows(connection: duckdb.DuckDBPyConnection, path: Path, meta: Mapping[str, str]) -> None:
    if database.scalar(connection, sql(__package__, "checksum")) != meta["row_checksum"]:
        raise TruthError(f"{path}: its rows were altered; delete it, and the next use builds it again")


def _check_identity(truth: Truth, origin: Origin, split: str) -> None:
    for name, value in (("world", origin.name), ("split", split), ("world_digest", origin.digest)):
        if truth.meta[name] != value:
            raise TruthError(f"{truth.path}: holds {name} {truth.meta[name][:40]}, expected {value[:40]}")
    _check_pin(origin, split, truth.digest, truth.n)


def export(truth: Truth, path: Path) -> None:
    """Write a split's truth, one row a clip, as JSON Lines, CSV or Parquet by the extension of `path`.

    JSON Lines have the segment as a prediction has it, `temporal_segment`; the others in two columns.
    The connection must have been opened with `path.parent` among its folders. Raises TruthError.
    """
    statements = {".jsonl": "export_jsonl", ".csv": "export_csv", ".parquet": "export_parquet"}
    if path.suffix.lower() not in statements:
        raise TruthError(f"{path}: expected a name that ends in {', '.join(statements)}")
    need_usable(path)
    with database.write_errors(path), replacement(path) as temporary:
        truth.connection.execute(sql(__package__, "exported"))
        truth.connection.execute(sql(__package__, statements[path.suffix.lower()]), {"path": str(temporary.absolute())})
