"""Decoding in a child process that may crash or hang: files of unknown origin never reach a decoder in this one.

One child a process, started when it is first needed and kept: starting costs 0.3 s, a request a millisecond or two.
It is a fresh interpreter (nothing of the caller's runs in it, so scripts need no `__main__` guard), has a memory limit,
and ends with its parent. When it dies or does not answer in time it is killed and the caller gets a VideoError; the
next request starts another. After a fork the child belongs to the parent only.

Protocol: a line of JSON in; out come the length of a JSON text as 8 hexadecimal digits, the text, and raw RGB, as long
as its `bytes` says.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from reference.errors import VideoError
from reference.video.decoders import Limits, Pixels, Wanted, decode, shown_seconds
from reference.video.instants import squares

MEMORY_BYTES = 4 << 30
ANSWER_BYTES = 2 << 30
_START = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve()"
Task = Callable[[Path, Limits, dict[str, Any]], tuple[dict[str, Any], Pixels]]
"""Reads a file within limits, as a request says; returns facts and pixels."""
_LENGTH = 8
_PIPE = 1 << 20  # bytes; the usual 64 KiB would mean forty turns an answer


class Child:
    """Decoding process and the two pipes to it. `module`: the one whose `serve` runs there."""

    def __init__(self, module: str = __name__) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START.format(path=sys.path, module=module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pipesize=_PIPE,
        )

    def ask(self, request: dict[str, Any], deadline: float) -> tuple[dict[str, Any], Pixels]:
        """Send a request and return the reply. Raises EOFError when the child dies, TimeoutError when it is late."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
        except OSError:
            raise EOFError from None
        answer = json.loads(self._read(int(bytes(self._read(_LENGTH, deadline)), 16), deadline).tobytes())
        return answer, self._read(answer.get("bytes", 0), deadline)

    def _read(self, size: int, deadline: float) -> Pixels:
        if not 0 <= size <= ANSWER_BYTES:
            raise EOFError
        data, filled = np.empty(size, np.uint8), 0
        while filled < size:
            filled += self._into(data[filled:].data, deadline)
        return data

    def _into(self, buffer: memoryview, deadline: float) -> int:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        count = os.readv(descriptor, [buffer])
        if not count:
            raise EOFError
        return count

    def end(self) -> int:
        """Kill the child; return its exit status, negative for a signal, if it had died by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(0.2)
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return self.process.wait()


_lock = threading.Lock()
_child: Child | None = None


def decode_apart(
    path: Path, wanted: Wanted, decoder: str, limits: Limits, timeout: float
) -> tuple[Pixels, NDArray[np.int64]]:
    """Run `decoders.decode` in the child. Raises VideoError for its errors there, a crash, or a timeout."""
    facts, pixels = _answer_to("frames", path, limits, timeout, {"wanted": wanted, "decoder": decoder})
    return pixels, np.array(facts["indices"])


def squares_apart(path: Path, instants_ms: Sequence[int], size: int, limits: Limits, timeout: float) -> Pixels:
    """Run `instants.squares` in the child. Raises VideoError as `decode_apart` does."""
    wanted = {"instants_ms": list(instants_ms), "size": size}
    return _answer_to("squares", path, limits, timeout, wanted)[1]


def seconds_apart(path: Path, limits: Limits, timeout: float) -> float:
    """Run `decoders.shown_seconds` in the child. Raises VideoError as `decode_apart` does."""
    return _answer_to("seconds", path, limits, timeout, {})[0]["seconds"]


def _answer_to(
    task: str, path: Path, limits: Limits, timeout: float, details: dict[str, Any]
) -> tuple[dict[str, Any], Pixels]:
    """Return what the child answers to one of TASKS: facts and pixels."""
    request = {"task": task, "path": os.fspath(path.absolute()), "shown": str(path), "limits": limits, **details}
    with _lock:
        answer, data = _ask(request, path, details.get("decoder", "pyav"), timeout)
    if "error" in answer:
        raise VideoError(answer["error"])
    return answer, data.reshape(answer["shape"])


def _ask(request: dict[str, Any], path: Path, decoder: str, timeout: float) -> tuple[dict[str, Any], Pixels]:
    child = _ready()
    try:
        return child.ask(request, time.monotonic() + timeout)
    except TimeoutError:
        stop()
        raise VideoError(f"{path}: the decoder {decoder} gave no answer in {timeout:g} s and was stopped") from None
    except EOFError:
        status = stop()
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        raise VideoError(f"{path}: the decoder {decoder} crashed on it ({how}); the file is damaged") from None
    except BaseException:
        stop()  # an answer half read would be taken for the next one
        raise


def _ready() -> Child:
    global _child
    if _child is not None and _child.owner != os.getpid():
        _child = None
    if _child is not None and _child.process.poll() is not None:
        stop()
    if _child is None:
        _child = Child()
    return _child


@atexit.register
def stop() -> int | None:
    """End the child of this process, if there is one."""
    global _child
    child, _child = _child, None
    return child.end() if child is not None and child.owner == os.getpid() else None


def serve(tasks: Mapping[str, Task] | None = None) -> None:
    """Answer requests until the parent closes the pipe; output of libraries is kept off the pipe."""
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        _answer(json.loads(line), answers, TASKS if tasks is None else tasks)


def _answer(request: dict[str, Any], answers: IO[bytes], tasks: Mapping[str, Task]) -> None:
    data: Any = b""
    try:
        facts, pixels = tasks[request["task"]](Path(request["path"]), Limits(*request["limits"]), request)
        data = np.ascontiguousarray(pixels).data.cast("B") if pixels.size else b""
        reply: dict[str, Any] = {**facts, "shape": pixels.shape, "bytes": len(data)}
    except VideoError as error:
        reply = {"error": str(error).replace(request["path"], request["shown"])}
    except Exception as error:
        reply = {"error": f"{request['shown']}: cannot be decoded ({type(error).__name__}: {str(error)[:200]})"}
    text = json.dumps(reply).encode()
    answers.write(b"%08x" % len(text) + text)
    while data:
        data = data[answers.write(data) :]


def _frames(path: Path, limits: Limits, request: dict[str, Any]) -> tuple[dict[str, Any], Pixels]:
    n, sampler, chosen = request["wanted"]
    wanted = Wanted(n, sampler, None if chosen is None else tuple(chosen))
    frames, indices = decode(path, wanted, request["decoder"], limits)
    return {"indices": indices.tolist()}, frames


def _squares(path: Path, limits: Limits, request: dict[str, Any]) -> tuple[dict[str, Any], Pixels]:
    return {}, squares(path, request["instants_ms"], request["size"], limits)


def _seconds(path: Path, limits: Limits, request: dict[str, Any]) -> tuple[dict[str, Any], Pixels]:
    return {"seconds": shown_seconds(path, limits)}, np.empty(0, np.uint8)


TASKS: dict[str, Task] = {
    "frames": _frames,
    "squares": _squares,
    "seconds": _seconds,
}
"""What the child can be asked for; a request holds `task`, `path`, `shown`, `limits` and what the task needs."""


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
