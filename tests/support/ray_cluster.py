"""A cluster of Ray on this machine, as `ray start` starts one, for proofs that join it and kill what works in it.

All its ports are chosen beforehand: Ray's node waits a quarter of a minute for a port that its helpers choose, which on
a busy machine they do later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PORTS = (
    "port",
    "ray-client-server-port",
    "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port",
    "metrics-export-port",
    "runtime-env-agent-port",
    "node-manager-port",
    "object-manager-port",
)
HOST, START_S = "127.0.0.1", 300.0
PATIENT = {
    "RAY_raylet_start_wait_time_s": "240",
    "RAY_gcs_server_port_wait_time_s": "240",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextlib.contextmanager
def cluster(folder: Path, processors: int) -> Iterator[str]:
    """Start a cluster whose logs lie in `folder` (a short path); yield how `--on` names it. It ends with the block."""
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    ray = str(Path(sys.executable).parent / "ray")
    command = [ray, "start", "--head", "--block", f"--num-cpus={processors}", "--include-dashboard=false"]
    command += [f"--node-ip-address={HOST}", f"--temp-dir={folder}", "--object-store-memory=200000000"]
    command += ["--disable-usage-stats"]
    command += [f"--{name}={port}" for name, port in ports.items()]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, env=os.environ | PATIENT, stdout=said, stderr=said, start_new_session=True)
    try:
        limit = time.monotonic() + START_S
        while b"Ray runtime started" not in (folder / "said").read_bytes():
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"Ray did not start: {(folder / 'said').read_text()[-1000:]}")
            time.sleep(0.5)
        yield f"ray:{HOST}:{ports['port']}"
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
