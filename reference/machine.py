"""Faults of the machine, which no file and no program is to blame for: a full disk, too many open files, no memory."""

from __future__ import annotations

import errno
import os
import re
import sys

from reference.errors import MachineError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""What the system says where nothing more can be written."""
SCARCE = {*FULL, errno.EMFILE, errno.ENFILE}
_REFUSED = {errno.EACCES, errno.EIO, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
_REASON = re.compile("|".join(re.escape(os.strerror(number)) for number in sorted(FULL | _REFUSED)))


def is_of_the_machine(error: BaseException) -> bool:
    """Return True where the machine has no room or open files left: no fault of what was being read.

    Memory is another matter: what was being read may have asked for all of it.
    """
    return isinstance(error, MachineError) or (isinstance(error, OSError) and error.errno in SCARCE)


def is_of_the_database(error: BaseException) -> bool:
    """Return True where DuckDB could not read or write a file, or has no memory left: no fault of the program."""
    duckdb = sys.modules.get("duckdb")
    return duckdb is not None and isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException)


def reason_of_the_system(error: BaseException) -> str:
    """Return what the system says of a file that DuckDB could not write, from DuckDB's error; "" where it is silent.

    DuckDB reports a full disk as an error of reading and writing, of the transaction, or of memory that it could not
    spill: what the system says in it decides.
    """
    found = _REASON.search(str(error))
    return found[0] if found else ""


def has_no_room(reason: str) -> bool:
    """Return True for a reason that says that nothing more can be written."""
    return reason in map(os.strerror, FULL)
