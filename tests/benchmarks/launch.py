"""Run a command and print its wall time in seconds and its largest memory in bytes: `launch.py COMMAND...`.

A process of its own, since what a command is said to have held at most includes what the one that started it holds.
"""

import resource
import subprocess
import sys
import time

if __name__ == "__main__":
    start = time.perf_counter()
    code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(seconds, peak if sys.platform == "darwin" else 1024 * peak)
    sys.exit(code)
