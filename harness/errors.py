"""What can go wrong while judging, as one family under `HarnessError`; `cli.main` turns it into an exit code."""

from reference.errors import HarnessError, TruthError, WorldError

__all__ = ["GateFailed", "HarnessError", "SubmissionError", "TruthError", "UsageError", "WorldError"]


class UsageError(HarnessError):
    """The request itself cannot be carried out: a missing file, an unknown name, options that exclude each other."""


class SubmissionError(HarnessError):
    """A prediction file was refused; `problems` holds what was found in one pass, at most as many as are shown."""

    def __init__(self, message: str, problems: tuple = (), total: int = 0):
        super().__init__(message)
        self.problems = problems
        self.total = total


class GateFailed(HarnessError):
    """A `--fail-under` or `--fail-if-worse` condition does not hold."""

    exit_code = 1
