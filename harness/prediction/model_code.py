"""Calls into a model's own code, which may do anything: raise, leave the process, change the working directory.

Whatever it raises becomes a sentence of the harness, SystemExit and the like included; Ctrl-C alone passes on. It has a
working directory of its own: one that it chooses holds for its later calls, and the harness goes on in the one that the
user started it in, with its own standard streams and mask of new files. `os._exit` cannot be caught where it is called,
so it is an exception while a model is asked.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

LONGEST = 1000
"""Characters of what a model raises: a message may hold the batch."""


class ModelCode:
    """Guard of one model's calls: `with code.called(sentence): ...`."""

    def __init__(self) -> None:
        self._here = _working_directory()
        self._there = self._here
        self._umask = os.umask(0o022)  # the only way to read it is to set it
        os.umask(self._umask)
        self._streams = [(name, getattr(sys, name), _copy(getattr(sys, name))) for name in ("stdout", "stderr")]

    def close(self) -> None:
        """Close what was kept to open the streams again."""
        for *_, copy in self._streams:
            if copy is not None:
                os.close(copy)

    @contextlib.contextmanager
    def called(
        self, failure: Callable[[str], HarnessError], *, own: type[HarnessError] | None = None
    ) -> Iterator[None]:
        """Run what is inside as the model's code. `failure`: from a cause in words to the error to raise in its place.

        `own`: errors of the harness that pass as they are, because the model raises them for its user.
        """
        try:
            with self._in_its_directory():
                yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if own and isinstance(error, own):
                raise
            raise failure(cause(error)) from error

    @contextlib.contextmanager
    def _in_its_directory(self) -> Iterator[None]:
        if self._there and self._there != self._here:
            with contextlib.suppress(OSError):
                os.chdir(self._there)
        try:
            yield
        finally:
            self._put_back_streams()
            os.umask(self._umask)
            self._there = _working_directory()
            if self._there != self._here and self._here:
                os.chdir(self._here)

    def _put_back_streams(self) -> None:
        """Undo what the model did to the standard streams, on which the harness reports: replaced or closed them."""
        for number, (name, stream, copy) in enumerate(self._streams, 1):
            if copy is not None and getattr(stream, "closed", False):
                os.dup2(copy, number)
                stream = open(number, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)  # noqa: SIM115
                self._streams[number - 1] = name, stream, copy
            setattr(sys, name, stream)


def cause(error: BaseException, longest: int | None = LONGEST) -> str:
    """Return the error and the line that raised it: the command line shows no traceback."""
    try:
        text = str(error)
    except Exception:  # a model's exception may not even say what it is
        text = "without a message"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({Path(lines[-1].filename).name}:{lines[-1].lineno})" if lines else ""
    return f"{type(error).__name__}: {text[:longest]}{place}"


_LEAVE = os._exit
_inside: dict[int, int] = {}  # calls of no_silent_exit that each thread is in
_lock = threading.Lock()
_before, _least = _LEAVE, 0


@contextlib.contextmanager
def no_silent_exit() -> Iterator[None]:
    """Make `os._exit` an exception in this thread while a model is asked, and never a success in another one.

    Threads may be inside at the same time; the last to leave puts `os._exit` back. Processes that the model forks end
    by it as ever.
    """
    global _before, _least
    thread = threading.get_ident()
    with _lock:
        if not _inside:
            _before, _least = os._exit, 0
            os._exit = _refuse  # type: ignore[assignment]
        _inside[thread] = _inside.get(thread, 0) + 1
    try:
        yield
    except BaseException:
        _least = 1  # a handler that the model registered to leave by it does not make a success of this
        raise
    finally:
        with _lock:
            _inside[thread] = _inside.get(thread, 0) - 1
            if _inside[thread] <= 0:
                del _inside[thread]
            if not _inside:
                _put_back_exit()


def leave(status: int) -> None:
    """End the process at once with this status, also while a model is asked."""
    _LEAVE(status)


def _refuse(status: int = 0) -> None:
    """Stand in the place of `os._exit`; models may keep it, and call it when nothing is asked any more."""
    if threading.get_ident() in _inside:
        raise SystemExit(f"os._exit({status})")
    if _inside:
        os.write(2, f"harness: the model ended the process by os._exit({status}); its answers are kept\n".encode())
    _LEAVE(status or (1 if _inside else _least))


def _put_back_exit() -> None:
    if os._exit is _refuse:
        os._exit = _before


def _forget_calls() -> None:
    """Let a forked process leave by `os._exit`: the calls are its parent's."""
    global _lock, _least
    _lock, _least = threading.Lock(), 0
    _inside.clear()
    _put_back_exit()


os.register_at_fork(after_in_child=_forget_calls)


def _copy(stream: Any) -> int | None:
    """Return a copy of a standard stream's descriptor, None for a stream of another kind."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if stream.fileno() in (1, 2):
            return os.dup(stream.fileno())
    return None


def _working_directory() -> str | None:
    """Return the working directory, None where it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return None
