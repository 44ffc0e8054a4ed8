"""Shards of one entry -> the entry that one process would have made.

Predictions are the shards' lines one after the other, and the card is that of the entry: its counts are sums, its
command the one that asks in one process. What a run measures stays as each shard measured it: `latency_ms` of a line
(and what a server says of its own time), and the sum of these on the card.
"""

from __future__ import annotations

import shlex
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from harness.cards import CARD, CLEAN, PREDICTIONS, TRAINING, Card, pinned, read_card, write_entry
from harness.errors import UsageError
from harness.prediction.journal import ATTEMPTS, IDENTITY, PART
from harness.prediction.sharding.part import clips_digest, shard_in
from harness.scoring.training_record import read_training_record
from reference import shapes
from reference.files import new_folder, sha256
from reference.outside_files import JSON_BYTES, json_lines, read_object
from reference.shard import Shard

OF_ONE_SHARD = ("name", "date", "shard", "predictions_sha256", "clean_sha256", "run")
"""Fields of a card that differ between shards; `run` is compared by its own fields."""
RUN_OF_ONE_SHARD = (
    "command",
    "shard",
    "connections",
    "wall_s",
    "latency_s",
    "answers",
    "unanswered",
    "batches",
    "clean",
)
JOINED = ("shard", "unanswered", "batches", "clean")
"""Fields of `run` of which the merged card has none, or one that is made of those of all shards."""
MACHINE = ("python", "platform")
"""Fields of `run` that say where a shard was asked for: the merged card lists the different ones."""
TIMES = ("wall_s", "latency_s")
TRIED = ("estimate", "listed", "own_answers", "pictures")
"""Fields of `run.agreed` that say what a start found out, and decide nothing about how a model is asked."""
MEASURED = ("latency_ms", "ttft_ms", "model_ms", "wait_ms", "attempts")
_PLACES = {name: shapes.integer(1) for name in ("first", "last", "clips")}
_TABLE = shapes.table(_PLACES | {"clips_sha256": shapes.text(64)})


@dataclass(frozen=True)
class EntryShard:
    """Folder of a shard of an entry, and its card; None while the shard is unfinished."""

    folder: Path
    shard: Shard
    card: Card | None

    @classmethod
    def read(cls, folder: Path) -> EntryShard | None:
        """Return the shard in a folder; None where it holds an entry, or the run of one, that is no shard."""
        if (folder / PART).exists() and not (folder / CARD).exists():
            shard = shard_in(read_object(folder / IDENTITY, UsageError, JSON_BYTES))
            return None if shard is None else cls(folder, shard, None)
        card = read_card(folder)
        if not card.shard:
            return None
        for table in (card.run, *([card.run.get("clean")] if card.clean_sha256 else [])):
            shapes.check((table or {}).get("shard"), _TABLE, f"{folder / CARD}: run.shard", UsageError)
        is_whole = not any((place / PART).exists() for place in (folder, folder / "clean"))
        return cls(folder, Shard.of(card.shard), card if is_whole else None)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what all shards of an entry share, by name."""
        if self.card is None:
            return {}
        run, training = self.card.run, self.folder / TRAINING
        own = {name: value for name, value in asdict(self.card).items() if name not in OF_ONE_SHARD}
        return {
            **own,
            **_shared(run),
            "training record": sha256(training) if training.is_file() else None,
            **{f"{name} of the run": run["shard"][name] for name in ("clips", "clips_sha256")},
            "answers with --as-domain clean": bool(self.card.clean_sha256),
            **{f"{name} of the clean answers": value for name, value in _shared(run.get("clean", {})).items()},
        }

    @property
    def is_finished(self) -> bool:
        """Return whether the entry of this shard is whole."""
        return self.card is not None

    @property
    def content(self) -> Any:
        """Return the answers without what is measured."""
        lines = _lines(self.folder / PREDICTIONS)
        return [{name: value for name, value in line.items() if name not in MEASURED} for line in lines]


def merge_entries(shards: Sequence[EntryShard], output: Path) -> Card:
    """Write the entry of all shards, in their order, into the new folder `output`; return its card.

    Raises UsageError for files that are not those of their cards, or do not hold the clips of their shard.
    """
    cards = [shard.card for shard in shards if shard.card is not None]
    folders = [shard.folder for shard in shards]
    paths = [pinned(folder / PREDICTIONS, card.predictions_sha256) for folder, card in zip(folders, cards, strict=True)]
    clean = [
        pinned(folder / CLEAN, card.clean_sha256)
        for folder, card in zip(folders, cards, strict=True)
        if card.clean_sha256
    ]
    run = _merged_run([card.run for card in cards], paths, output)
    if clean:
        run["clean"] = _merged_run([card.run["clean"] for card in cards], clean, output)
    card = replace(
        cards[0],
        name=output.resolve().name,
        date=max(card.date for card in cards),
        shard="",
        run=run,
    )
    with new_folder(output) as fresh:
        training = read_training_record(paths[0], None)
        write_clean = partial(_join, clean) if clean else None
        written = write_entry(fresh, card, partial(_join, paths), training, write_clean=write_clean)
        if attempts := [path for folder in folders if (path := folder / ATTEMPTS).exists()]:
            _join(attempts, fresh / ATTEMPTS)
    return written


def _join(paths: Sequence[Path], whole: Path) -> None:
    """Write files one after the other."""
    with whole.open("wb") as target:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, target)


class Sums(NamedTuple):
    """Sums over the answers of all shards: what was measured, answers by source, clips given up by kind."""

    latency_ms: float
    sources: Counter[str]
    unanswered: Counter[str]


def _sums(runs: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> Sums:
    """Read the answers of all shards. Raises UsageError where they are not those of the run's clips, each once."""
    latency, sources, clips = list[float](), Counter[str](), list[str]()
    for path, run in zip(paths, runs, strict=True):
        lines = _lines(path)
        _check_number(path, run, len(lines))
        latency += [line.get("latency_ms", 0.0) for line in lines]
        sources.update(str(line.get("source")) for line in lines)
        clips += [line["clip_id"] for line in lines]
    unanswered = sum((Counter(run.get("unanswered", {})) for run in runs), Counter[str]())
    _check_clips(paths, runs, clips, unanswered.total())
    return Sums(sum(latency), sources, unanswered)


