"""The one exception family of the project; the command line turns it into an exit code in one place."""


class HarnessError(Exception):
    """Something the user can mend. `str(error)` is the whole message; `exit_code` is the process's status."""

    exit_code = 2


class TruthError(HarnessError):
    """Ground truth is missing, foreign, damaged, or not what its world file says it is."""


class WorldError(HarnessError):
    """A world file or a file to import as a world is not usable; the message names file and place."""


class VideoError(HarnessError):
    """A video or picture cannot be read, or is refused; the message names the file."""


class ShardError(HarnessError):
    """A tar shard is truncated or holds what no shard of ours holds; the message names the file and the member."""


class RenderError(HarnessError):
    """A rendering cannot be made where or as it was asked for."""
