"""Submission cards: `submissions/<name>/card.toml` says what the file beside it is and how to read it.

Unknown keys are refused, so that a misspelt key is not a silent default. The published form is schemas/card.json. `run`
alone is free: texts, numbers, booleans, lists and tables of them that say how the predictions were made. Every entry is
written by `write_entry`.

An entry of one file holds `predictions.jsonl`; an entry of a method holds `runs/1.jsonl` to `runs/K.jsonl`, never both.
Beside `predictions.jsonl` may lie `clean.jsonl`: answers to the same clips drawn clean, for the transfer gap alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from harness.clip_map import ClipMap, read_clip_map
from harness.errors import UsageError, nearest
from reference.files import sha256, write_atomically, write_json, write_text
from reference.outside_files import open_regular
from reference.shard import TEXT as SHARD
from reference.toml import read_toml
from reference.truth.sample import TEXT

CARD, PREDICTIONS, TRAINING, CLIP_MAP = "card.toml", "predictions.jsonl", "training.json", "clip_map.json"
CLEAN = "clean.jsonl"
"""Answers to the same clips drawn as `clean`, in the format of the predictions."""
RUNS = "runs"
"""Folder of an entry that holds its method's runs."""
RUN_FILE = re.compile(r"([1-9][0-9]{0,3})\.jsonl")
ANSWERS, ANSWERS_PAGE = "answers.json", "answers.html"
"""Of answers about own clips (`own_answers`): what stands in the card's place, and their page."""
READING = ("adapter", "fps", "clip_frames", "lenient", "ignore_extra")
"""Fields of a card, and of a scoring Request, that say how the predictions are read; besides the clip map."""
ENTRIES = Path("submissions")
"""Folder of the working directory whose entries are known by their names."""
NO_NAMES = ("", "-")  # nothing, and standard input
KINDS = ("model", "baseline", "reference")
SUMS = ("predictions_sha256", "clip_map_sha256", "clean_sha256")
FILE_NAME = r"(?!\.\.?$)[^/\\\x00-\x1f]+"
ENTRY_NAME = re.compile(r"[^\W_](?:[\w.+-]*[\w+-])?")
"""Names of entries that are safe as a folder's name: letters and digits of any script, and . _ + - inside."""
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
DEPTH = 16
LONGEST_NAME = 255
"""Bytes of a file's name, of which no usual file system holds more."""
LONGEST_SHOWN, FAULTS_SHOWN = 80, 5


@dataclass(frozen=True)
class Card:
    """Description of a submission. `reference` entries are listed and never ranked."""

    name: str
    kind: str
    description: str
    world: str
    split: str
    truth_digest: str  # "" where a commitment stands in its place
    predictions_sha256: str  # "" where the runs of a method stand in its place
    predictions: str = PREDICTIONS
    runs_sha256: list[str] = field(default_factory=list)  # of runs/1.jsonl to runs/K.jsonl
    commitment: str = ""  # of a sealed split, whose truth digest is its organiser's alone
    uses_truth: bool = False
    model: str = ""
    authors: str = ""
    date: str = ""
    license: str = ""
    url: str = ""
    adapter: str = ""
    fps: float | None = None
    clip_frames: int | None = None
    lenient: bool = False
    ignore_extra: bool = False
    sample: str = ""  # SESSIONS/SEED of a sample of the split that the harness drew
    shard: str = ""  # NUMBER/TOTAL of an entry that is asked for in shards; only the merged entry is scored
    clip_map: str = ""
    clip_map_sha256: str = ""
    clean_sha256: str = ""  # of clean.jsonl, where the entry has one
    run: dict[str, Any] = field(default_factory=dict)

    def ingestion(self, folder: Path) -> dict[str, Any]:
        """Return the options of `harness score` that this card asks for; the clip map is read from its folder.

        Raises UsageError where the map is not the one whose sum the card states.
        """
        return {
            "clip_map": read_clip_map(pinned(folder / self.clip_map, self.clip_map_sha256)) if self.clip_map else None,
            "adapter": self.adapter or None,
            "fps": self.fps,
            "clip_frames": self.clip_frames,
            "lenient": self.lenient,
            "ignore_extra": self.ignore_extra,
            "sample": self.sample or None,
        }


