"""Tasks for other processes or threads: results in the order of the tasks, few tasks in flight.

A slow reader holds the workers back, so memory does not grow with the number of tasks.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Shared = TypeVar("Shared")


class Submitted(Protocol):
    """Task that was handed to a pool, as a Future of Python is one."""

    def result(self) -> Any:
        """Return what the task returned, when it has ended. Raises what it raised."""

    def cancel(self) -> Any:
        """Keep the task from being begun, where that is possible."""


class Pool(Protocol):
    """Place for tasks, as an Executor of Python is one."""

    def submit(self, work: Any, task: Any, /) -> Submitted:
        """Hand over `work(task)`."""


def in_processes(
    work: Callable[[Shared, Task], Result], shared: Shared, tasks: Iterable[Task], workers: int, ahead: int
) -> Generator[Result]:
    """Yield `work(shared, task)` for each task, in order, computed by `workers` fresh processes.

    `work` is a function of a module, `shared` is sent to each process once. Raises what `work` raises, and
    BrokenProcessPool where a process dies.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Processes are spawned: a fork of a process that runs threads (DuckDB has some) can deadlock.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(shared,)) as pool:
        yield from in_order(pool, _call, ((work, task) for task in tasks), ahead)


def in_order(pool: Pool, work: Callable[[Task], Result], tasks: Iterable[Task], ahead: int) -> Generator[Result]:
    """Yield `work(task)` for each task, in order; up to `ahead` tasks are in flight, also while the reader works."""
    tasks = iter(tasks)
    waiting = deque(pool.submit(work, task) for task in islice(tasks, ahead))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, task) for task in islice(tasks, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()


_kept: Any = None
"""In a worker process: the object that its tasks share."""


def _begin(shared: Any) -> None:
    """Keep the shared object, and end this worker when its parent ends.

    The parent may be killed alone, and then the pool's pipes do not tell a worker, which would wait for tasks for ever.
    """
    global _kept
    _kept = shared
    end_with_parent()


def end_with_parent() -> None:
    """End this process, from a thread of its own, as soon as the process that started it has ended."""
    from multiprocessing import parent_process

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)  # the main thread may be anywhere, also in a library

    threading.Thread(target=watch, daemon=True).start()


def _call(call: tuple[Callable[[Any, Any], Any], Any]) -> Any:
    work, task = call
    return work(_kept, task)
