"""Request: everything a score depends on besides the submission and the truth, frozen and made from keywords.

Every verb of the Python API takes these keywords, or a Request, or both: `score("x.jsonl", split="test-large")`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from harness.clip_map import ClipMap, read_clip_map
from harness.errors import UsageError, check_choices
from harness.ingestion.submission_file import Limits
from harness.rules import AA40, STANDARD, Rules, Weights, find_rules
from harness.scoring.score_cache import ScoreCache
from reference import shapes
from reference.errors import TruthError
from reference.home import cache_home
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth.sample import Sample, take_sample
from reference.truth.store import Truth, open_clips, open_truth

INGESTION = ("lenient", "ignore_extra", "adapter", "fps", "clip_frames", "clip_map")
CAPS = ("max_line_bytes", "max_lines", "max_bytes")
MOST = {"max_line_bytes": 1 << 30, "max_lines": 1 << 40, "max_bytes": 1 << 50}
"""Greatest value of each cap; --max-line-bytes and so on say the same."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Choices of a scoring: what to score against, how to read the submission, and by which rules.

    `rules` may be given by name, several as a list or as `drop-missing,drop-degenerate`; paths as texts; `weights` as
    None for the default scheme. Raises UsageError for rules or weights that do not exist.
    """

    world: str = DEFAULT_WORLD
    split: str = DEFAULT_SPLIT
    rules: Rules = STANDARD
    weights: Weights = AA40
    lenient: bool = False  # rejected lines count as wrong answers
    ignore_extra: bool = False  # lines for clips of no such split are counted and left out
    adapter: str | None = None  # the format of the file, instead of recognising it
    fps: float | None = None  # frame rate of the answers, converted to 25
    clip_frames: int | None = None  # frames of a clip in the answers, converted to 125
    clip_map: ClipMap | None = None  # clips by an id in the file, or in its order; or a file that says so
    follow_card: bool = True  # an entry's file is judged and read as its card says, where nothing else was chosen
    max_line_bytes: int | None = None
    max_lines: int | None = None
    max_bytes: int | None = None
    sample: Sample | None = None  # whole sessions of the split in its place; as a text SESSIONS/SEED
    home: Path | None = None  # the cache; by default HARNESS_HOME
    truth: Path | None = None  # a truth database, or a folder of them, instead of the cache
    organiser: bool = False  # a sealed split's record is not redacted
    chosen: frozenset[str] = field(default=frozenset(), compare=False)  # fields that `of` was given

    def __post_init__(self) -> None:
        if not isinstance(self.weights, Weights | None):
            example = "Weights(oca=0.3, tiou50=0.3, aa1=0.4)"
            raise UsageError(f"weights are a harness.Weights, e.g. {example}, not {self.weights!r}")
        for name, most in MOST.items():
            if (cap := getattr(self, name)) is not None and not (type(cap) is int and 1 <= cap <= most):
                raise UsageError(f"{name} = {shapes.shown(cap)}: expected an integer from 1 to {most:,}")
        checked = {
            "world": str(self.world),
            "rules": find_rules(self.rules),
            "weights": self.weights or AA40,
            "clip_map": read_clip_map(self.clip_map) if isinstance(self.clip_map, str | Path) else self.clip_map,
            "sample": Sample.of(self.sample) if isinstance(self.sample, str) else self.sample,
            **{name: Path(path) for name in ("home", "truth") if (path := getattr(self, name))},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: value for name, value in shown.items() if value != getattr(_DEFAULTS, name)}
        changed.pop("chosen", None)
        changed |= {"rules": changed["rules"].name} if "rules" in changed else {}
        return f"Request({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    @classmethod
    def of(cls, request: Request | None = None, **choices: Any) -> Request:
        """Return `request`, or the default one, with these fields chosen. Raises UsageError for other names."""
        check_choices(cls, choices)
        chosen = (request.chosen if request else frozenset()) | choices.keys()
        return replace(request or _DEFAULTS, **choices, chosen=chosen)

    def is_chosen(self, name: str) -> bool:
        """Return True for a field that `of` was given, also with its default value, or that has another value."""
        return name in self.chosen or getattr(self, name) != getattr(_DEFAULTS, name)

    def ingestion(self) -> dict[str, Any]:
        """Return the options of `ingest`."""
        return {name: getattr(self, name) for name in INGESTION}

    def limits(self) -> Limits:
        """Return the caps on size: the chosen ones, the rest by default."""
        return Limits(**{name: getattr(self, name) for name in CAPS if getattr(self, name) is not None})

    def reading(self) -> dict[str, Any]:
        """Return the choices that decide how a submission is read, as JSON values; the clip map as its digest."""
        pinned = self.ingestion() | {name: getattr(self, name) for name in CAPS}
        if self.clip_map is not None:
            value = dict(self.clip_map) if isinstance(self.clip_map, Mapping) else list(self.clip_map)
            text = json.dumps(value, sort_keys=True)
            pinned["clip_map"] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return pinned

    def score_cache(self) -> ScoreCache:
        """Return the store of scores under the request's home."""
        return ScoreCache(cache_home(self.home))

    def open(self, files: Iterable[Path] = (), folders: Iterable[Path] = (), *, answers: bool = True) -> Truth:
        """Open the truth; its connection may read `files`, read and write in `folders`, and reach nothing else.

        `answers`: whether the caller needs the clips' truth, which the published folder of a sealed split has not.
        """
        opens = open_truth if answers else open_clips
        truth = opens(
            self.world, self.split, home=self.home, truth=self.truth, allow_files=files, allow_directories=folders
        )
        if self.sample is None:
            return truth
        try:
            return take_sample(truth, self.sample)
        except TruthError:
            truth.close()
            raise

    def open_for_many(self, submissions: Iterable[Path]) -> Truth:
        """Open the truth once for scoring each of these, because opening it takes as long as scoring a small file."""
        return self.open(submissions, (self.score_cache().folder,))


_DEFAULTS = Request()