def read_card(folder: Path) -> Card:
    """Return the card of a submission folder. Raises UsageError, which names the faulty key."""
    path = folder / CARD
    return _check(read_toml(path, UsageError), path)


def _check(raw: dict[str, Any], path: Path) -> Card:
    known = {field.name: field for field in fields(Card)}
    if raw.get("commitment") and "truth_digest" not in raw:
        raw = {**raw, "truth_digest": ""}
    elif raw.get("commitment"):
        raise UsageError(f"{path}: has truth_digest and commitment; a card pins the truth by one of them")
    if raw.get("runs_sha256") and "predictions_sha256" not in raw:
        raw = {**raw, "predictions_sha256": ""}
    elif raw.get("runs_sha256"):
        raise UsageError(
            f"{path}: has predictions_sha256 and runs_sha256; an entry is one file or the runs of a method"
        )
    if unknown := sorted(set(raw) - set(known)):
        names = ", ".join(_cut(name) for name in unknown[:FAULTS_SHOWN]) + (", ..." if unknown[FAULTS_SHOWN:] else "")
        raise UsageError(f"{path}: unknown keys {names} (harness schema card lists the known ones)")
    if missing := [name for name, field in known.items() if _default(field) is MISSING and name not in raw]:
        raise UsageError(f"{path}: missing keys {', '.join(missing)}")
    types: dict[str, Any] = {
        "float": (int, float),
        "int": int,
        "bool": bool,
        "str": str,
        "list[str]": list,
        "dict[str, Any]": dict,
    }
    for name, value in raw.items():
        expected = types[_plain_type(known[name])]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise UsageError(f"{path}: {name} = {_cut(repr(value))}, expected {_type_name(known[name])}")
    card = Card(**raw)
    if not card.name or not card.name.isprintable():
        raise UsageError(f"{path}: name = {_cut(repr(card.name))}, expected printable text")
    digests: dict[str, Any] = {name: raw[name] for name in SUMS if name in raw}
    if card.runs_sha256:
        digests = {f"runs_sha256[{i}]": digest for i, digest in enumerate(card.runs_sha256)} | digests
        digests.pop("predictions_sha256")
    pin = "commitment" if "commitment" in raw else "truth_digest"
    for name, digest in ({pin: raw[pin]} | digests).items():
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            shown = _cut(repr(digest))
            raise UsageError(f"{path}: {name} = {shown}, expected a sha256 as 64 lower-case hexadecimal digits")
    for name in ("fps", "clip_frames"):
        if name in raw and not 0 < raw[name] < math.inf:
            raise UsageError(f"{path}: {name} = {raw[name]!r}, expected positive numbers")
    if card.kind not in KINDS:
        raise UsageError(f"{path}: kind = {_cut(repr(card.kind))}, expected one of {', '.join(KINDS)}")
    for name in ("predictions", "clip_map"):
        if name in raw and (not re.fullmatch(FILE_NAME, raw[name]) or len(raw[name].encode()) > LONGEST_NAME):
            raise UsageError(f"{path}: {name} = {_cut(repr(raw[name]))}, expected a file name in the same folder")
    if "sample" in raw and not TEXT.fullmatch(card.sample):
        raise UsageError(f"{path}: sample = {_cut(repr(card.sample))}, expected SESSIONS/SEED")
    if "shard" in raw and not SHARD.fullmatch(card.shard):
        raise UsageError(f"{path}: shard = {_cut(repr(card.shard))}, expected NUMBER/TOTAL")
    if bool(card.clip_map) != bool(card.clip_map_sha256):
        raise UsageError(f"{path}: clip_map and clip_map_sha256 belong together")
    if card.clean_sha256 and card.runs_sha256:
        raise UsageError(f"{path}: has clean_sha256 and runs_sha256; answers to clean pictures belong to a single file")
    if fault := fault_in(card.run, "run"):
        raise UsageError(f"{path}: {fault}")
    if card.uses_truth and card.kind != "reference":
        raise UsageError(f"{path}: an entry that uses the truth is of kind 'reference'")
    return card


