"""Write a run's answers as an entry: predictions, card, training record."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.cards import Card, add_clean_answers, read_card, write_entry
from harness.errors import UsageError
from harness.ingestion.lines.fields import SOURCES
from harness.own_answers import write_own_answers
from harness.prediction.asker import is_asker
from harness.prediction.own_clips.questions import OwnQuestions
from harness.prediction.run import Run
from harness.version import __version__

Lines = Sequence[Mapping[str, Any]]


def write(run: Run, lines: Lines, asked: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Write predictions, training record and card.

    `asked`: tables of the card's `run`. `agreed`: what was agreed with the model before the run; `unanswered`: clips
    that were given up, by kind of failure; `batches`: the provider's batches in which they were asked about.
    """
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    if run.own:
        model = {"model": run.mask.message(run.model)}  # unless its card says it
        facts = model | _facts(run, lines, asked) | _own_facts(run, run.own)
        write_own_answers(run.folder, facts, lambda path: path.write_bytes(content), run.facts.training)
    else:
        truth = {"world": run.split.world, "split": run.split.name, **run.split.pin, "predictions_sha256": ""}
        truth |= {"sample": run.split.sample, "shard": str(run.part.shard) if run.part else ""}
        card = Card(**_facts(run, lines, asked) | truth)
        write_entry(run.folder, card, lambda path: path.write_bytes(content), run.facts.training)


def need_entry(run: Run) -> None:
    """Raise UsageError where a folder holds no whole entry of this model and split that clean answers could join."""
    folder = run.folder.parent
    card = read_card(folder)
    if card.runs_sha256:
        raise UsageError(f"{folder}: holds the runs of a method, and answers to clean pictures belong to a single file")
    shard = str(run.part.shard) if run.part else ""
    split = {
        "world": run.split.world,
        "shard": shard,
        "split": run.split.name,
        "sample": run.split.sample,
        **run.split.pin,
    }
    if other := [name for name, value in split.items() if getattr(card, name) != value]:
        raise UsageError(f"{folder}: the entry there is of another {', '.join(other)}")
    facts = _facts(run, [], {})
    if card.model != facts.get("model", "") or card.run.get("predictor") != facts["run"].get("predictor"):
        raise UsageError(f"{folder}: the entry there is of another model, or the model has changed since")
    if card.clean_sha256 and not run.choices.fresh:
        raise UsageError(f"{folder}: holds answers to clean pictures already; --fresh replaces them")


def write_clean(run: Run, lines: Lines, asked: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Add the answers to clean pictures to the entry above the run's folder, and how they were made to its card."""
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    made = _facts(run, lines, asked)["run"]
    add_clean_answers(run.folder.parent, made, lambda path: path.write_bytes(content))


def _facts(run: Run, lines: Lines, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's fields that say nothing of a truth: the model's words, then what only the harness knows."""
    own = dict(run.facts.card)
    details = _run_table(run, lines, own.pop("run", {})) | {name: dict(found) for name, found in asked.items() if found}
    return {
        "name": run.folder.resolve().name,
        "kind": "model",
        "description": f"answers of {run.mask.message(run.model)}",
        **own,
        "date": datetime.now(UTC).date().isoformat(),
        "run": details,
    }


def _own_facts(run: Run, own: OwnQuestions) -> dict[str, Any]:
    """Return what answers.json says of clips and operations of the user's own."""
    found, operations = own.shown.found, own.labels.operations
    return {
        "clips": {
            "name": run.split.world,
            "path": str(run.given.clips),
            **({"fps": run.given.clips_fps} if run.given.clips_fps else {}),
            "found": len(own.clips),
            "digest": found.digest,
            "left_out": found.left_out,
            "rests": found.rests,
            "not_shown": own.faults,
        },
        "operations": {label: own.labels.meanings.get(label, "") for label in operations},
        **({"rendering": list(own.shown.split)} if own.shown.split else {}),
    }


def _run_table(run: Run, lines: Lines, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the answers were made. `wall_s`: the model's time over all starts, the sum of latency_ms; of answers
    at once it is no time of a clock, and called `latency_s`."""
    pictures, time = run.questions.pictures, "latency_s" if is_asker(run.predictor) else "wall_s"
    times = [line["latency_ms"] for line in lines if "latency_ms" in line]
    return {
        **({"command": _command(run)} if run.by_name else {}),
        **({"shard": run.part.table} if run.part else {}),
        **({"limit": run.choices.limit} if run.choices.limit else {}),
        **_at_once(run),
        **({"price": list(run.choices.price)} if run.choices.price else {}),
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **({time: round(sum(times) / 1000, 3)} if times or not lines else {}),
        "answers": {name: sum(line["source"] == name for line in lines) for name in SOURCES},
        **({"pictures": pictures} if pictures else {}),
        **({"predictor": dict(own)} if own else {}),
    }


def _at_once(run: Run) -> dict[str, int]:
    """Return how many clips are asked about at once; nothing where the provider decides that, in its batches."""
    if run.choices.batch:
        return {}
    return {"connections": run.connections} if is_asker(run.predictor) else {"batch_size": run.batch_size}


def _named(labels: object) -> str:
    """Return the file of operations; a list, which no command line can name, as the place of one."""
    return str(labels) if isinstance(labels, Path) else "FILE"


def _command(run: Run) -> str:
    choices, mask = run.given, run.mask
    words = ["harness", "predict", "--model", mask.message(run.model)]
    words += ["--clips", str(choices.clips)] if run.own else []
    words += ["--clips-fps", f"{choices.clips_fps:g}"] if choices.clips_fps else []
    words += ["--labels", _named(choices.labels)] if choices.labels else ["--world", choices.world]
    words += [] if run.own else ["--split", choices.split]
    words += ["-o", str(run.output.parent if choices.as_domain else run.output)]
    words += ["--as-domain", choices.as_domain] if choices.as_domain else []
    words += [] if is_asker(run.predictor) else ["--batch-size", str(run.batch_size)]
    words += ["--frames", str(choices.frames)] if choices.frames else []
    words += ["--sample", str(choices.sample)] if choices.sample else []
    words += ["--sample-seed", str(choices.sample_seed)] if choices.sample and choices.sample_seed else []
    words += ["--batch", "submit"] if choices.batch else []
    words += ["--limit", str(choices.limit)] if choices.limit else []
    words += ["--shard", str(choices.shard)] if choices.shard else []
    words += [word for key, value in mask.value(choices.options).items() for word in ("--option", f"{key}={value}")]
    return shlex.join(words)
