"""Speed of videos and renderings: `python -m tests.benchmarks.pictures [--clips 60] [--workers 2]`.

CPU time where one process works, wall time where several do. The machine's load shows in ratios least: sampling takes
turns with a bare PyAV loop over the same file, and workers with one worker. Also proves files: two renderings as mp4 at
once, under each other's load, must hold the same pixels. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import av
import numpy as np

from reference.process.world import load_world
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.rendering.sources import Scenes
from reference.task import CLIP_FRAMES
from reference.video.encode import encode, pixel_digest
from reference.video.read import frames
from tests.gates.gate import table

SIDE, N = 336, 8
INDICES = {place * 124 // 7 for place in range(8)}


def bare(path: Path) -> np.ndarray:
    """Decode and pick frames with PyAV, as anyone would write it."""
    with av.open(str(path)) as container:
        return np.stack(
            [
                picture.to_ndarray(format="rgb24")
                for index, picture in enumerate(container.decode(video=0))
                if index in INDICES
            ]
        )


def spent(work: Callable[[], object], clock: Callable[[], float]) -> float:
    begun = clock()
    work()
    return clock() - begun


def one_process(folder: Path, turns: int = 15) -> list[list[str]]:
    """Measure drawing, encoding and sampling of single clips; return rows of medians."""
    source = Scenes(load_world("warehouse-v2"), "test", domains=("clean",))
    jobs = sorted(source.jobs(), key=lambda job: job.clip_id)[:turns]
    path = folder / "clip.mp4"
    found: dict[str, list[float]] = {}

    def note(name: str, work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> None:
        found.setdefault(name, []).append(spent(work, clock))

    for job in jobs:
        note("drawing 8 frames of 336 x 336", lambda job=job: source.frames(job, sorted(INDICES), SIDE))
        note("drawing 125 frames", lambda job=job: source.frames(job, range(CLIP_FRAMES), SIDE))
        drawn = source.frames(job, range(CLIP_FRAMES), SIDE)
        note("encoding them", lambda drawn=drawn: encode(path, drawn, SIDE))
        for work in (lambda: bare(path), lambda: frames(path, trusted=True), lambda: frames(path)):
            work()
        note("sampling 8 of 125: a bare PyAV loop (wall)", lambda: bare(path), time.perf_counter)
        note("sampling 8 of 125, trusted (wall)", lambda: frames(path, trusted=True), time.perf_counter)
        note("sampling 8 of 125, apart (wall)", lambda: frames(path), time.perf_counter)
    rows = [[name, f"{median(times) * 1000:.0f} ms"] for name, times in found.items()]
    base, trusted, apart = (found[name] for name in list(found)[3:])
    for name, times in (("trusted", trusted), ("apart", apart)):
        ratio = median(one / other for one, other in zip(times, base, strict=True))
        rows.append([f"sampling over the bare loop, {name}", f"{ratio:.2f}"])
    return rows


def whole(folder: Path, clips: int, workers: int) -> list[list[str]]:
    rows = []
    for form in ("frames", "video", "shards"):
        request = Request(form=form, limit=clips)
        one, many = (
            spent(partial(render, request, folder / f"{form}-{count}", workers=count), time.perf_counter)
            for count in (1, workers)
        )
        rows.append([f"{clips} clips as {form}, 1 worker", f"{clips / one:.1f} clips/s"])
        rows.append([f"{clips} clips as {form}, {workers} workers", f"{clips / many:.1f} clips/s, {one / many:.2f} x"])
    return rows


def proved(folder: Path, clips: int) -> list[list[str]]:
    """Render the same clips twice at once on the same cores; return how many files differ."""
    request = Request(form="video", limit=clips)
    threads = [threading.Thread(target=partial(render, request, folder / name, workers=2)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted((folder / "a" / "videos").iterdir())
    bytes_, pixels = 0, 0
    for file in files:
        other = folder / "b" / "videos" / file.name
        bytes_ += file.read_bytes() != other.read_bytes()
        pixels += pixel_digest(file) != pixel_digest(other)
    return [[f"{len(files)} mp4 files rendered twice at once", f"{bytes_} differ in bytes, {pixels} in pixels"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = one_process(folder) + whole(folder, asked.clips, asked.workers) + proved(folder, asked.clips)
    print(table(["what", "measured"], rows))


if __name__ == "__main__":
    main()
