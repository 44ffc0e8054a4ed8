"""Judge predictions on 5-second packing clips: `harness.score("submission.jsonl").metrics["aa1"].low`.

The same functions serve the command line. Heavy modules load when a name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.version import __version__

_HOMES = {
    "score": "harness.scoring.score",
    "validate": "harness.scoring.score",
    "Score": "harness.scoring.result",
    "Request": "harness.scoring.request",
    "predict": "harness.prediction.predict",
    "Question": "harness.prediction.predictor",
    "Reply": "harness.prediction.predictor",
    "Wants": "harness.prediction.predictor",
    "submit": "harness.prediction.submit",
    "compare": "harness.comparison.pairwise",
    "leaderboard": "harness.comparison.leaderboard",
    "leaderboard_page": "harness.report.write",
    "report_page": "harness.report.write",
    "compare_page": "harness.report.write",
    "write_baseline": "harness.baselines.write",
    "render": "harness.worlds.rendering",
    "open_truth": "reference.truth.store",
    "Weights": "harness.rules",
    "HarnessError": "harness.errors",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from harness.baselines.write import write_baseline
    from harness.comparison.leaderboard import leaderboard
    from harness.comparison.pairwise import compare
    from harness.errors import HarnessError
    from harness.prediction.predict import predict
    from harness.prediction.predictor import Question, Reply, Wants
    from harness.prediction.submit import submit
    from harness.report.write import compare_page, leaderboard_page, report_page
    from harness.rules import Weights
    from harness.scoring.request import Request
    from harness.scoring.result import Score
    from harness.scoring.score import score, validate
    from harness.worlds.rendering import render
    from reference.truth.store import open_truth


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
