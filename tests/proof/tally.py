"""Row of the proof's table while it is being filled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import HarnessError
from tests.proof import table


class Tally:
    """Counts of one kind of try."""

    def __init__(self, part: str, what: str):
        self._part, self.what = part, what
        self.tried = self.crashes = self.disagreements = self.torn = self.slow = 0

    @contextmanager
    def one(self, name: str, tried: int = 1) -> Iterator[list[HarnessError]]:
        """Count a try, its processor time (the machine may be busy), and an exception that is no HarnessError.

        Yields a list that holds the HarnessError, where one came.
        """
        refused: list[HarnessError] = []
        self.tried += tried
        began = time.process_time()
        try:
            yield refused
        except HarnessError as error:
            refused.append(error)
        except Exception as error:
            self.crashes += 1
            table.report(self._part, f"{self.what}: {name}: {type(error).__name__}: {error}")
        if (took := time.process_time() - began) > table.SLOW:
            self.slow += 1
            table.report(self._part, f"{self.what}: {name}: took {took:.1f} s")

    def differs(self, name: str, what: str) -> None:
        """Count a disagreement."""
        self.disagreements += 1
        table.report(self._part, f"{self.what}: {name}: {what}")

    def fails(self, name: str, what: str) -> None:
        """Count a crash of a command."""
        self.crashes += 1
        table.report(self._part, f"{self.what}: {name}: {what}")

    def tears(self, name: str, what: str) -> None:
        """Count a file that must not be as it is."""
        self.torn += 1
        table.report(self._part, f"{self.what}: {name}: {what}")

    def row(self) -> table.Row:
        counts = {"tried": self.tried, "crashes": self.crashes, "disagreements": self.disagreements}
        return table.row(self.what, **counts, torn=self.torn, slow=self.slow)
