"""From a prediction file to a score: truth -> ingestion -> facts -> record -> store. The order of `score` is the story.

    result = harness.score("submission.jsonl")
    result.metrics["aa1"].low      # lower end of the 95% interval
    result.clips                   # one row a clip, a pandas DataFrame
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import disclosure
from harness import results as stored
from harness.errors import UsageError
from harness.rules import AA40, STANDARD, Rules, Weights, find_rules
from harness.version import __version__
from reference.code_digest import code_digest
from reference.files import write_atomically
from reference.home import cache_home

if TYPE_CHECKING:
    import pandas

    from harness.ingestion.ingest import Ingestion, Limits
    from reference.truth.store import Truth

SEED = 0
STDIN = "-"


@dataclass(frozen=True)
class Request:
    """Everything a score depends on besides the submission and the truth."""

    world: str = "warehouse-v1"
    split: str = "test"
    rules: Rules = STANDARD
    weights: Weights = AA40
    lenient: bool = False
    ignore_extra: bool = False
    adapter: str | None = None
    fps: float | None = None
    clip_frames: int | None = None
    clip_map: dict[str, str] | None = None
    max_line_bytes: int | None = None
    max_lines: int | None = None
    max_bytes: int | None = None
    home: Path | None = None
    truth: Path | None = None
    organiser: bool = False  # of a sealed split: sees everything

    def ingestion(self) -> dict[str, Any]:
        """Options of `submission.ingest`."""
        names = ("lenient", "ignore_extra", "adapter", "fps", "clip_frames", "clip_map")
        return {name: getattr(self, name) for name in names}

    def limits(self) -> Limits:
        from harness.ingestion.ingest import Limits

        chosen = {field.name: getattr(self, field.name) for field in fields(Limits)}
        return Limits(**{name: value for name, value in chosen.items() if value is not None})

    def reading(self) -> dict[str, Any]:
        """All that decides how a submission is read, as JSON values: the clip map by its digest."""
        pinned = self.ingestion() | {name: getattr(self, name) for name in ("max_line_bytes", "max_lines", "max_bytes")}
        if self.clip_map is not None:
            text = json.dumps(self.clip_map, sort_keys=True)
            pinned["clip_map"] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return pinned

    def results(self) -> stored.Results:
        return stored.Results(cache_home(self.home))

    def open(self, files: tuple[Path, ...] = (), folders: tuple[Path, ...] = ()) -> Truth:
        from reference.truth.store import open_truth

        return open_truth(
            self.world, self.split, home=self.home, truth=self.truth, allow_files=files, allow_directories=folders
        )


@dataclass(frozen=True)
class Metric:
    """One headline metric. `None` where a thing does not exist: no prior, no ceiling, too few sessions."""

    value: float | None
    low: float | None
    high: float | None
    floor: float | None
    prior: float | None
    ceiling: float | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    n: int
    sessions: int
    one_sided: bool
    note: str | None


class Score:
    """A score record, and where its checked answers are kept."""

    def __init__(self, record: dict[str, Any], answers: Path, request: Request):
        self.record, self.answers, self._request = record, answers, request

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """Headline metrics by name: oca, tiou50, aa1, score, aa1_hidden."""
        names = [field.name for field in fields(Metric)]
        return {key: Metric(**{name: row.get(name) for name in names}) for key, row in self.record["metrics"].items()}

    @property
    def signature(self) -> str:
        return self.record["signature"]

    @property
    def sealed(self) -> bool:
        """Only what may leave a sealed split is here."""
        return "commitment" in self.record

    @cached_property
    def clips(self) -> pandas.DataFrame:
        """The per-clip facts with labels, in session and time order. Raises UsageError on a sealed split."""
        from harness.resources import sql

        self.need_clips()
        with self._request.open(files=(self.answers,)) as truth:
            self._judge(truth)
            return truth.connection.execute(sql("clips")).df()

    def write(self, folder: str | Path) -> None:
        """Write `score.json` and, but for a sealed split, `clips.parquet`; each appears whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.sealed:
            with self._request.open(files=(self.answers,), folders=(folder,)) as truth:
                facts = self._judge(truth)
                write_atomically(folder / "clips.parquet", facts.write_clips)
        self.write_record(folder / "score.json")

    def write_record(self, path: str | Path) -> None:
        """Write the record alone."""
        write_atomically(Path(path), lambda temporary: _write_record(temporary, self.record))

    def need_clips(self) -> None:
        if self.sealed:
            world = self.record["world"]
            raise UsageError(f"{world} is sealed, nothing is said about single clips; --organiser shows them")

    def _judge(self, truth: Truth):
        from harness.facts import judge
        from harness.resources import sql

        truth.connection.execute(sql("restore"), [str(self.answers)])
        return judge(truth, self._request.rules)