def entry_folder(submission: str | Path) -> Path | None:
    """Return the folder of the entry that a path or, in `submissions/`, a name is of; None where it is of none."""
    path = Path(submission)
    if str(submission) in NO_NAMES:
        return None
    if path.name == str(path) and not _is_there(path):
        path = ENTRIES / path
    return path if _is_there(path / CARD) else None


def prediction_file(submission: str | Path) -> str | Path:
    """Return the predictions of an entry that is given as its folder or by its name, and any other path as it is.

    Raises UsageError where the card is faulty or is of other predictions, and where there is nothing of this name but
    an entry of a similar one.
    """
    folder = entry_folder(submission)
    if folder is not None:
        return predictions_of(folder, read_card(folder))
    path = Path(submission)
    if path.name and str(submission) not in NO_NAMES and path.parent in (Path(), ENTRIES) and not _is_there(path):
        near = nearest(path.name, (card.parent.name for card in ENTRIES.glob(f"*/{CARD}")))
        if near:
            raise UsageError(f"{submission}: No such file or directory; did you mean {ENTRIES / near}/?")
    return submission


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file system holds
        return False


def predictions_of(folder: Path, card: Card) -> Path:
    """Return the path of the predictions, of a method those of run 1.

    Raises UsageError where the file is not the one whose sum the card states.
    """
    return runs_of(folder, card)[0]


def runs_of(folder: Path, card: Card) -> list[Path]:
    """Return the paths of all runs of an entry; of an entry of one file its predictions.

    Raises UsageError where a file is not the one whose sum the card states, or where the folder holds both forms.
    """
    refuse_shard(folder, card)
    found = run_files(folder)
    if found and not card.runs_sha256:
        raise UsageError(f"{folder}: holds {RUNS}/, the card is of {card.predictions}; an entry is one of the two")
    if not card.runs_sha256:
        return [pinned(folder / card.predictions, card.predictions_sha256)]
    if len(found) != len(card.runs_sha256):
        raise UsageError(f"{folder}: holds {len(found)} runs, the card says {len(card.runs_sha256)}")
    return [pinned(path, digest) for path, digest in zip(found, card.runs_sha256, strict=True)]


def refuse_shard(folder: Path, card: Card) -> None:
    """Raise UsageError for a part of an entry, which a score would take for an entry with most clips wrong."""
    if card.shard:
        raise UsageError(
            f"{folder}: holds shard {card.shard} of an entry alone, and a part is not scored: harness merge DIR... -o "
            "DIR joins all shards to the entry"
        )


def run_files(folder: str | Path) -> list[Path]:
    """Return runs/1.jsonl to runs/K.jsonl of a folder; an empty list where it holds no such folder.

    Raises UsageError where the runs are not numbered from 1 on without a gap, and beside a predictions.jsonl.
    """
    folder = Path(folder)
    try:
        names = [path.name for path in (folder / RUNS).iterdir()]
    except OSError:
        return []
    numbers = sorted(int(found[1]) for name in names if (found := RUN_FILE.fullmatch(name)))
    if not numbers:
        return []
    if _is_there(folder / PREDICTIONS):
        raise UsageError(f"{folder}: holds {PREDICTIONS} and {RUNS}/; an entry is one file or the runs of a method")
    if numbers != list(range(1, len(numbers) + 1)):
        gap = next(number for number in range(1, numbers[-1]) if number not in numbers)
        raise UsageError(f"{folder / RUNS}: {gap}.jsonl is missing; runs are numbered from 1 on without a gap")
    return [folder / RUNS / f"{number}.jsonl" for number in numbers]


