"""Ask a model several times, and make an entry of the method: `harness predict --repeats K`.

Each run is a prediction run of its own in `OUTPUT/runs/NUMBER/`, with a journal of its own, so that the same call
resumes it. Once all are whole they become `runs/1.jsonl` to `runs/K.jsonl` beside one card.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.cards import CARD, PREDICTIONS, RUNS, Card, read_card, run_files, write_method
from harness.errors import UsageError
from harness.ingestion.strict_json import parse
from harness.prediction.journal import PART
from harness.prediction.predict import Prediction, predict
from harness.scoring.training_record import read_training_record

PLACE = "{run}"
"""Stands in the model's name and in options for the number of the run: `seed={run}`, `finetune:trained-{run}`."""
ANSWER = ("clip_id", "dominant_operation", "temporal_segment", "next_operation")


class Repeats(NamedTuple):
    """Outcome of several runs: the entry's folder, the outcomes of this call, and whether all answers are the same."""

    folder: Path
    runs: list[Prediction]
    alike: bool


def predict_repeats(
    model: Any, output: str | Path, repeats: int, *, options: dict[str, str] | None = None, **choices: Any
) -> Repeats:
    """Ask a model `repeats` times about every clip of a split, and write the entry into the folder `output`.

    Takes the model and the choices of `predict`; PLACE in a model's name and in `options` becomes the number of the
    run. Raises what `predict` does; the runs and answers so far are kept, and the same call resumes.
    """
    folder = Path(output)
    if repeats < 2:
        raise UsageError(f"repeats={repeats}: expected at least 2, a single run needs no number")
    if choices.get("clips") is not None:
        raise UsageError("--repeats is about the clips of a split: --clips asks once")
    if choices.get("batch") is not None:
        raise UsageError("--repeats asks one by one: leave --batch out, or submit each run into a folder of its own")
    if choices.get("as_domain") is not None:
        raise UsageError("answers to clean pictures belong to a single file: leave --repeats or --as-domain out")
    if choices.get("shard") is not None:
        raise UsageError("--shard cuts one run: leave --repeats out, and ask for the shards of each run by itself")
    if choices.get("fresh"):
        shutil.rmtree(folder / RUNS, ignore_errors=True)
    elif any((folder / name).exists() for name in (CARD, PREDICTIONS, PART)) or (
        run_files(folder) and not (folder / RUNS / "1" / CARD).exists()  # with it, the last step was cut off
    ):
        raise UsageError(f"{folder}: holds an entry already, or an unfinished run of it; --fresh replaces it")
    say, found = choices.pop("say", lambda _: None), list[Prediction]()
    for number in range(1, repeats + 1):
        part = folder / RUNS / str(number)
        if (part / CARD).exists() and not (part / PART).exists():
            say(f"run {number} of {repeats} is finished already")
            continue
        say(f"run {number} of {repeats}")
        mine = {name: value.replace(PLACE, str(number)) for name, value in (options or {}).items()}
        named = model.replace(PLACE, str(number)) if isinstance(model, str) else model
        done = predict(named, part, options=mine, say=say, **choices)
        found.append(done._replace(path=folder / RUNS / f"{number}.jsonl"))
    parts = [folder / RUNS / str(number) for number in range(1, repeats + 1)]
    one_model = not any(PLACE in str(text) for text in (model, *(options or {}).values()))
    _write(folder, parts, one_model)
    alike = len({_answers(path) for path in run_files(folder)}) == 1
    return Repeats(folder, found, alike)


def _write(folder: Path, parts: list[Path], one_model: bool) -> None:
    """Make the entry of finished runs, and remove their own folders."""
    cards = [read_card(part) for part in parts]
    for card in cards[1:]:
        if _is_about(card, one_model) != _is_about(cards[0], one_model):
            raise UsageError(f"{folder / RUNS}: holds finished runs of another model or split; --fresh starts over")
    commands = [card.run["command"] for card in cards if "command" in card.run]
    table = {name: value for name, value in cards[0].run.items() if name != "command"}
    run = {**({"commands": commands} if commands else {}), "repeats": len(cards), **table}
    writes = [partial(shutil.copyfile, part / PREDICTIONS) for part in parts]
    card = replace(cards[0], name=folder.resolve().name, run=run)
    write_method(folder, card, writes, read_training_record(parts[0] / PREDICTIONS, None))
    for part in parts:
        shutil.rmtree(part)


def _is_about(card: Card, one_model: bool) -> tuple[Any, ...]:
    """Return what all runs of a method share."""
    split = card.world, card.split, card.truth_digest, card.commitment
    return (*split, card.description, card.run.get("predictor"), card.run.get("limit")) if one_model else split


def _answers(path: Path) -> str:
    """Return the answers of a run without what differs between equal ones, such as times."""
    lines = (parse(line)[0] for line in path.read_text(encoding="utf-8").splitlines())
    return repr([[line.get(name) for name in ANSWER] for line in lines if isinstance(line, dict)])