def score(
    submission: str | Path,
    *,
    world: str = "warehouse-v1",
    split: str = "test",
    rules: str = "standard",
    weights: Weights | None = None,
    name: str | None = None,
    lenient: bool = False,
    ignore_extra: bool = False,
    adapter: str | None = None,
    fps: float | None = None,
    clip_frames: int | None = None,
    clip_map: dict[str, str] | None = None,
    max_line_bytes: int | None = None,
    max_lines: int | None = None,
    max_bytes: int | None = None,
    training: str | Path | None = None,
    home: str | Path | None = None,
    truth: str | Path | None = None,
    organiser: bool = False,
) -> Score:
    """Score a prediction file (or "-" for standard input) against the truth of a split.

    `clip_map`: from doc_id to clip_id, for formats that name clips by the former. `max_...`: caps (source.Limits).
    `organiser`: of a sealed split, to see everything; else four numbers leave it, and the scoring is logged by `name`.
    `training`: a training record; by default `training.json` beside the submission, where there is one.
    Raises SubmissionError (lines were rejected), TruthError, UsageError; all are HarnessError.
    """
    if not isinstance(weights, Weights | None):
        raise UsageError(f"weights are a harness.Weights, e.g. Weights(oca=0.3, tiou50=0.3, aa1=0.4), not {weights!r}")
    request = Request(
        world, split, find_rules(rules), weights or Weights(), lenient, ignore_extra, adapter, fps, clip_frames,
        clip_map, max_line_bytes, max_lines, max_bytes, Path(home) if home else None, Path(truth) if truth else None,
        organiser,
    )  # fmt: skip
    return score_request(submission, request, name=name, training=training)


def score_request(
    submission: str | Path, request: Request, *, name: str | None = None, training: str | Path | None = None,
    truth: Truth | None = None,
) -> Score:  # fmt: skip
    """As `score`. `truth`: the request's, opened by `open_for_many` for this submission among others."""
    from harness.ingestion.ingest import opened

    if name is not None and (not name.isprintable() or "|" in name):
        raise UsageError(f"--name {name!r}: expected printable text without |, which divides the signature")
    results = request.results()
    trained = training_record(submission, training)
    with ExitStack() as stack:
        scratch = stack.enter_context(results.scratch())
        source = stack.enter_context(opened(submission, scratch, request.limits()))
        truth = truth or stack.enter_context(request.open((source.path,), (scratch,)))
        if truth.sealed and not request.organiser:
            disclosure.check_request(truth.world, name, request.rules, request.weights)
        commitment = truth.sealed
        entry = stored.key(_dependencies(source.sha256, truth, request, trained))
        folder = results.find(entry)
        if folder is None:
            _score_into(scratch, source, truth, request, trained)
            folder = results.keep(scratch, entry)
    record = json.loads((folder / stored.RECORD).read_bytes())
    if name is not None:
        record = {"name": name} | record | {"signature": f"{record['signature']}|name:{name}"}
    if commitment and not request.organiser:
        record = disclosure.given_out(record, commitment, cache_home(request.home))
    return Score(record, folder / stored.ANSWERS, request)


def open_for_many(request: Request, submissions: Iterable[Path]) -> Truth:
    """The truth for `score_request` of each of these: opening and checking it takes as long as reading a small file."""
    return request.open(tuple(submissions), (request.results().folder,))


def _score_into(scratch: Path, source: Any, truth: Truth, request: Request, trained: dict | None) -> None:
    from harness.facts import judge
    from harness.ingestion.ingest import ingest
    from harness.record import measured
    from harness.resources import sql
    from harness.sections import sections

    ingestion = ingest(truth, source, **request.ingestion())
    facts = judge(truth, request.rules)
    truth.connection.execute("DROP TABLE predictions")  # of ten million lines half a gigabyte
    facts.copy(sql("answers"), scratch / stored.ANSWERS)
    body = measured(facts, request.weights)
    record = _identity(ingestion, truth, request, trained) | body
    record["submission"]["sources"] = facts.record("sources")
    record["sections"] = sections(record, trained, facts.unseen_domains()) if body["funnel"] else {}
    record["diagnostics"] = ingestion.diagnostics()
    _write_record(scratch / stored.RECORD, record)