def files_of(folder: Path, card: Card) -> list[Path]:
    """Return the paths at which an entry's files should lie, unchecked."""
    runs = [folder / RUNS / f"{number}.jsonl" for number in range(1, len(card.runs_sha256) + 1)]
    return runs or [folder / card.predictions]


def folder_of(predictions: Path) -> Path:
    """Return the folder in which the card and the training record of a prediction file lie."""
    is_run = predictions.parent.name == RUNS and RUN_FILE.fullmatch(predictions.name)
    return predictions.parent.parent if is_run else predictions.parent


def stated_sum(card: Card, predictions: Path) -> str | None:
    """Return the sum that the card in a prediction file's `folder_of` states of it, None where it is of other files."""
    if not card.runs_sha256:
        return card.predictions_sha256 if predictions.name == card.predictions else None
    found = RUN_FILE.fullmatch(predictions.name)
    return dict(enumerate(card.runs_sha256, start=1)).get(int(found[1])) if found else None


def clean_answers_of(predictions: Path) -> tuple[Path, str] | None:
    """Return clean.jsonl beside an entry's predictions and the sum that the card states of it; None where it has none.

    Also None without a card that can be read, and for a file that is not the one that the card is of.
    """
    folder = folder_of(predictions)
    if not (folder / CARD).is_file():
        return None
    with contextlib.suppress(UsageError):
        card = read_card(folder)
        if card.clean_sha256 and stated_sum(card, predictions) is not None:
            pinned(predictions, card.predictions_sha256)
            return folder / CLEAN, card.clean_sha256
    return None


def pinned(path: Path, digest: str) -> Path:
    """Return the path of a file. Raises UsageError where it is not the one with this SHA-256."""
    with open_regular(path, UsageError) as file:
        found = sha256(file)
    if found != digest:
        raise UsageError(f"{path}: sha256 is {found[:16]}, the card says {digest[:16]}")
    return path


def write_entry(
    folder: Path,
    card: Card,
    write: Callable[[Path], object],
    training: Mapping[str, Any] | None = None,
    clip_map: ClipMap | None = None,
    write_clean: Callable[[Path], object] | None = None,
) -> Card:
    """Write an entry: predictions by calling `write` with a path, training record, clip map, and the card with sums.

    `write_clean` writes the answers to clean pictures. Each file appears whole or not at all, and the card comes last:
    with it the entry is whole. Returns the card. A training record, clip map or clean.jsonl that an earlier entry left
    in the folder is removed where this one has none.
    """
    path = folder / card.predictions
    write_atomically(path, write)
    _remove_runs(folder, 0)
    card = replace(card, clean_sha256="")
    if write_clean is None:
        (folder / CLEAN).unlink(missing_ok=True)
    else:
        card = _with_clean(folder, card, write_clean)
    return _finish_entry(folder, replace(card, predictions_sha256=sha256(path)), training, clip_map)


def write_method(
    folder: Path,
    card: Card,
    writes: Sequence[Callable[[Path], object]],
    training: Mapping[str, Any] | None = None,
    clip_map: ClipMap | None = None,
) -> Card:
    """Write an entry of several runs, as `write_entry` writes one of one file; `writes` [K] are called in order.

    Predictions and further runs that an earlier entry left in the folder are removed.
    """
    files = [folder / RUNS / f"{number}.jsonl" for number in range(1, len(writes) + 1)]
    (folder / RUNS).mkdir(parents=True, exist_ok=True)
    for path, write in zip(files, writes, strict=True):
        write_atomically(path, write)
    _remove_runs(folder, len(files))
    for name in (PREDICTIONS, CLEAN):
        (folder / name).unlink(missing_ok=True)
    card = replace(card, predictions=PREDICTIONS, predictions_sha256="", runs_sha256=[sha256(path) for path in files])
    return _finish_entry(folder, card, training, clip_map)


def add_clean_answers(folder: Path, run: Mapping[str, Any], write: Callable[[Path], object]) -> Card:
    """Add clean.jsonl to an entry that is whole, and how it was made to `run.clean` of the card; return the card."""
    card = read_card(folder)
    card = _with_clean(folder, replace(card, run={**card.run, "clean": dict(run)}), write)
    write_card(folder, card)
    return card


