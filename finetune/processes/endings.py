"""End of all processes of a run by an error that all of them raised."""

from __future__ import annotations

import contextlib
from typing import NoReturn

from torch import distributed

from finetune import fail
from finetune.processes.meeting import TrainingError, between_hosts
from harness.errors import HarnessError


def fail_together(error: HarnessError) -> NoReturn:
    """End the command with an error's message and exit code.

    What every process raised is printed by the first one, and none ends before it: the launcher would end that one too.
    """
    if not (isinstance(error, TrainingError) and distributed.is_available() and distributed.is_initialized()):
        fail(error)
    try:
        if distributed.get_rank() == 0:
            fail(error)
        raise SystemExit(error.exit_code)
    finally:
        with contextlib.suppress(RuntimeError):
            distributed.barrier(group=between_hosts())
