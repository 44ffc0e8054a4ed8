"""Ablations: `python -m finetune.ablations WORK [ARM ...]` trains small twins that differ in one thing, and compares.

Every arm is trained with the same seeds, judged by the harness on the validation split (`here`) and on the same clips
drawn in a domain that no training clip has (`shifted`), and paired with `base` clip by clip: the sums of a session are
added up over the seeds, so intervals and sign-flip tests are over sessions. Holm's adjustment is over the arms. Arms
that change only how an adapter is asked train nothing. `WORK/table.md` holds the result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np

from finetune import config as configs
from finetune.config import Config
from reference.files import write_atomically

CONFIG = Path(__file__).parent / "runs" / "ablation.toml"
SEEDS = (0, 1, 2)
CLIPS = 1000
SHIFTED = "camera"
"""A domain that is in neither training nor validation: the one that costs a twin without augmentation most."""
ADAPTED = 200
METRICS = {"score": "score", "oca": "OCA", "tiou50": "tIoU@0.5", "aa1_hidden": "hidden AA@1"}


TESTED = (("validation", "score"), ("validation", "aa1_hidden"), (SHIFTED, "score"))
"""Rendering and metric of each paired difference."""


@dataclass(frozen=True)
class Arm:
    """`changes` to the config; or, where `asked` says so, only to how the adapter of arm `of` is asked. `start`: the
    arm whose adapters training goes on from."""

    claim: str
    changes: dict[str, Any] = field(default_factory=dict)
    of: str = ""
    asked: dict[str, str] = field(default_factory=dict)
    start: str = ""


ARMS = {
    "base": Arm("the twin as it is"),
    "no-off-script": Arm("without the sessions drawn from the flattened grammar", {"randomised": False}),
    "hard-negatives": Arm("clips beside their look-alikes", {"hard_negatives": True}),
    "augment": Arm("crop, colour and noise", {"augment": True}),
    "segment-head": Arm("trained with the temporal head, asked by text", {"temporal_head": 1.0}),
    "segment-head-asked": Arm("the same, segment from the head", of="segment-head", asked={"segment": "head"}),
    "steps-head": Arm("trained with the multi-step head, asked by text", {"steps_head": 1.0}),
    "steps-head-asked": Arm("the same, next from the head", of="steps-head", asked={"next": "head"}),
    "no-numbers": Arm("no frame numbers in the prompt", {"frame_numbers": False}),
    "constrained": Arm("constrained decoding", of="base", asked={"constrain": "yes"}),
    "frames-4": Arm("4 frames a clip", {"frames": 4}),
    "frames-16": Arm("16 frames a clip", {"frames": 16}),
    "motion": Arm("frames where much moves", {"sampler": "motion"}),
    "entropy": Arm("frames of high entropy", {"sampler": "entropy"}),
    "boundary": Arm("frames round suspected boundaries", {"sampler": "boundary"}),
    "adapted": Arm(
        f"base, then {ADAPTED} clips in `{SHIFTED}`", {"train": f"train-{SHIFTED}", "steps": 100}, start="base"
    ),
}


def config_of(work: Path, arm: str, seed: int) -> Config:
    config = replace(configs.read(CONFIG), seed=seed, **ARMS[ARMS[arm].of or arm].changes)
    frames = frames_of(work, config)
    return replace(config, train=str(frames / config.train), validation=str(frames / config.validation))


def frames_of(work: Path, config: Config) -> Path:
    return work / f"frames-{config.sampler}-{config.frames}x{config.size}"


def draw(work: Path, config: Config) -> None:
    """The renderings that a config needs; what is there is not drawn again."""
    from reference.rendering.render_split import render
    from reference.rendering.request import Request

    asked = Request(frames=config.frames, size=config.size, sampler=config.sampler)
    folder = frames_of(work, config)
    workers = os.cpu_count() or 1
    render(replace(asked, split="train", limit=CLIPS), folder / "train", workers=workers)
    if config.train == str(folder / f"train-{SHIFTED}"):
        render(replace(asked, split="train", as_domain=SHIFTED, limit=ADAPTED), Path(config.train), workers=workers)
    render(replace(asked, split="validation"), folder / "validation", workers=workers)
    render(replace(asked, split="validation", as_domain=SHIFTED), folder / SHIFTED, workers=workers)


def trained(work: Path, arm: str, seed: int) -> Path:
    """The run of one arm with one seed, trained if it is not."""
    from finetune.train import train

    run = work / "runs" / f"{ARMS[arm].of or arm}-{seed}"
    if not (run / "training.json").is_file():
        start = trained(work, ARMS[arm].start, seed) / "best" if ARMS[arm].start else None
        train(config_of(work, arm, seed), run, start=start)
    return run


def judged(work: Path, arm: str, seed: int, name: str) -> tuple[Any, list[str]]:
    """The score of one arm with one seed on a rendering of the validation split, and how its answers were read."""
    from finetune.data import Training
    from finetune.evaluate import judge
    from finetune.predictor import Finetuned

    config = config_of(work, arm, seed)
    folder = work / "answers" / f"{arm}-{seed}-{name}.jsonl"
    folder.parent.mkdir(exist_ok=True)
    model = Finetuned(trained(work, arm, seed), {"constrain": "no", "threads": "1"} | ARMS[arm].asked)
    judging = Training(frames_of(work, config) / name, config, learning=False)
    return judge(model.reply, judging, folder, model.batch_size)


def done(work: Path, arm: str, seed: int) -> dict[str, Any]:
    """Train and judge one arm with one seed; what is done already is read."""
    kept = work / "results" / f"{arm}-{seed}.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    record = json.loads((trained(work, arm, seed) / "training.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"arm": arm, "seed": seed, "minutes": record["wall_s"] / 60}
    for name in ("validation", SHIFTED):
        score, sources = judged(work, arm, seed, name)
        values = {key: score.metrics[key].value for key in METRICS}
        found[name] = values | {"valid": sources.count("model") / len(sources)}
    kept.parent.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1) + "\n"
    write_atomically(kept, lambda path: path.write_text(text, encoding="utf-8"))
    return found


def rows(work: Path, arms: Sequence[str]) -> Iterator[list[str]]:
    """Each arm's means over the seeds, and its paired differences to `base`, adjusted over the arms."""
    from harness.statistics import holm

    means = {arm: [done(work, arm, seed) for seed in SEEDS] for arm in ("base", *arms)}
    tests = {(arm, name, metric): paired(work, arm, name, metric) for arm in arms for name, metric in TESTED}
    for key in {(name, metric) for _, name, metric in tests}:
        chosen = [place for place in tests if place[1:] == key]
        for place, p in zip(chosen, holm([tests[place]["p"] for place in chosen]), strict=True):
            tests[place]["adjusted"] = float(p)
    for arm, found in means.items():
        values = [np.mean([one["validation"][metric] for one in found]) for metric in METRICS]
        valid, shifted = (
            np.mean([one[name][key] for one in found]) for name, key in (("validation", "valid"), (SHIFTED, "score"))
        )
        *here, there = (_gap(tests.get((arm, name, metric))) for name, metric in TESTED)
        yield [
            arm,
            ARMS[arm].claim,
            *(f"{value:.3f}" for value in values),
            f"{valid:.1%}",
            *here,
            f"{shifted:.3f}",
            there,
            f"{np.mean([one['minutes'] for one in found]):.1f}",
        ]


