"""Workers on Ray: which cluster is meant, how many workers there are, and what becomes of the tasks of one that dies.

A stand-in of a few lines takes the place of Ray: what it answers and who dies is written into each case.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from reference.errors import HarnessError, PoolError
from reference.pool_on_ray import DEATHS, Cluster, TaskLost, Workers, address_of


@pytest.mark.parametrize(
    ("on", "address"),
    [
        ("ray", "local"),
        ("ray:auto", "auto"),
        ("ray:10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray://head:10001", "ray://head:10001"),
    ],
)
def test_address(on, address):
    assert address_of(on) == address


@pytest.mark.parametrize("on", ["", "Ray", "ray:", "ray://", "ray:/head", "dask", "rayon"])
def test_no_address(on):
    with pytest.raises(PoolError, match=r"expected ray, ray://HOST:PORT, or ray:ADDRESS"):
        address_of(on)


@pytest.mark.parametrize(
    ("most", "cpus", "gpus", "workers", "cards", "why"),
    [
        (None, 8, 0, 8, 0.0, "as many as processors"),
        (3, 8, 0, 3, 0.0, "the user's number"),
        (20, 8, 0, 8, 0.0, "no more than have room"),
        (None, 64, 4, 4, 1.0, "one on each card"),
        (2, 64, 4, 2, 1.0, "fewer than cards"),
        (6, 64, 4, 6, 0.5, "two thirds of a card would leave room for four"),
        (None, 2, 4, 2, 1.0, "each worker takes a processor"),
    ],
)
def test_room(most, cpus, gpus, workers, cards, why):
    cluster = Cluster(False, most, cpus, gpus)
    assert (cluster.workers, cluster.cards) == (workers, cards), why


class Died(Exception):
    """Stands for RayActorError."""


class Raised(Exception):
    """Stands for RayTaskError."""

    def __init__(self, cause):
        self.cause = cause


@pytest.fixture
def ray(monkeypatch):
    """Put a stand-in into Ray's place; a call is done when its result is asked for, unless its turn is in `dies`."""
    fake = ModuleType("ray")
    fake.dies, fake.calls = set(), 0

    def remote(**resources):
        return lambda actor: SimpleNamespace(remote=lambda *start: Handle(actor(*start)))

    class Handle:
        def __init__(self, actor):
            for name in ("begin", "work"):
                setattr(self, name, SimpleNamespace(remote=lambda *call, of=getattr(actor, name): Ref(of, call)))

    class Ref:
        def __init__(self, function, call):
            self.function, self.call, self.turn = function, call, fake.calls
            fake.calls += 1

    def get(ref):
        if ref.turn in fake.dies:
            raise Died("it was killed")
        try:
            return ref.function(*ref.call)
        except HarnessError as error:
            raise Raised(error) from None

    fake.remote, fake.get, fake.put = remote, get, lambda value: value
    fake.kill = lambda handle: None
    fake.wait = lambda refs, **choices: (refs[:1], refs[1:])
    fake.exceptions = SimpleNamespace(RayTaskError=Raised, RayError=Died)
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def begin(kept, said):
    return [kept, said], said


def double(kept, task, following):
    if task == "bad":
        raise PoolError("no number")
    return 2 * task


def results(tasks, workers=2):
    said = []
    living = Workers(Cluster(True, workers, workers, 0), said.append)
    return dict(living.results((begin, "x"), double, tasks, most=workers)), said


def test_every_task_is_done(ray):
    assert results(range(7)) == ({task: 2 * task for task in range(7)}, [])


@pytest.mark.parametrize("turn", range(11))
def test_tasks_of_a_dead_worker_are_done_by_others(ray, turn):
    """Whichever of the calls it is at which a worker dies, beginning or at work."""
    ray.dies = {turn}
    done, said = results(range(7))
    assert done == {task: 2 * task for task in range(7)}
    assert len(said) == (turn < ray.calls)


def test_a_task_that_kills_its_workers_is_named(ray):
    ray.dies = {1, 3, 5}  # of one worker: each time the call after it has begun
    with pytest.raises(TaskLost) as lost:
        results(["first", "second"], workers=1)
    assert lost.value.task == "first"


def test_workers_that_never_begin(ray):
    ray.dies = set(range(DEATHS))
    with pytest.raises(PoolError, match=r"3 workers of Ray died before they could begin \(it was killed\)"):
        results([1], workers=1)


def test_what_the_work_raises_is_raised_here(ray):
    with pytest.raises(PoolError, match="^no number$"):
        results([1, "bad"])


def test_the_first_worker_says_what_it_keeps(ray):
    ray.dies = {0}
    assert Workers(Cluster(True, 2, 2, 0), print).first(begin, "loaded") == "loaded"
