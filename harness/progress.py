"""Progress of long work on stderr: after a quiet second a line that redraws itself on a terminal.

Where there is no terminal, a line a minute if the caller wants it (`logged`), so that the log of a job that takes hours
is neither silent nor full. Standard output is left to the results, which a pipe may read.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

QUIET_SECONDS = 1.0
REDRAW_SECONDS = 0.2
LOG_SECONDS = 60.0

Report = Callable[[int, int], None]


@contextlib.contextmanager
def counter(what: str, *, done: int = 0, logged: bool = False) -> Iterator[Report]:
    """Yield a function of (done, expected) that shows count, share, rate and remaining time.

    `done`: items that were there before, which do not count in the rate. `logged`: a line a minute without a terminal.
    """
    line = _Line(what, done, logged)
    try:
        yield line.report
    finally:
        line.clear()


class _Line:
    """Line about work that is under way."""

    def __init__(self, what: str, before: int, logged: bool):
        self.what, self.before, self.logged = what, before, logged
        self.start = self.drawn = time.monotonic()
        self.shown = False

    def report(self, done: int, expected: int) -> None:
        """Draw the line, unless it is too early for it."""
        now, terminal = time.monotonic(), sys.stderr.isatty()
        pause = REDRAW_SECONDS if terminal else LOG_SECONDS
        if not (terminal or self.logged) or now - self.start < QUIET_SECONDS or now - self.drawn < pause:
            return
        text = self.text(done, expected, now - self.start)
        sys.stderr.write(f"\r\x1b[K{text}" if terminal else f"{text}\n")
        sys.stderr.flush()
        self.drawn, self.shown = now, terminal

    def text(self, done: int, expected: int, seconds: float) -> str:
        """Return the line after so many seconds of work."""
        rate = (done - self.before) / seconds
        left = max(0.0, (expected - done) / rate) if rate else 0.0
        speed = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
        return f"{self.what}: {done:,} of {expected:,} ({done / max(expected, 1):.0%}), {speed}, {span(left)} left"

    def clear(self) -> None:
        """Take the line off the terminal."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def span(seconds: float) -> str:
    """Return a time in the unit that people would name it in."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
