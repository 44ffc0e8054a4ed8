"""Ablations: `python -m finetune.ablations WORK [ARM ...]` trains a twin further in ways that differ in one thing.

The twin is trained once (START), since random weights recognise nothing in the few minutes that an arm has. Every arm
continues it with the same seeds and is scored by the harness on the validation split and on the same clips drawn
in a domain that no training clip has (SHIFTED). An arm is a method and its seeds are its runs: it is paired with
another arm, most with `base`, as `harness compare` pairs two methods, so that the spread of the trainings is part of
the error. Holm's adjustment is over the arms. Arms that change only how a model is asked train nothing.
`WORK/table.md` holds the result, and `WORK/sums.json` the right answers of each seed and session, from which every
difference can be made again; those of the committed table are finetune/runs/ablation-sums.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np

import harness
from finetune import config as configs
from finetune.config import Config
from harness.cards import TRAINING
from harness.comparison.paired import pair_scores
from harness.comparison.pairwise import paired_test
from harness.metrics_table import BY_KEY
from harness.scoring.methods.mean import score_of_method
from harness.statistics import holm
from reference.files import write_text
from reference.pools.processes import end_with_parent
from reference.rendering.render_split import render
from reference.rendering.request import Request

CONFIG = Path(__file__).parent / "runs" / "ablation.toml"
START = Path(__file__).parent / "runs" / "ablation-start.toml"
SEEDS = (0, 1, 2, 3, 4)
SHIFTED = "lens"
"""A domain in neither training nor validation: the one that costs a twin without augmentation most."""
ADAPTED = 200
"""Clips in SHIFTED that the arm `adapted` is trained on."""
COLUMNS = ("score", "oca", "tiou50", "aa1_hidden")
"""Metrics of the table, keys of METRICS."""
TESTED = (("validation", "score"), ("validation", "aa1_hidden"), (SHIFTED, "score"))
"""Rendering and metric of each paired difference."""


@dataclass(frozen=True)
class Arm:
    """One ablation: `changes` to the config; or, if `of` names another arm, only `options` of its predictor."""

    claim: str
    changes: dict[str, Any] = field(default_factory=dict)
    of: str = ""
    options: dict[str, str] = field(default_factory=dict)
    after: str = ""  # arm that it continues, in place of the twin
    against: str = "base"  # arm that it is compared with


ARMS = {
    "base": Arm("the twin, trained further"),
    "no-off-script": Arm("without the sessions drawn from the flattened grammar", {"randomised": False}),
    "hard-negatives": Arm("each clip beside a look-alike", {"hard_negatives": True}),
    "augment": Arm("crop, colour and noise", {"augment": True}),
    "segment-head": Arm("temporal head in training, answer from the text", {"temporal_head": 1.0}),
    "segment-from-head": Arm("the same, segment from the head", of="segment-head", options={"segment": "head"}),
    "steps-head": Arm("multi-step head in training, answer from the text", {"steps_head": 1.0}),
    "next-from-head": Arm("the same, next from the head", of="steps-head", options={"next": "head"}),
    "no-numbers": Arm("no frame numbers in the prompt", {"frame_numbers": False}),
    "constrained": Arm("constrained decoding", of="base", options={"constrain": "yes"}),
    "frames-4": Arm("4 frames per clip", {"frames": 4}),
    "frames-16": Arm("16 frames per clip", {"frames": 16}),
    "motion": Arm("frames with much motion", {"sampler": "motion"}),
    "entropy": Arm("frames of high entropy", {"sampler": "entropy"}),
    "boundary": Arm("frames around suspected boundaries", {"sampler": "boundary"}),
    "adapters": Arm("adapters on the twin alone, the frozen tower's output kept", {"adapter": "lora"}),
    "adapters-computed": Arm(
        "the same, the tower computed in every pass", {"adapter": "lora", "cache_gb": 0.0}, against="adapters"
    ),
    "adapted": Arm(
        f"base, then {ADAPTED} clips in `{SHIFTED}`", {"train": f"train-{SHIFTED}", "steps": 50}, after="base"
    ),
}


def arm_config(work: Path, arm: str, seed: int) -> Config:
    """Return the config of an arm, with its renderings below `work`."""
    changes = ARMS[ARMS[arm].of or arm].changes
    config = replace(configs.read(CONFIG), seed=seed, weights=str(merged_twin(work)), **changes)
    return configs.relative_to(config, frames_folder(work, config))


def frames_folder(work: Path, config: Config) -> Path:
    """Return the folder of the renderings that suit a config."""
    return work / f"frames-{config.sampler}-{config.frames}x{config.size}"


def twin_run(work: Path) -> Path:
    """Return the run of the twin that every arm continues."""
    return work / "twin"


def merged_twin(work: Path) -> Path:
    """Return the folder of the twin's weights and tokenizer, the base of every arm."""
    return work / "twin-merged"


