"""Progress of long work, on stderr: after a quiet second a line that redraws itself on a terminal, else nothing.

Standard output stays what a pipe reads.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

QUIET_SECONDS = 1.0
REDRAW_SECONDS = 0.2

Report = Callable[[int, int], None]


@contextlib.contextmanager
def counter(what: str) -> Iterator[Report]:
    """A function of (done, expected) that shows count, share, rate and remaining time."""
    line = _Line(what)
    try:
        yield line.report
    finally:
        line.clear()


class _Line:
    def __init__(self, what: str):
        self.what, self.begun, self.drawn, self.shown = what, time.monotonic(), 0.0, False

    def report(self, done: int, expected: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self.begun < QUIET_SECONDS or now - self.drawn < REDRAW_SECONDS:
            return
        rate = done / (now - self.begun)
        left = max(0.0, (expected - done) / rate) if rate else 0.0
        text = (
            f"{self.what}: {done:,} of {expected:,} ({done / max(expected, 1):.0%}), {rate:,.0f}/s, {left:.0f} s left"
        )
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
        self.drawn, self.shown = now, True

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
