"""Write a run's answers as an entry: predictions, card, training record."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.cards import Card, write_entry
from harness.ingestion.line_checker import SOURCES
from harness.prediction.asker import is_asker
from harness.prediction.run import Run
from harness.version import __version__

Lines = Sequence[Mapping[str, Any]]


def write(run: Run, lines: Lines, agreed: Mapping[str, Any] | None, unanswered: Mapping[str, int]) -> None:
    """Write predictions, training record and card.

    `agreed`: what was agreed with the model before the run; `unanswered`: clips that were given up, by kind of failure.
    """
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    write_entry(
        run.folder,
        _card(run, lines, {"agreed": agreed, "unanswered": unanswered}),
        lambda path: path.write_bytes(content),
        run.facts.training,
    )


def _card(run: Run, lines: Lines, asked: Mapping[str, Any]) -> Card:
    """Return the entry's card without the predictions' sum: the model's words, then what only the harness knows."""
    own = dict(run.facts.card)
    details = _run_table(run, lines, own.pop("run", {})) | {name: dict(found) for name, found in asked.items() if found}
    return Card(
        **{
            "name": run.folder.resolve().name,
            "kind": "model",
            "description": f"answers of {run.mask.message(run.model)}",
            **own,
            "world": run.split.world,
            "split": run.split.name,
            **run.split.pin,
            "predictions_sha256": "",
            "date": datetime.now(UTC).date().isoformat(),
            "run": details,
        }
    )


def _run_table(run: Run, lines: Lines, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the answers were made. `wall_s`: the model's time over all starts, the sum of latency_ms."""
    pictures = run.questions.pictures
    return {
        **({"command": _command(run)} if run.by_name else {}),
        **({"limit": run.choices.limit} if run.choices.limit else {}),
        **({"connections": run.connections} if is_asker(run.predictor) else {"batch_size": run.batch_size}),
        **({"price": list(run.choices.price)} if run.choices.price else {}),
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "wall_s": round(sum(line["latency_ms"] for line in lines) / 1000, 3),
        "answers": {name: sum(line["source"] == name for line in lines) for name in SOURCES},
        **({"pictures": pictures} if pictures else {}),
        **({"predictor": dict(own)} if own else {}),
    }


def _command(run: Run) -> str:
    choices, mask = run.choices, run.mask
    words = ["harness", "predict", "--model", mask.message(run.model), "--world", choices.world]
    words += ["--split", choices.split, "-o", str(run.output)]
    words += [] if is_asker(run.predictor) else ["--batch-size", str(run.batch_size)]
    words += ["--frames", str(run.frames)] if run.frames else []
    words += ["--limit", str(choices.limit)] if choices.limit else []
    words += [word for key, value in mask.value(choices.options).items() for word in ("--option", f"{key}={value}")]
    return shlex.join(words)
