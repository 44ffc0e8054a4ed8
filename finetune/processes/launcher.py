"""Watch over the launcher of a run with several processes: where it has ended, so do they.

A launcher that is killed cannot end what it started. The processes would train on, beside those of the next start.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import cache

LAUNCHER = os.getppid()
"""Process that started this one."""
LOOK_S = 0.5
"""Seconds between two looks at it."""


@cache
def watch_launcher() -> None:
    """End this process, from a thread of its own, as soon as its launcher has ended, if there are several processes."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.getppid() == LAUNCHER:
        time.sleep(LOOK_S)
    print("error: the launcher has ended, and so does this process", file=sys.stderr, flush=True)
    os._exit(2)  # the main thread may be anywhere, also in a library
