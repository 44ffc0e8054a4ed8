"""DuckDB databases of unknown origin, opened so that nothing in them and nothing they name can do harm.

The database is attached read-only to an in-memory connection that fetches no extension, reaches only the files that it
may, and whose settings are locked. Objects that could replace a table or a function (views, macros) are refused.

Looking for them takes longer than opening: a process looks through a file again only where `state_of` has changed.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.errors import MachineError, TruthError
from reference.home import remedy_for
from reference.machine import has_no_room, reason_of_the_system
from reference.outside_files import is_utf8
from reference.resources import sql

if TYPE_CHECKING:
    import duckdb

STORAGE_VERSION = "v1.4.0"  # what this DuckDB writes by default, older clients cannot open
MAGIC = slice(8, 12), b"DUCK"
PATIENCE_SECONDS = 10.0
SECOND_NS = 1_000_000_000
QUIET_NS = 30_000_000
"""For how long a file must not have been written to: times of files are as coarse as a tick of the kernel, 10 ms."""
TABLES = {"meta", "operations", "clips", "constants", "transition"}


class UnreadableTruthError(TruthError):
    """Error for a file that holds no database, or a damaged one, as a power cut or another program may leave it."""


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an error of DuckDB while it writes (a full disk, say) into a TruthError of one line that names the file."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        reason = reason_of_the_system(error)
        if not reason and not isinstance(error, duckdb.IOException):
            raise
        reason = reason or str(error).splitlines()[0]
        kind = MachineError if has_no_room(reason) else TruthError
        raise kind(f"{path}: cannot be written ({reason}){remedy_for(path)}") from None


def connect(temporary: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory connection that fetches no extension; spilled data goes to `temporary`."""
    import duckdb

    if temporary is not None:
        need_utf8(temporary)
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    if temporary is not None:
        connection.execute("SET temp_directory = ?", [str(temporary)])
    return connection


def need_utf8(path: Path) -> None:
    """Raise TruthError for a path that is not UTF-8, which DuckDB neither reads nor writes."""
    if not is_utf8(str(path.absolute())):
        raise TruthError(f"{str(path)!a}: the name is not UTF-8; choose another file or folder")


def attach_new(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create an empty database at `path` and use it, as `truth`."""
    connection.execute(f"ATTACH ? AS truth (STORAGE_VERSION '{STORAGE_VERSION}')", [str(path)])
    connection.execute("USE truth")


def check_magic(path: Path) -> None:
    """Raise TruthError unless the file begins like a DuckDB database.

    DuckDB must not see another file: for other databases it would fetch an extension from the network.
    """
    place, magic = MAGIC
    try:
        with path.open("rb") as file:
            start = file.read(place.stop)
    except OSError as error:
        raise TruthError(f"{path}: {error.strerror}") from None
    if start[place] != magic:
        raise UnreadableTruthError(f"{path}: not a DuckDB database")


def state_of(path: Path) -> tuple[int, ...] | None:
    """Return what a write to a database changes: device, inode, size and times in nanoseconds.

    None where a write could go unnoticed: just after one, where times are whole seconds, or beside a write-ahead log.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    is_quiet = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > QUIET_NS
    is_exact = found.st_ctime_ns % SECOND_NS > 0
    if not (is_quiet and is_exact) or path.with_name(f"{path.name}.wal").exists():
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def attach_when_free(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a database read-only, as `truth`; waits up to PATIENCE_SECONDS, with jitter, for a writer elsewhere."""
    import duckdb

    deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.02
    while True:
        try:
            connection.execute("ATTACH ? AS truth (READ_ONLY)", [str(path)])
            return
        except duckdb.IOException as error:
            found = re.search(r"Conflicting lock.*?\(PID (\d+)\)", str(error), re.DOTALL)
            if not found:
                raise
            if time.monotonic() > deadline:
                raise TruthError(f"{path}: in use by PID {found[1]}") from None
            time.sleep(pause * (0.5 + random.random()))
            pause = min(1.0, pause * 2)


def restrict(connection: duckdb.DuckDBPyConnection, files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Restrict the connection to these files and folders, and lock its settings. Raises TruthError."""
    files, folders = list(files), list(folders)
    for path in (*files, *folders):
        need_utf8(path)
    connection.execute("SET allowed_paths = ?", [[str(path.absolute()) for path in files]])
    connection.execute("SET allowed_directories = ?", [[str(path.absolute()) for path in folders]])
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")


def check_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raise TruthError unless the database holds exactly the tables of schema.sql."""
    strangers = connection.execute(sql(__package__, "strangers")).fetchall()
    if strangers:
        named = ", ".join(f"{kind} {name}" for kind, name in strangers[:5])
        raise TruthError(f"{path}: holds {named}; a truth database holds tables only")
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'truth'"
        ).fetchall()
    }
    if tables != TABLES:
        raise UnreadableTruthError(
            f"{path}: holds the tables {', '.join(sorted(tables)) or 'none'}; this is no truth database"
        )


def scalar(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Return the single value that a query gives."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
