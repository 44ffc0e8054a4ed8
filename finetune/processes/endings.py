"""Ends of the processes of a run: all of them end where one is killed, the launcher included, and one says why.

The launcher sees that a process has ended, and ends the others. Nobody sees that of the launcher but the processes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from functools import cache
from typing import NoReturn

from torch import distributed

from finetune import LAUNCHER, fail
from finetune.processes.meeting import TrainingError, between_hosts
from harness.errors import HarnessError

LOOK_S = 0.5
"""Seconds between two looks at the launcher."""


@cache
def watch_launcher() -> None:
    """End this process, from a thread of its own, as soon as the launcher of a run with several processes has ended.

    A launcher that is killed cannot end what it started: the processes would train on, beside those of the next start.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return

    def watch() -> None:
        while os.getppid() == LAUNCHER:
            time.sleep(LOOK_S)
        print("error: the launcher has ended, and so does this process", file=sys.stderr, flush=True)
        os._exit(2)  # the main thread may be anywhere, also in a library

    threading.Thread(target=watch, daemon=True).start()


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
