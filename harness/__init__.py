"""Judge answers of vision-language models on 5-second packing clips: `harness.score("mine.jsonl").metrics["aa1"].low`.

    score             score a prediction file, a list of dicts or a DataFrame; returns a Score
    validate          read predictions without scoring them; returns an Ingestion with every problem
    compare           score two or more submissions and test every pair; returns a dict
    plan              say how many sessions a comparison needs; returns a dict
    predict           ask a model, or a function of one clip, about a split and write an entry; returns a Prediction
    merge             merge the shards of an entry or of a rendering; returns a Merged
    submit            make an entry of a prediction file
    leaderboard       rank the entries of a folder; returns a dict
    leaderboard_page  write the leaderboard as an HTML page
    report_page       write one submission's report as an HTML page
    compare_page      write a comparison as an HTML page
    answers_page      write answers about own clips as an HTML page
    write_baseline    write the answers of a baseline or a reference row as a prediction file
    render            write the pictures and prompts of a split
    open_truth        open the truth of a split as a database

Score, MetricValue, Ingestion and Prediction are results and print as a sentence. Request holds the options of a
scoring, Weights those of the composite. Question, Reply and Wants are the types of a model that is asked. Every error
is a HarnessError. Each verb has its own help, such as `help(harness.score)`. The command `harness` calls the same
functions. Importing the package loads nothing else: a module loads when one of its names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "__version__": "harness.version",
    "score": "harness.scoring.score",
    "validate": "harness.scoring.score",
    "compare": "harness.comparison.pairwise",
    "plan": "harness.comparison.plan",
    "predict": "harness.prediction.predict",
    "merge": "harness.prediction.sharding.merge",
    "submit": "harness.prediction.submit",
    "leaderboard": "harness.comparison.leaderboard",
    "leaderboard_page": "harness.report.write",
    "report_page": "harness.report.write",
    "compare_page": "harness.report.write",
    "answers_page": "harness.report.answers_page",
    "write_baseline": "harness.baselines.write",
    "render": "harness.worlds.rendering",
    "open_truth": "reference.truth.store",
    "Score": "harness.scoring.result",
    "MetricValue": "harness.scoring.result",
    "Ingestion": "harness.ingestion.ingest",
    "Prediction": "harness.prediction.predict",
    "Request": "harness.scoring.request",
    "Weights": "harness.rules",
    "Question": "harness.prediction.predictor",
    "Reply": "harness.prediction.predictor",
    "Wants": "harness.prediction.predictor",
    "HarnessError": "harness.errors",
}

__all__ = [*_HOMES]

if TYPE_CHECKING:
    from harness.baselines.write import write_baseline
    from harness.comparison.leaderboard import leaderboard
    from harness.comparison.pairwise import compare
    from harness.comparison.plan import plan
    from harness.errors import HarnessError
    from harness.ingestion.ingest import Ingestion
    from harness.prediction.predict import Prediction, predict
    from harness.prediction.predictor import Question, Reply, Wants
    from harness.prediction.sharding.merge import merge
    from harness.prediction.submit import submit
    from harness.report.answers_page import answers_page
    from harness.report.write import compare_page, leaderboard_page, report_page
    from harness.rules import Weights
    from harness.scoring.request import Request
    from harness.scoring.result import MetricValue, Score
    from harness.scoring.score import score, validate
    from harness.version import __version__
    from harness.worlds.rendering import render
    from reference.truth.store import open_truth


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, "__doc__", "__file__", "__name__", "__path__"})
