"""Cost of the samplers and place of their frames: `python -m tests.benchmarks.samplers [--clips 180] [--split test]`.

Cost: the CPU time of eight frames from an mp4 at 336 x 336, decoding included, over that of the uniform sampler; the
samplers take turns, the median of the clips counts. Distance: from each true transition on screen (the first frame of a
run that begins within the clip) to the nearest sampled frame, in frames of 40 ms. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from reference.process.world import load_world
from reference.rendering.sources import Job, Scenes
from reference.task import CLIP_FRAMES
from reference.video.encode import encode
from reference.video.read import frames
from reference.video.samplers import SAMPLERS
from tests.gates.gate import table
from tests.support.sampling import distances

N = 8
TIMED = 12


def chosen(source: Scenes, clips: int) -> Iterator[Job]:
    """Yield the first jobs by clip id, so that every domain and worker has its share."""
    return islice(sorted(source.jobs(), key=lambda job: job.clip_id), clips)


def transitions(job: Job) -> list[int]:
    return [run.start_frame for run in job.scene[0].runs if run.start_frame > 0]


def measured(source: Scenes, jobs: list[Job]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in SAMPLERS}
    for job in jobs:
        if transitions(job):
            luma = source.luma(job)
            for name, sampler in SAMPLERS.items():
                found[name] += distances(transitions(job), sampler(luma, N))
    return found


def timed(source: Scenes, jobs: list[Job]) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in SAMPLERS}
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs:
            path = Path(folder, "clip.mp4")
            encode(path, source.frames(job, range(CLIP_FRAMES), 336), 336)
            frames(path, N, trusted=True)
            for name in SAMPLERS:
                begun = time.process_time()
                frames(path, N, name, trusted=True)
                spent[name].append(time.process_time() - begun)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=180)
    parser.add_argument("--split", default="test")
    asked = parser.parse_args()
    source = Scenes(load_world("warehouse-v2"), asked.split)
    jobs = list(chosen(source, asked.clips))
    spent, far = timed(source, jobs[:TIMED]), measured(source, jobs)
    uniform = median(spent["uniform"])
    rows = [
        [
            name,
            f"{median(spent[name]) * 1000:.0f}",
            f"{median(spent[name]) / uniform:.2f}",
            f"{np.mean(far[name]):.1f}",
            f"{np.percentile(far[name], 90):.0f}",
            f"{np.mean(np.array(far[name]) <= 2):.0%}",
        ]
        for name in SAMPLERS
    ]
    print(f"{len(far['uniform'])} transitions in {len(jobs)} clips\n")
    print(table(["sampler", "CPU ms", "over uniform", "mean distance", "90th percentile", "within 2 frames"], rows))


if __name__ == "__main__":
    main()
