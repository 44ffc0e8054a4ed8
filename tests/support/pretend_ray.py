"""Stand-in for Ray in this process: what travels is pickled, and a call is done when its result is asked for.

A call whose turn is in `dies` kills its worker: so a test says who dies, and at what, without waiting for Ray.
"""

from __future__ import annotations

import pickle
from types import ModuleType, SimpleNamespace
from typing import Any


class Died(Exception):
    """Stands for RayError: the worker is gone."""


class Raised(Exception):
    """Stands for RayTaskError: the work raised `cause`."""

    def __init__(self, cause: BaseException):
        self.cause = cause


class Put:
    """What was put into the store, as it arrives elsewhere."""

    def __init__(self, value: Any):
        self.sent = pickle.dumps(value)


def arrived(value: Any) -> Any:
    """Return a value as a worker gets it."""
    return pickle.loads(value.sent if isinstance(value, Put) else pickle.dumps(value))


class PretendRay(ModuleType):
    """The module `ray`, as far as this project uses it, on a machine of two processors."""

    def __init__(self, dies: set[int] | None = None):
        super().__init__("ray")
        self.dies, self.calls, self.runs = dies or set(), 0, False
        self.exceptions = SimpleNamespace(RayTaskError=Raised, RayError=Died)
        self._private = SimpleNamespace(worker=SimpleNamespace())

    def init(self, **choices: Any) -> None:
        self.runs = True

    def shutdown(self) -> None:
        self.runs = False

    def is_initialized(self) -> bool:
        return self.runs

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, value: Any) -> Put:
        return Put(value)

    def remote(self, **resources: Any) -> Any:
        def decorate(what: Any) -> Any:
            if not isinstance(what, type):
                return SimpleNamespace(remote=lambda *call: _Ref(self, what, call))
            return SimpleNamespace(remote=lambda *start: _Handle(self, what(*start)))

        return decorate

    def wait(self, refs: list[Any], **choices: Any) -> tuple[list[Any], list[Any]]:
        return refs[:1], refs[1:]

    def get(self, ref: _Ref) -> Any:
        if ref.turn in self.dies:
            raise Died("it was killed")
        try:
            return arrived(ref.function(*map(arrived, ref.call)))
        except Exception as error:
            raise Raised(arrived(error)) from None

    def kill(self, handle: _Handle) -> None:
        """Do nothing."""

    def cancel(self, ref: _Ref) -> None:
        """Do nothing."""


class _Handle:
    """An actor: its methods have `remote`."""

    def __init__(self, ray: PretendRay, actor: Any):
        self._ray, self._actor = ray, actor

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._actor, name)
        return SimpleNamespace(remote=lambda *call: _Ref(self._ray, function, call))


class _Ref:
    """A call that was ordered."""

    def __init__(self, ray: PretendRay, function: Any, call: tuple[Any, ...]):
        self.function, self.call, self.turn = function, call, ray.calls
        ray.calls += 1