def paired(work: Path, arm: str, name: str, metric: str) -> dict[str, Any]:
    """Arm minus base on the same clips: sessions are the units, a session's sums are added up over the seeds."""
    import harness
    from harness.comparison.paired import pair_scores
    from harness.statistics import identity_interval, sign_flip_p

    files = [work / "answers" / f"{which}-{seed}-{name}.jsonl" for which in (arm, "base") for seed in SEEDS]
    scores = [harness.score(file, split="validation") for file in files]
    both = pair_scores(scores, [file.stem for file in files])
    holds = both.denominators(metric) > 0
    n = both.denominators(metric)[holds] * len(SEEDS)
    sums = both.sums[metric][:, holds]
    gap = sums[: len(SEEDS)].sum(0) - sums[len(SEEDS) :].sum(0)
    interval = identity_interval(gap.sum() / n.sum(), (gap.sum() - gap) / (n.sum() - n))
    return {
        "difference": float(gap.sum() / n.sum()),
        "low": interval.low,
        "high": interval.high,
        "p": sign_flip_p(gap)[0],
    }


def _gap(test: dict[str, Any] | None) -> str:
    if test is None:
        return ""
    shown = f"{test['difference']:+.3f} [{test['low']:+.3f}, {test['high']:+.3f}]"
    return f"**{shown}**" if test["adjusted"] <= 0.05 else shown


def table(work: Path, arms: Sequence[str]) -> str:
    head = [
        "arm",
        "what differs",
        *METRICS.values(),
        "valid",
        "score - base",
        "hidden AA@1 - base",
        f"score in `{SHIFTED}`",
        "less base there",
        "min",
    ]
    lines = [head, ["---"] * len(head), *rows(work, arms)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@click.command()
@click.argument("work", type=click.Path(path_type=Path, file_okay=False))
@click.argument("arms", nargs=-1, type=click.Choice(list(ARMS)))
@click.option("--workers", default=2, show_default=True, help="Trainings at a time, a thread each.")
def main(work: Path, arms: tuple[str, ...], workers: int) -> None:
    """Train and compare ARMS (all by default) in WORK; go on with what is there."""
    chosen = [arm for arm in arms or ARMS if arm != "base"]
    for arm in ("base", *chosen):
        draw(work, config_of(work, arm, 0))
    second = {arm for arm in chosen if ARMS[arm].of or ARMS[arm].start}
    trainings = [(arm, seed) for seed in SEEDS for arm in ("base", *chosen) if arm not in second]
    askings = [(arm, seed) for seed in SEEDS for arm in chosen if arm in second]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for jobs in (trainings, askings):
            for found in pool.map(partial(_job, work), jobs):
                click.echo(
                    f"{found['arm']}, seed {found['seed']}: score {found['validation']['score']:.3f}, "
                    f"{found['minutes']:.1f} min",
                    err=True,
                )
    text = table(work, chosen)
    (work / "table.md").write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


def _job(work: Path, job: tuple[str, int]) -> dict[str, Any]:
    return done(work, *job)


if __name__ == "__main__":
    main()