def validate(submission: str | Path, **options: Any) -> Ingestion:
    """Only ingestion: what would be scored and every problem of the file. Takes the options of `score`; never raises
    SubmissionError, the problems are in the result."""
    from harness.ingestion.ingest import ingest, opened

    request = Request(**options)
    with (
        request.results().scratch() as scratch,
        opened(submission, scratch, request.limits()) as source,
        request.open((source.path,), (scratch,)) as truth,
    ):
        return ingest(truth, source, **(request.ingestion() | {"lenient": True}))


def training_record(submission: str | Path, training: str | Path | None) -> dict[str, Any] | None:
    """The training record given, or the `training.json` beside the submission; None where there is none."""
    if training is None:
        beside = Path(submission).parent / "training.json"
        if str(submission) == STDIN or not beside.is_file():
            return None
        training = beside
    try:
        record = json.loads(Path(training).read_text(encoding="utf-8"))
        json.dumps(record, allow_nan=False, ensure_ascii=False).encode()  # what no score record could hold
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{training}: not a readable training record ({error})") from None
    return checked_training(record, Path(training))


def checked_training(record: Any, path: Path) -> dict[str, Any]:
    """The few rules of schemas/training.json, so that the base install needs no schema library."""
    numbers = ("predicted_peak_gib", "measured_peak_gib", "steps", "wall_s", "oom_events")
    if not isinstance(record, dict) or not isinstance(record.get("device"), str):
        raise UsageError(f"{path}: a training record is an object with a text field `device` (harness schema training)")
    for key in numbers:
        value = record.get(key)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 <= value < 1e15):
            raise UsageError(f"{path}: `{key}` must be a number that is not negative (harness schema training)")
        if value is not None and key in ("steps", "oom_events") and value != int(value):
            raise UsageError(f"{path}: `{key}` must be a whole number (harness schema training)")
    return record


def _dependencies(sha256: str, truth: Truth, request: Request, trained: dict | None) -> dict[str, Any]:
    return {
        "submission": sha256, "truth": truth.digest, "split": truth.split, "world": truth.world,
        "rules": asdict(request.rules), "weights": request.weights.values(), "ingestion": request.reading(),
        "training": trained, "version": __version__, "code": code_digest(__name__),
    }  # fmt: skip


def _identity(ingestion: Ingestion, truth: Truth, request: Request, trained: dict | None) -> dict[str, Any]:
    from harness.record import FORMAT

    coverage = ingestion.rows / truth.n
    return {
        "format": FORMAT,
        "signature": signature(ingestion, truth, request, coverage, trained),
        "world": truth.world,
        "split": truth.split,
        "truth_digest": truth.digest,
        "truth_public": truth.public,
        "in_sample": truth.in_sample,
        "n": truth.n,
        "sessions": truth.sessions,
        "coverage": coverage,
        "rules": request.rules.name,
        "scheme": request.weights.scheme,
        "weights": dict(zip(("oca", "tiou50", "aa1"), request.weights.values(), strict=True)),
        "version": __version__,
        "submission": {"sha256": ingestion.sha256, "lines": ingestion.lines, "adapter": ingestion.adapter},
    }


def signature(ingestion, truth: Truth, request: Request, coverage: float, trained: dict | None) -> str:
    """One line that pins every number: same signature, same bytes."""
    parts = [
        f"world:{truth.world}",
        f"truth:{truth.digest[:16]}",
        f"split:{truth.split}",
        f"n:{truth.n}",
        f"sessions:{truth.sessions}",
        f"rules:{request.rules.name}",
        f"weights:{request.weights.scheme}({request.weights})",
        f"submission:{ingestion.sha256[:16]}",
        f"coverage:{coverage:.4f}",
        f"seed:{SEED}",
        f"version:{__version__}",
    ]
    parts += [f"{key}:{value}" for key, value in request.reading().items() if value not in (None, False)]
    if trained is not None:
        parts.append(f"training:{hashlib.sha256(json.dumps(trained, sort_keys=True).encode()).hexdigest()[:8]}")
    if truth.public:
        parts.append("truth is public")
    return "|".join(parts)


def _write_record(path: Path, record: dict[str, Any]) -> None:
    from harness.record import to_bytes

    path.write_bytes(to_bytes(record))