def _with_clean(folder: Path, card: Card, write: Callable[[Path], object]) -> Card:
    write_atomically(folder / CLEAN, write)
    return replace(card, clean_sha256=sha256(folder / CLEAN))


def _remove_runs(folder: Path, above: int) -> None:
    """Remove the runs of a folder with a number above this one, and the folder of runs where it is empty then."""
    for path in (folder / RUNS).glob("*.jsonl"):
        if (found := RUN_FILE.fullmatch(path.name)) and int(found[1]) > above:
            path.unlink()
    if not above:
        with contextlib.suppress(OSError):  # it is not there, or holds something else
            (folder / RUNS).rmdir()


def _finish_entry(folder: Path, card: Card, training: Mapping[str, Any] | None, clip_map: ClipMap | None) -> Card:
    """Write training record, clip map and, last, the card of an entry whose predictions are in their places."""
    if training is None:
        (folder / TRAINING).unlink(missing_ok=True)
    else:
        write_json(folder / TRAINING, dict(training))
    if clip_map is None:
        (folder / CLIP_MAP).unlink(missing_ok=True)
    else:
        write_json(folder / CLIP_MAP, dict(clip_map) if isinstance(clip_map, Mapping) else list(clip_map))
        card = replace(card, clip_map=CLIP_MAP, clip_map_sha256=sha256(folder / CLIP_MAP))
    write_card(folder, card)
    for name in (ANSWERS, ANSWERS_PAGE):
        (folder / name).unlink(missing_ok=True)
    return card


def write_card(folder: Path, card: Card) -> None:
    """Write a card without the fields that have their default value; the file appears whole or not at all."""
    values = {field.name: getattr(card, field.name) for field in fields(Card)}
    known = {field.name: _default(field) for field in fields(Card)} | ({"truth_digest": ""} if card.commitment else {})
    known |= {"predictions_sha256": ""} if card.runs_sha256 else {}
    text = "\n".join(_table({name: value for name, value in values.items() if value != known[name]})) + "\n"
    write_text(folder / CARD, text)


def fault_in(value: Any, name: str, depth: int = 1) -> str | None:
    """Return why a value cannot be part of a card's `run`, or None if it can."""
    if depth > DEPTH:
        return f"{name[:40]}... is nested deeper than {DEPTH}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{_cut(name)} = {value!r}, expected a finite number"
    if isinstance(value, Mapping):
        inside = [(f"{name}.{key}", part) for key, part in value.items() if isinstance(key, str)]
        if len(inside) < len(value):
            return f"{_cut(name)} has a key that is no text"
    elif isinstance(value, (list, tuple)):
        inside = [(f"{name}[{place}]", part) for place, part in enumerate(value)]
    else:
        is_plain = isinstance(value, (str, bool, int, float))
        return None if is_plain else f"{_cut(name)} = {_cut(repr(value))}, expected a plain value"
    return next((fault for key, part in inside if (fault := fault_in(part, key, depth + 1))), None)


def _cut(text: str) -> str:
    """Return the beginning of a text that a stranger may have made as long as the file."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _default(field: Field) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _type_name(field: Field) -> str:
    names = {"dict[str, Any]": "a table", "list[str]": "a list of texts"}
    return names.get(str(field.type)) or _plain_type(field)


def _plain_type(field: Field) -> str:
    """Return the type that a card's value has; that of an absent one, None, cannot stand in a card."""
    return str(field.type).removesuffix(" | None")


def _table(values: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """Yield the lines of a table: its own values first, as TOML demands, then the tables in it."""
    if name:
        yield f"\n[{name}]"
    yield from (f"{_key(key)} = {_toml(value)}" for key, value in values.items() if not isinstance(value, Mapping))
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _table(value, f"{name}.{_key(key)}" if name else _key(key))


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # a JSON text is a TOML basic string, but for U+007F, which TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
