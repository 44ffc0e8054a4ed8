"""Workers on Ray: a cluster that is joined, or one that is started here and ends with this process.

    ray                 a cluster of this machine, started here
    ray:HOST:6379       a cluster that this machine belongs to; ray:auto finds it
    ray://HOST:10001    a cluster elsewhere, joined through its client server

Two ways lead there. `in_order` is the twin of `processes.in_processes`: tasks that need nothing but their arguments;
Ray does a task again whose worker died. `Workers` keep an object each, such as a model that takes minutes to load, and
results come as they are ready; a task whose worker died goes to another one.

This project must be installed on every machine. What a worker prints stays in Ray's own logs.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from reference.errors import HarnessError, PoolError
from reference.extras import needs
from reference.pools import processes

Task = TypeVar("Task")
Result = TypeVar("Result")
Shared = TypeVar("Shared")

PREFIX = "ray"
DEATHS = 3
"""Workers that may die at one task, or before they begin."""
STORE_BYTES = 256 << 20
"""Memory for results under way in a cluster that is started here."""
STARTS = 3
"""Tries to start a cluster here: Ray gives its own processes half a minute, which a busy machine may need longer."""
PATIENCE_S = 30.0
"""Seconds after which the user hears that the cluster has no free place."""


class TaskLost(PoolError):
    """Error for a task at which DEATHS workers died. `task`: that one."""

    def __init__(self, task: Any):
        super().__init__(f"{DEATHS} workers died at the same task (out of memory, or stopped from outside)")
        self.task = task


class WorkerDied(PoolError):
    """Error for one worker that died, or cannot be reached any more."""


def address_of(on: str) -> str:
    """Return the address behind `ray`, `ray:ADDRESS` or `ray://ADDRESS`, as Ray takes it; "local" starts a cluster.

    Raises PoolError for any other text.
    """
    if on == PREFIX:
        return "local"
    if on.startswith(f"{PREFIX}://") and len(on) > len(f"{PREFIX}://"):
        return on
    address = on.removeprefix(f"{PREFIX}:")
    if address == on or not address or address.startswith("/"):
        raise PoolError(f"--on {on!s:.80}: expected ray, ray://HOST:PORT, or ray:ADDRESS such as ray:auto")
    return address


@dataclass(frozen=True)
class Cluster:
    """Cluster that is joined. `most`: workers that the user allows; `cpus` and `gpus`: what all its machines have."""

    is_ours: bool  # started here: it ends with this process
    most: int | None
    cpus: int
    gpus: int

    @property
    def tasks(self) -> int:
        """Return how many tasks of one processor run at once."""
        return min(self.most or self.cpus, self.cpus)

    @property
    def workers(self) -> int:
        """Return how many workers there is room for: one on each card, or, where there is none, on each processor.

        More than cards, which the user may ask for, share them.
        """
        return min(self.most or self.gpus or self.cpus, self.cpus)

    @property
    def cards(self) -> float:
        """Return the share of a card that each worker gets."""
        return 1 / math.ceil(self.workers / self.gpus) if self.gpus else 0.0

    def in_order(
        self, work: Callable[[Shared, Task], Result], shared: Shared, tasks: Iterable[Task]
    ) -> Generator[Result]:
        """Yield `work(shared, task)` for each task, in order, computed anywhere in the cluster.

        `work` is a function of a module, `shared` is sent to each machine once. Raises what `work` raises, and
        PoolError where workers died at a task again and again.
        """
        # a cluster that is started here has as many processors as tasks may run at once; elsewhere what is in flight
        # keeps to the user's number
        ahead = self.tasks * 2 if self.is_ours or self.most is None else self.tasks
        call: Any = work  # which each worker calls with `shared` too
        yield from processes.in_order(_Tasks(shared), call, tasks, ahead)


@contextlib.contextmanager
def joined(on: str, most: int | None) -> Iterator[Cluster]:
    """Join the cluster that `on` names, or start one with `most` processors, by default all of this machine.

    A cluster that is started here is shut down in the end, one that was there is left. Raises PoolError.
    """
    ray, address = _imported(), address_of(on)
    ours = address == "local"
    if running := ray.is_initialized():  # a program that uses Ray itself keeps its own cluster
        ours = False
    else:
        _begin(ray, on, address, most)
    try:
        found = ray.cluster_resources()
        yield Cluster(ours, most, max(1, int(found.get("CPU", 1))), int(found.get("GPU", 0)))
    finally:
        if not running:
            ray.shutdown()


def _imported() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import: Ray reports to its makers otherwise
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or it warns of a change to come
    if "RAY_AUTH_TOKEN" in os.environ or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # which its client server wants to hear, unlike the others
    try:
        import ray
    except ImportError as error:
        raise PoolError(needs("--on ray", error)) from None
    return ray


def _begin(ray: Any, on: str, address: str, most: int | None) -> None:
    """Start or join a cluster quietly. Ray's handler of SIGTERM leaves without a word: the one before comes back."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    own = {"num_cpus": most, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    main, starts = threading.current_thread() is threading.main_thread(), 1 if address != "local" else STARTS
    before = signal.getsignal(signal.SIGTERM)
    try:
        for left in reversed(range(starts)):
            try:
                ray.init(address=address, **quiet, **(own if address == "local" else {}))
                break
            except Exception as error:  # what a library with five transports raises is not listed anywhere
                with contextlib.suppress(Exception):
                    ray.shutdown()
                if not left:
                    words = str(error).strip().partition("\n")[0][:300] or type(error).__name__
                    what = "cannot be started" if address == "local" else "cannot be joined"
                    raise PoolError(f"--on {on}: Ray {what}: {words}") from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
    # Ray prints on standard output when a worker dies, whatever it was told; who waits for the worker says so
    ray._private.worker.print_to_stdstream = lambda *words, **more: None