def draw(work: Path, config: Config) -> None:
    """Render what a config needs; existing renderings are kept."""
    request = Request(frames=config.frames, size=config.size, sampler=config.sampler)
    folder = frames_folder(work, config)
    workers = os.cpu_count() or 1
    render(replace(request, split="train"), folder / "train", workers=workers)
    if config.train == str(folder / f"train-{SHIFTED}"):
        render(replace(request, split="train", as_domain=SHIFTED, limit=ADAPTED), Path(config.train), workers=workers)
    render(replace(request, split="validation"), folder / "validation", workers=workers)
    render(replace(request, split="validation", as_domain=SHIFTED), folder / SHIFTED, workers=workers)


def train_twin(work: Path) -> None:
    """Train the twin that every arm continues, unless it is there, and write it as the arms' base."""
    from finetune.merge import merge
    from finetune.train import train

    if not (twin_run(work) / TRAINING).is_file():
        config = configs.read(START)
        draw(work, config)
        train(configs.relative_to(config, frames_folder(work, config)), twin_run(work))
    if not (merged_twin(work) / "config.json").is_file():
        scratch = work / ".twin-merged"
        shutil.rmtree(scratch, ignore_errors=True)
        merge(twin_run(work), scratch)
        shutil.rmtree(merged_twin(work), ignore_errors=True)
        scratch.rename(merged_twin(work))


def train_arm(work: Path, arm: str, seed: int) -> Path:
    """Return the run of an arm with a seed, training it first unless it is complete."""
    from finetune.train import train

    run = work / "runs" / f"{ARMS[arm].of or arm}-{seed}"
    if not (run / TRAINING).is_file():
        start = train_arm(work, ARMS[arm].after, seed) / "best" if ARMS[arm].after else None
        train(arm_config(work, arm, seed), run, start=start)
    return run


def score_arm(work: Path, arm: str, seed: int, rendering: str) -> tuple[harness.Score, list[str]]:
    """Answer and score a rendering of the validation split; return the score and the source of each answer."""
    from finetune.data import ClipDataset
    from finetune.evaluate import score_answers
    from finetune.predictor import Finetuned

    config = arm_config(work, arm, seed)
    path = answers_path(work, arm, seed, rendering)
    path.parent.mkdir(exist_ok=True)
    model = Finetuned(train_arm(work, arm, seed), {"constrain": "no", "threads": "1"} | ARMS[arm].options)
    clips = ClipDataset(frames_folder(work, config) / rendering, config, training=False)
    return score_answers(model.reply, clips, path, model.batch_size)


def answers_path(work: Path, arm: str, seed: int, rendering: str) -> Path:
    """Return the prediction file of an arm with a seed on a rendering."""
    return work / "answers" / f"{arm}-{seed}-{rendering}.jsonl"


def run_arm(work: Path, arm: str, seed: int) -> dict[str, Any]:
    """Train and score an arm with a seed; return its metrics, from `work` if they are there already."""
    path = work / "results" / f"{arm}-{seed}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    record = json.loads((train_arm(work, arm, seed) / TRAINING).read_text(encoding="utf-8"))
    result: dict[str, Any] = {"arm": arm, "seed": seed, "minutes": record["wall_s"] / 60}
    for rendering in ("validation", SHIFTED):
        score, sources = score_arm(work, arm, seed, rendering)
        values = {key: score.metrics[key].value for key in COLUMNS}
        result[rendering] = values | {"valid": sources.count("model") / len(sources)}
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    write_text(path, text)
    return result


