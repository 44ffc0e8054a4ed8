"""One exception family for the whole project; the command line turns it into an exit code in one place."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_NAME = 100
"""Characters of a mistyped name that are compared with the known ones."""


class HarnessError(Exception):
    """Error that the user can fix. `str(error)` is the whole message; `exit_code` is the status of the process."""

    exit_code = 2


class TruthError(HarnessError):
    """Error for ground truth that is missing, foreign, damaged, or not what its world file pins."""


class MachineError(TruthError):
    """Error for a machine without room: nothing that was being read is to blame for it."""


class WorldError(HarnessError):
    """Error for a world file, or a file to import as a world, that is not usable; it names file and place."""


class VideoError(HarnessError):
    """Error for a video or picture that cannot be read, or is refused; it names the file."""


class ShardError(HarnessError):
    """Error for a tar shard that is truncated or holds a foreign member; it names the file and the member."""


class PoolError(HarnessError):
    """Error for workers that cannot be had, or that died."""


class RenderError(HarnessError):
    """Error for a request or a folder that cannot be rendered."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the one of `names` that a mistyped name probably means, in any case of its letters; "" if none is near."""
    from difflib import get_close_matches

    known = {other.casefold(): other for other in names}
    return next((known[near] for near in get_close_matches(name.casefold()[:LONGEST_NAME], known, 1)), "")