def _get(ref: Any) -> Any:
    """Return a result when it is ready. Raises what the work raised, and WorkerDied."""
    import ray

    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, BaseException) else error from None
    except ray.exceptions.RayError as error:
        raise WorkerDied(str(error).strip().partition("\n")[0][:300].rstrip(".")) from None


class _Submitted(NamedTuple):
    """Task that was handed to Ray."""

    ref: Any

    def result(self) -> Any:
        try:
            return _get(self.ref)
        except WorkerDied as error:
            raise PoolError(f"workers of Ray died at one task again and again ({error})") from None

    def cancel(self) -> None:
        import ray

        with contextlib.suppress(Exception):
            ray.cancel(self.ref)


class _Tasks:
    """Pool of `reference.pools.processes` whose tasks run in the cluster."""

    def __init__(self, shared: Any):
        import ray

        self._call = ray.remote(max_retries=DEATHS - 1, num_cpus=1)(_call)
        self._shared, self._here = ray.put(shared), host()

    def submit(self, work: Any, task: Any, /) -> _Submitted:
        return _Submitted(self._call.remote(self._here, work, self._shared, task))


def host() -> str:
    """Return the name of this machine."""
    return os.uname().nodename


def _call(asker: str, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do a task in a worker. An error of the harness from another machine says which one that is."""
    try:
        return work(*arguments)
    except HarnessError as error:
        if host() != asker:
            error.args = (f"{error} (on {host()})", *error.args[1:])
        raise


class _Actor:
    """What Ray runs as a worker: it keeps an object, and works with it."""

    def __init__(self, asker: str):
        self._asker, self._kept = asker, None

    def begin(self, begin: Callable[..., tuple[Any, Any]], *arguments: Any) -> Any:
        self._kept, said = _call(self._asker, begin, self._kept, *arguments)
        return said

    def work(self, work: Callable[..., Any], task: Any, following: Any) -> Any:
        return _call(self._asker, work, self._kept, task, following)


@dataclass(eq=False)
class _Worker:
    """One worker. `tasks`: the one that it is at, and the one that it does next."""

    actor: Any
    has_begun: bool = False
    tasks: deque[Any] = field(default_factory=deque)


class Workers:
    """Workers in a cluster, each of which keeps an object, as long as this one is not closed.

    `begin(kept, *arguments)` is a function of a module that returns the object to keep, made of the one kept so far
    (None at first), and what to say of it.
    """

    def __init__(self, cluster: Cluster, say: Callable[[str], object]):
        self.cluster, self._say = cluster, say
        self._living: list[_Worker] = []
        self._busy: dict[Any, _Worker] = {}

    def close(self) -> None:
        """End all workers."""
        import ray

        for worker in self._living:
            with contextlib.suppress(Exception):
                ray.kill(worker.actor)
        self._living, self._busy = [], {}

    def first(self, begin: Callable[..., tuple[Any, Any]], *arguments: Any) -> Any:
        """Let the first worker begin; return what it says. Raises what `begin` raises, and PoolError."""
        import ray

        for _ in range(DEATHS):
            ref = self._start().actor.begin.remote(begin, *arguments)
            if not ray.wait([ref], timeout=PATIENCE_S)[0]:
                self._say("the first worker waits for a free place in the cluster, or takes long to load")
            try:
                return _get(ref)
            except WorkerDied as error:
                self._living.clear()
                death = error
        raise _no_worker(death)

    def results(
        self,
        begin: tuple[Any, ...],
        work: Callable[[Any, Task, Task | None], Result],
        tasks: Iterable[Task],
        most: int,
    ) -> Generator[tuple[Task, Result]]:
        """Yield (task, `work(kept, task, following)`) as they are ready, from `most` workers, or as many as have room.

        `begin`: the function with which each worker begins, and its arguments. `following`: the task that the worker
        does next, to prepare it. Tasks are values that can be compared. Raises what `begin` and `work` raise, TaskLost
        where DEATHS workers died at a task, and PoolError where so many died before they began.
        """
        import ray

        function, arguments = begin[0], tuple(map(ray.put, begin[1:]))
        todo, deaths = _Todo(tasks), Counter[Any]()
        for worker in self._living:
            worker.has_begun = False
            self._busy[worker.actor.begin.remote(function, *arguments)] = worker
        while True:
            while len(self._living) < min(most, self.cluster.workers) and todo.has_more():
                worker = self._start()
                self._busy[worker.actor.begin.remote(function, *arguments)] = worker
            self._hand_out(work, todo)
            if not self._busy:
                return
            ref = ray.wait(list(self._busy), num_returns=1)[0][0]
            worker = self._busy.pop(ref)
            try:
                result = _get(ref)
            except WorkerDied as death:
                self._bury(worker, todo, deaths, death)
                continue
            if worker.has_begun:
                yield worker.tasks.popleft(), result
            worker.has_begun = True
            deaths[None] = 0

    def _start(self) -> _Worker:
        import ray

        actor = ray.remote(num_cpus=1, num_gpus=self.cluster.cards)(_Actor)
        self._living.append(_Worker(actor.remote(host())))
        return self._living[-1]

    def _hand_out(self, work: Callable[..., Any], todo: _Todo) -> None:
        """Give each worker that is free its next task, and the one after that."""
        at_work = set(map(id, self._busy.values()))
        for worker in self._living:
            if id(worker) in at_work or not worker.has_begun:
                continue
            while len(worker.tasks) < 2 and todo.has_more():
                worker.tasks.append(todo.take())
            if worker.tasks:
                now, following = worker.tasks[0], worker.tasks[1] if len(worker.tasks) > 1 else None
                self._busy[worker.actor.work.remote(work, now, following)] = worker

    def _bury(self, worker: _Worker, todo: _Todo, deaths: Counter[Any], death: WorkerDied) -> None:
        """Give the tasks of a dead worker to others. Raises TaskLost, and PoolError where none begins."""
        import ray

        with contextlib.suppress(Exception):
            ray.kill(worker.actor)  # it may live, where nobody reaches it
        self._living.remove(worker)
        at = worker.tasks[0] if worker.tasks else None
        deaths[at] += 1
        if deaths[at] >= DEATHS:
            raise _no_worker(death) if at is None else TaskLost(at)
        self._say(f"a worker died ({death}); others do what it was at")
        todo.put_back(worker.tasks)


def _no_worker(death: WorkerDied) -> PoolError:
    return PoolError(
        f"{DEATHS} workers of Ray died before they could begin ({death}): out of memory, stopped from outside, or this "
        "project is not installed on every machine"
    )


class _Todo:
    """Tasks that nobody is at."""

    def __init__(self, tasks: Iterable[Any]):
        self._tasks, self._first = iter(tasks), deque[Any]()

    def has_more(self) -> bool:
        if not self._first:
            self._first.extend(islice(self._tasks, 1))
        return bool(self._first)

    def take(self) -> Any:
        return self._first.popleft()

    def put_back(self, tasks: Iterable[Any]) -> None:
        self._first.extendleft(reversed(list(tasks)))