def _merged_run(runs: Sequence[Mapping[str, Any]], paths: Sequence[Path], output: Path) -> dict[str, Any]:
    """Return `run` of the merged card, its fields in the order of a run in one process."""
    sums, first = _sums(runs, paths), runs[0]
    changed: dict[str, Any] = {
        "command": shlex.join(_command(first.get("command"), output) or []),
        "connections": max(run.get("connections", 0) for run in runs),
        **dict.fromkeys(TIMES, round(sums.latency_ms / 1000, 3)),
        "answers": {source: sums.sources[source] for source in first["answers"]},
        **{name: "; ".join(dict.fromkeys(str(run.get(name)) for run in runs)) for name in MACHINE},
        # an estimate is of what a shard had to ask, and it is over
        "agreed": {name: value for name, value in first.get("agreed", {}).items() if name != "estimate"},
    }
    # a run that began in a provider's batches and ended clip by clip has fields of both
    found = {name: value for run in reversed(runs) for name, value in run.items() if name not in JOINED}
    found |= {name: value for name, value in changed.items() if name in found}
    found |= {"unanswered": dict(sums.unanswered.most_common())} if sums.unanswered else {}
    ids = [batch for run in runs for batch in run.get("batches", {}).get("ids", [])]
    return found | ({"batches": {"number": len(ids), "ids": ids}} if ids else {})


def _command(command: Any, output: Path) -> list[str] | None:
    """Return the words of the command that asks in one process, with another folder; None where there is no command."""
    if not isinstance(command, str):
        return None
    words = shlex.split(command)
    if "--shard" in words:
        del words[words.index("--shard") : words.index("--shard") + 2]
    if "-o" in words:
        words[words.index("-o") + 1] = str(output)
    return words


def _shared(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what all shards of a run say of how the answers were made."""
    made = {name: value for name, value in run.items() if name not in (*RUN_OF_ONE_SHARD, *MACHINE)}
    if isinstance(agreed := made.get("agreed"), dict):
        made["agreed"] = {name: value for name, value in agreed.items() if name not in TRIED}
    return made | {"options": _options(run)}


def _options(run: Mapping[str, Any]) -> list[str]:
    """Return the options of a shard's command that decide its answers, and that its card says nowhere else.

    A model that is asked clip by clip, which has no batch size, has them on its card: its shards may be asked at
    several URLs. Paths of a world or of pictures may be another machine's; what is there is on the card.
    """
    words = shlex.split(str(run.get("command", "")))
    names = ("--model", "--option") if "batch_size" in run else ("--model",)
    return [f"{name} {value}" for name, value in zip(words[2::2], words[3::2], strict=False) if name in names]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [line for *_, line in json_lines(path, UsageError)]


def _check_number(path: Path, run: Mapping[str, Any], answers: int) -> None:
    """Raise UsageError where a shard's answers are not as many as its clips."""
    table, given_up = run["shard"], sum(run.get("unanswered", {}).values())
    if answers != table["last"] - table["first"] + 1 - given_up:
        raise UsageError(
            f"{path}: has {answers:,} answers, its card says clips {table['first']:,} to {table['last']:,}; make this "
            "shard again with --fresh"
        )


def _check_clips(paths: Sequence[Path], runs: Sequence[Mapping[str, Any]], clips: Sequence[str], given_up: int) -> None:
    """Raise UsageError where the shards' clips are not those of the run, each once and in their order.

    Where clips were given up, their number and order alone are known.
    """
    tables = [run["shard"] for run in runs]
    follows = all(one["last"] + 1 == two["first"] for one, two in pairwise(tables))
    ends = tables[0]["first"] == 1 and tables[-1]["last"] == tables[-1]["clips"]
    is_known = bool(given_up) or clips_digest(tuple(clips)) == tables[0]["clips_sha256"]
    if not (follows and ends and is_known and len(set(clips)) == len(clips)):
        raise UsageError(
            f"{paths[0].parent} to {paths[-1].parent}: together these shards do not hold each clip of the run once; "
            "make them again with one --batch-size and one rendering"
        )
