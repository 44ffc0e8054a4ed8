"""A Python that has imported torch and its kin already, and forks for every command: importing them takes seconds.

    with warm_python(folder) as python:           # an executable that takes the arguments of `python`
        subprocess.run([python, "-m", "finetune.plan"])

A command runs in a process of its own, in the environment and folder and with the streams of its caller. Nothing of
this project is imported beforehand, so that PYTHONPATH says which code runs. The executable passes on SIGTERM, and
ends as the command does.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

LIBRARIES = (
    *("torch", "torch.distributed.tensor", "pandas", "matplotlib.figure", "accelerate", "bitsandbytes", "peft"),
    *("transformers.modeling_utils", "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl"),
)
SETTLED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
"""What libraries read as they are imported."""
LOOK_S = 2.0
"""Seconds between two looks at the process that started this one."""
CLIENT = """
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    text = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(text)
    answers = server.makefile()
    command = int(answers.readline())
    signal.signal(signal.SIGTERM, lambda *_: os.kill(command, signal.SIGTERM))
    code = int(answers.readline())
if code < 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextlib.contextmanager
def warm_python(folder: Path) -> Iterator[str]:
    """Yield an executable that runs Python's `-m` and `-c` where LIBRARIES are imported."""
    client, python = folder / "client.py", folder / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-IS", str(client)])} "$@"\n')
    python.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")  # at a free address, which is no path
        listening.listen()
        client.write_text(CLIENT.format(address=listening.getsockname()))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | SETTLED
        words = [sys.executable, "-P", __file__, str(listening.fileno())]
        with (folder / "said").open("wb") as said:
            server = subprocess.Popen(
                words, cwd=folder, env=environment, pass_fds=[listening.fileno()], stdout=said, stderr=said
            )
    try:
        yield str(python)
    finally:
        server.terminate()
        server.wait()


def serve(listening: socket.socket) -> list[str]:
    """Fork for every command; return the words of a command in the process that runs it, prepared as for Python.

    It ends with the process that started it.
    """
    parent = os.getppid()
    listening.settimeout(LOOK_S)
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        try:
            client, _ = listening.accept()
        except TimeoutError:
            if os.getppid() != parent:
                sys.exit()
            continue
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            return _start(client)
        client.close()


def _reap(*_: object) -> None:
    """Take note of every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _start(client: socket.socket) -> list[str]:
    """Start the command that a client sends, in whose process this returns; the other one tells the client its end."""
    head, streams, _, _ = socket.recv_fds(client, 8, 3)
    words, environment, place = json.loads(client.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
    if (child := os.fork()) == 0:
        client.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(place)
        return words
    for stream in (*streams, 0, 1, 2):
        os.close(stream)
    with contextlib.suppress(BrokenPipeError):
        client.sendall(b"%d\n" % child)
        client.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)


def run(words: list[str]) -> int:
    """Run `-m MODULE ...` or `-c TEXT ...` as Python does, and return its exit code; `-u` may stand before."""
    words = words[words[0] == "-u" :]
    kind, what, *_ = words
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = ["" if kind == "-c" else str(Path.cwd()), *given]
    sys.argv = words[1:] if kind == "-m" else ["-c", *words[2:]]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), vars(sys.modules["__main__"]))
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    """Import the libraries and serve on an open socket, whose number is the only argument."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    for name in LIBRARIES:
        __import__(name)
    gc.freeze()
    code = run(serve(listening))
    threading._shutdown()  # as Python ends, but for the libraries, which take a second
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