def table(work: Path, arms: Sequence[str]) -> str:
    """Return the Markdown table of `base` and the arms."""
    head = [
        "arm",
        "what differs",
        *(BY_KEY[key].title for key in COLUMNS),
        "valid",
        "less",
        "score, difference",
        f"{BY_KEY['aa1_hidden'].title}, difference",
        f"score in `{SHIFTED}`",
        "difference there",
        "min",
    ]
    lines = [head, ["---"] * len(head), *rows(work, arms)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rows(work: Path, arms: Sequence[str]) -> Iterator[list[str]]:
    """Yield each arm's means over the seeds, and its paired differences to another, adjusted over the arms."""
    results = {arm: [run_arm(work, arm, seed) for seed in SEEDS] for arm in ("base", *arms)}
    tests = {(arm, *tested): paired_difference(work, arm, *tested) for arm in arms for tested in TESTED}
    for tested in TESTED:
        family = [(arm, *tested) for arm in arms]
        for key, p in zip(family, holm([tests[key]["p"] for key in family]), strict=True):
            tests[key]["adjusted"] = float(p)
    for arm, found in results.items():
        values = [np.mean([one["validation"][key] for one in found]) for key in COLUMNS]
        valid = np.mean([one["validation"]["valid"] for one in found])
        shifted = np.mean([one[SHIFTED]["score"] for one in found])
        *here, there = (_difference_cell(tests.get((arm, *tested))) for tested in TESTED)
        yield [
            arm,
            ARMS[arm].claim,
            *(f"{value:.3f}" for value in values),
            f"{valid:.1%}",
            ARMS[arm].against if arm != "base" else "",
            *here,
            f"{shifted:.3f}",
            there,
            f"{np.mean([one['minutes'] for one in found]):.1f}",
        ]


def paired_difference(work: Path, arm: str, rendering: str, metric: str) -> dict[str, Any]:
    """Return `difference` between methods whose runs are the seeds, its interval `low` to `high`, and `p`.

    It is the arm minus the one that it is compared with.
    """
    arms = [arm, ARMS[arm].against]
    test = paired_test(pair_scores([_method(work, one, rendering) for one in arms], arms), metric, 0, 1)
    return {key: test[key] for key in ("difference", "low", "high", "p")}


def _method(work: Path, arm: str, rendering: str) -> harness.Score:
    """Return the score of an arm as a method, the mean over its seeds."""
    files = [answers_path(work, arm, seed, rendering) for seed in SEEDS]
    return score_of_method([harness.score(file, split="validation") for file in files], arm, arm)


def session_sums(work: Path, arms: Sequence[str]) -> dict[str, Any]:
    """Return the right answers of each rendering, arm and metric: a list of sessions for each seed.

    `clips` has the sums' denominators, by metric; those of the score are weighted as its sums are.
    """
    found: dict[str, Any] = {"seeds": list(SEEDS), "clips": {}, "sums": {}}
    for rendering in ("validation", SHIFTED):
        for arm in arms:
            files = [answers_path(work, arm, seed, rendering) for seed in SEEDS]
            runs = pair_scores([harness.score(file, split="validation") for file in files], [str(s) for s in SEEDS])
            found["clips"] = {key: runs.denominators(key).tolist() for key in COLUMNS}
            sums = {key: runs.sums[key].tolist() for key in COLUMNS}
            found["sums"].setdefault(rendering, {})[arm] = sums
    return found


def write_sums(work: Path, arms: Sequence[str]) -> None:
    """Write the session sums of `base` and the arms into `work`, a line for each seed."""
    text = json.dumps(session_sums(work, ["base", *arms]), indent=1)
    flat = re.sub(r"\[[\d,\s]+\]", lambda found: " ".join(found[0].split()), text)
    write_text(work / "sums.json", flat + "\n")


def _difference_cell(test: dict[str, Any] | None) -> str:
    """Return a difference with its interval, bold if it is significant after the adjustment over the arms."""
    if test is None:
        return ""
    text = f"{test['difference']:+.3f} [{test['low']:+.3f}, {test['high']:+.3f}]"
    return f"**{text}**" if test["adjusted"] <= 0.05 else text


@click.command()
@click.argument("work", type=click.Path(path_type=Path, file_okay=False))
@click.argument("arms", nargs=-1, type=click.Choice(list(ARMS)))
@click.option("--workers", default=2, show_default=True, help="Trainings at a time, one thread each.")
def main(work: Path, arms: tuple[str, ...], workers: int) -> None:
    """Train the twin and ARMS (all by default) in WORK, and compare them; an interrupted comparison resumes."""
    wanted = {name for arm in arms or ARMS for name in (arm, ARMS[arm].against)}
    chosen = [arm for arm in ARMS if arm in wanted and arm != "base"]
    train_twin(work)
    for arm in ("base", *chosen):
        draw(work, arm_config(work, arm, 0))
    # Arms that build on another's run wait for it.
    dependent = {arm for arm in chosen if ARMS[arm].of or ARMS[arm].after}
    first = [(arm, seed) for seed in SEEDS for arm in ("base", *chosen) if arm not in dependent]
    second = [(arm, seed) for seed in SEEDS for arm in chosen if arm in dependent]
    with ProcessPoolExecutor(workers, get_context("spawn"), end_with_parent) as pool:
        for jobs in (first, second):
            for result in pool.map(partial(_run_job, work), jobs):
                click.echo(
                    f"{result['arm']}, seed {result['seed']}: score {result['validation']['score']:.3f}, "
                    f"{result['minutes']:.1f} min",
                    err=True,
                )
    text = table(work, chosen)
    (work / "table.md").write_text(text, encoding="utf-8")
    write_sums(work, chosen)
    click.echo(text, nl=False)


def _run_job(work: Path, job: tuple[str, int]) -> dict[str, Any]:
    return run_arm(work, *job)


if __name__ == "__main__":
    main()
