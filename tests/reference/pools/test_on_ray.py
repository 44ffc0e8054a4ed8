"""Workers on Ray: which cluster is meant, how many workers there are, and what becomes of the tasks of one that dies.

A stand-in takes the place of Ray, so that each case says who dies, and at what.
"""

from __future__ import annotations

import sys

import pytest

from reference.errors import PoolError
from reference.pools.on_ray import DEATHS, Cluster, TaskLost, Workers, address_of
from tests.support.pretend_ray import PretendRay


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


@pytest.fixture
def ray(monkeypatch):
    fake = PretendRay()
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
    with pytest.raises(PoolError, match="3 workers of Ray died"):
        results([1], workers=1)


def test_what_the_work_raises_is_raised_here(ray):
    with pytest.raises(PoolError, match=r"^no number$"):
        results([1, "bad"])


def test_workers_begin_anew_for_other_tasks(ray):
    living = Workers(Cluster(True, 2, 2, 0), print)
    for tasks in (range(3), range(3, 9)):
        assert dict(living.results((begin, "x"), double, tasks, most=2)) == {task: 2 * task for task in tasks}


def test_the_first_worker_says_what_it_keeps(ray):
    ray.dies = {0}
    assert Workers(Cluster(True, 2, 2, 0), print).first(begin, "loaded") == "loaded"
