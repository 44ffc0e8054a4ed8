"""One exception family for the whole project; the command line turns it into an exit code in one place."""


class HarnessError(Exception):
    """Error that the user can fix. `str(error)` is the whole message; `exit_code` is the status of the process."""

    exit_code = 2


class TruthError(HarnessError):
    """Error for ground truth that is missing, foreign, damaged, or not what its world file pins."""


class WorldError(HarnessError):
    """Error for a world file, or a file to import as a world, that is not usable; it names file and place."""


class VideoError(HarnessError):
    """Error for a video or picture that cannot be read, or is refused; it names the file."""


class ShardError(HarnessError):
    """Error for a tar shard that is truncated or holds a foreign member; it names the file and the member."""


class RenderError(HarnessError):
    """Error for a request or a folder that cannot be rendered."""
