"""Leaderboard: who leads, and is that certain? Every entry of a submissions folder on one split, ranked by its score.

References (entries that use the truth) are rows of their own and enter no rank. A broken entry is listed with its
reason and does not stop the rest, whatever it holds: also where reading it fails in a way that nobody foresaw. There
are two Holm families: the tests of all pairs of ranked entries, of which comparison/ranking.py makes rank ranges, tiers
and the verdict sentence, and the tests of each entry against the chosen baseline.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness import disclosure, statistics
from harness.baselines.write import BASELINES
from harness.cards import ANSWERS, CARD, Card, files_of, predictions_of, read_card
from harness.comparison.paired import PairedClips, need_every_clip, pair_scores
from harness.comparison.pairwise import ALPHA, MARGIN, score_operand
from harness.comparison.ranking import all_pair_tests, baseline_tests, picked_interval, rank, verdict_sentence
from harness.errors import HarnessError, UsageError
from harness.ingestion.submission_file import ENDINGS, shown_name, split_ending
from harness.prediction.journal import PART
from harness.scoring import audit
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score import score
from harness.scoring.signature import SEED
from reference.machine import is_of_the_machine
from reference.outside_files import is_utf8
from reference.truth.catalog import locate

if TYPE_CHECKING:
    from reference.truth.store import Truth

FORMAT = "warehouse-harness/leaderboard-1"
SHARED = ("world", "split", "truth_digest", "n", "sessions", "weights", "scheme", "rules", "version")
"""Keys of a score record that all entries of a board share."""
NO_CARD, NO_FOLDER, UNFINISHED = "no card.toml", "a file, in no folder of its own", "an unfinished run of predict"
OWN_CLIPS = "answers about clips without a truth (predict --clips)"
"""Reasons why what lies in a folder of submissions is no entry."""
DATA_ENDINGS = tuple(ending for ending in ENDINGS if ending != ".txt")
THREADS = min(os.cpu_count() or 1, 4)
LONGEST_LINE = 500


class Entry(NamedTuple):
    """Scored entry of a submissions folder."""

    folder: Path
    card: Card
    score: Score
    name: str  # the card's, with the folder's where several cards bear it


@dataclass(frozen=True)
class Unranked:
    """Contents of a folder of submissions besides the entries that are shown.

    `broken`: entries that could not be scored, as `name` and `error`. `skipped`: what is no entry for the request's
    world and split, as `name`, `path` and `reason`; `elsewhere` of them are entries for another.
    """

    broken: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    elsewhere: int = 0


@dataclass(frozen=True)
class ScoredEntries:
    """Entries of a leaderboard, scored and aligned by clip: the data behind every form of the board.

    `ranked` and `references` come best first. `paired` holds the ranked entries, then the references, then the baseline
    if it is none of them.
    """

    ranked: list[Entry]
    references: list[Entry]
    baseline: str
    baseline_score: Score
    facts: dict[str, Any]  # SHARED: world, split, rules and so on
    paired: PairedClips
    unranked: Unranked

    @property
    def entries(self) -> list[Entry]:
        """Return ranked entries and references, in the order of the board."""
        return [*self.ranked, *self.references]

    @cached_property
    def pair_tests(self) -> dict[tuple[int, int], dict[str, Any]]:
        """Return the tests of all pairs of ranked entries, by their places: one Holm family, computed once."""
        return all_pair_tests(self.paired, len(self.ranked))


def leaderboard(
    folder: str | Path = "submissions", *, baseline: str = "constant", request: Request | None = None, **choices: Any
) -> dict[str, Any]:
    """Score every entry `folder/*/` for the request's world and split, and rank what can be ranked.

    `baseline`: the entry, baseline or file that every difference is to; `choices`: fields of a Request. Returns one
    JSON object. Raises UsageError and TruthError; a broken entry is listed with its reason.
    """
    return rank_entries(score_and_pair(folder, baseline=baseline, request=Request.of(request, **choices)))


def score_and_pair(
    folder: str | Path = "submissions", *, request: Request | None = None, baseline: str = "constant"
) -> ScoredEntries:
    """Score every entry `folder/*/` for the request's world and split, and align their answers by clip."""
    request = request or Request()
    disclosure.refuse(request.world, "a comparison clip by clip", organiser=request.organiser, home=request.home)
    need_every_clip(request.rules)
    if not Path(folder).is_dir():
        raise UsageError(f"{shown_name(folder)}: no such folder of submissions")
    entries, unranked = score_folder(Path(folder), request)
    return pair_entries(entries, request, baseline, unranked)


def pair_entries(
    entries: list[Entry],
    request: Request,
    baseline: str,
    unranked: Unranked | None = None,
    known: Score | None = None,
) -> ScoredEntries:
    """Put scored entries into the order of a board and align their answers, and the baseline's, by clip.

    `known`: the baseline's score, for where it is no entry; by default it is scored here.
    """
    ranked = sorted((e for e in entries if e.card.kind != "reference"), key=_order)
    references = sorted((e for e in entries if e.card.kind == "reference"), key=_order)
    baseline, baseline_score = _baseline_score(entries, baseline, request, known)
    scores, names = ([e.score for e in ranked + references], [e.name for e in ranked + references])
    if baseline not in names:
        scores, names = [*scores, baseline_score], [*names, baseline]
    return ScoredEntries(
        ranked=ranked,
        references=references,
        baseline=baseline,
        baseline_score=baseline_score,
        facts={key: baseline_score.record[key] for key in SHARED},
        paired=pair_scores(scores, names),
        unranked=unranked or Unranked(),
    )


def rank_entries(scored: ScoredEntries) -> dict[str, Any]:
    """Return the leaderboard as one JSON object."""
    paired, rows = scored.paired, _ranked_rows(scored)
    same = [paired.identical(0, i) for i in range(len(rows))]
    return {
        "format": FORMAT,
        **scored.facts,
        "baseline": scored.baseline,
        "alpha": ALPHA,
        "margin": MARGIN,
        "seed": SEED,
        "verdict": verdict_sentence([row["name"] for row in rows], [row["to_leader"] for row in rows], same),
        "entries": rows,
        "references": [_row(e) for e in scored.references],
        **vars(scored.unranked),
        "copies": _copies(scored.ranked, paired),
    }


def score_folder(folder: Path, request: Request) -> tuple[list[Entry], Unranked]:
    """Score the entries of a folder for the request's world and split.

    Returns the scored entries in folder order, and what else the folder holds.
    """
    cards: dict[Path, Card] = {}
    broken: dict[Path, str] = {}
    for path in sorted(folder.iterdir()):
        try:
            if (path / CARD).is_file():
                cards[path] = read_card(path)
        except Exception as error:
            broken[path] = str(_reason(error))
    chosen = locate(request.world, request.home).name, request.split  # a path names a world that cards call by its name
    there = {path: card for path, card in cards.items() if (card.world, card.split) == chosen}
    here = {path: card for path, card in there.items() if card.sample == str(request.sample or "") and not card.shard}
    results = _score_cards(here, request)
    entries = [entry for entry in results.values() if isinstance(entry, Entry)]
    broken |= {path: str(error) for path, error in results.items() if isinstance(error, HarnessError)}
    listed = [{"name": shown_name(path.name), "error": _told(broken[path])} for path in sorted(broken)]
    reasons = {path: f"for {card.world} / {card.split}" for path, card in cards.items() if path not in there}
    reasons |= {path: _other_sessions(card) for path, card in there.items() if path not in here}
    reasons |= _no_entries(folder)
    skipped = [
        {"name": shown_name(path.name), "path": shown_name(path), "reason": shown_name(reasons[path])}
        for path in sorted(reasons)
    ]
    return _with_distinct_names(entries), Unranked(listed, skipped, len(cards) - len(there))


def _other_sessions(card: Card) -> str:
    """Return why an entry has no row among entries about other sessions of the split, or a shard none at all."""
    if card.shard:
        return f"shard {card.shard} of an entry, which harness merge joins with the others"
    return f"a sample ({card.sample}), which compare takes" if card.sample else "the whole split"


def _no_entries(folder: Path) -> dict[Path, str]:
    """Return why each folder without a card, and each prediction file that lies in no folder, is no entry."""
    reasons: dict[Path, str] = {}
    for path in folder.iterdir():
        if path.name.startswith((".", "__")):
            continue
        with contextlib.suppress(OSError):  # a folder that may not be looked into is listed as broken
            if path.is_dir() and not (path / CARD).is_file():
                own = OWN_CLIPS if (path / ANSWERS).is_file() else NO_CARD
                reasons[path] = UNFINISHED if (path / PART).is_file() else own
            elif path.is_file() and split_ending(path.name)[1].lower().startswith(DATA_ENDINGS):
                reasons[path] = NO_FOLDER
    return reasons


def _score_cards(cards: dict[Path, Card], request: Request) -> dict[Path, Entry | HarnessError]:
    """Return the scored entry, or the error that broke it, of each card, in the order of `cards`."""
    # Threads are enough, because scoring is mostly the database's work; each has a truth connection of its own.
    files = [file for path, card in cards.items() for file in files_of(path, card)]
    readable = [file for file in files if is_utf8(str(file))]
    with _Truths(request, readable) as truths, ThreadPoolExecutor(THREADS) as pool:
        entries = pool.map(lambda path: _score_entry(path, cards[path], request, truths), cards)
        return dict(zip(cards, entries, strict=True))


class _Truths:
    """Truth connections for threads. One that does not answer any more is made anew before the next entry."""

    def __init__(self, request: Request, files: list[Path]):
        self._request, self._files = request, files
        self._free: SimpleQueue[Truth | None] = SimpleQueue()
        self._open: list[Truth] = []

    def __enter__(self) -> _Truths:
        for _ in range(THREADS):
            self._free.put(None)
        self._free.put(self._opened(self._free.get()))  # fails here where there is no truth, not once an entry
        return self

    def __exit__(self, *_: object) -> None:
        for truth in self._open:
            truth.close()

    @contextlib.contextmanager
    def one(self) -> Iterator[Truth]:
        """Lend a truth that no other thread has."""
        lent = self._free.get()
        try:
            lent = self._opened(lent)
            yield lent
        except Exception:
            if lent is not None and not lent.is_usable():
                self._open.remove(lent)
                lent.close()
                lent = None
            raise
        finally:
            self._free.put(lent)

    def _opened(self, truth: Truth | None) -> Truth:
        if truth is None:
            truth = self._request.open_for_many(self._files)
            self._open.append(truth)
        return truth


def _score_entry(path: Path, card: Card, request: Request, truths: _Truths) -> Entry | HarnessError:
    try:
        with truths.one() as truth:
            reading = card.ingestion(path) | {"follow_card": False, "sample": request.sample}  # it is followed here
            file = path if card.runs_sha256 else predictions_of(path, card)
            scored = score(file, request=request, opened=truth, **reading)
            _need_same_truth(card, truth)
            return Entry(path, card, scored, card.name)
    except Exception as error:
        if is_of_the_machine(error):
            raise
        return _reason(error)


def _reason(error: Exception) -> HarnessError:
    """Return the error that broke an entry; one that is not the harness's own is said in one line."""
    if isinstance(error, HarnessError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return HarnessError(f"{shown_name(error.filename or '')}: {error.strerror}".removeprefix(": "))
    first = next(iter(str(error).splitlines()), "")
    return HarnessError(f"cannot be scored ({type(error).__name__}: {first})".replace(": )", ")"))


def _told(error: str) -> str:
    """Return an error with no line longer than LONGEST_LINE, and bytes of names that are not UTF-8 escaped."""
    error = error.encode(errors="backslashreplace").decode()
    cut = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in error.splitlines()]
    return "\n".join(cut) or "cannot be read"


def _with_distinct_names(entries: list[Entry]) -> list[Entry]:
    """Add the folder's name to the names that several cards bear, and to a baseline's in another folder.

    So no entry takes the place of the baseline that differences are to.
    """
    bearers = Counter(entry.name for entry in entries)
    return [
        entry._replace(name=f"{entry.name} ({shown_name(entry.folder.name)})")
        if bearers[entry.name] > 1 or (entry.name in BASELINES and entry.name != entry.folder.name)
        else entry
        for entry in entries
    ]


def _baseline_score(entries: list[Entry], baseline: str, request: Request, known: Score | None) -> tuple[str, Score]:
    """Return name and score of the entry called `baseline`, else of the baseline or file of that name."""
    for entry in entries:
        if baseline == entry.name or (baseline == entry.card.name and baseline not in BASELINES):
            return entry.name, entry.score
    if known is not None:
        return baseline, known
    if baseline not in BASELINES and not Path(baseline).exists():
        raise UsageError(f"--baseline {shown_name(baseline)!r}: no entry, and none of {', '.join(BASELINES)}")
    return baseline, score_operand(baseline, request)


def _need_same_truth(card: Card, truth: Truth) -> None:
    """Raise HarnessError for an entry for another truth; the digest of a sealed truth is not told."""
    if card.commitment and card.commitment != truth.commitment:
        there = f"commitment {truth.commitment[:16]}" if truth.commitment else "not sealed"
        raise HarnessError(f"made for the sealed split with commitment {card.commitment[:16]}, this is {there}")
    if card.truth_digest and card.truth_digest not in (truth.digest, truth.sealed):
        there = f'sealed: its card says commitment = "{truth.sealed}"' if truth.sealed else truth.digest[:16]
        raise HarnessError(f"made for truth {card.truth_digest[:16]}, this is {there}")


def _order(entry: Entry) -> tuple[float, str]:
    return -entry.score.record["metrics"]["score"]["value"], entry.name


def _ranked_rows(scored: ScoredEntries) -> list[dict[str, Any]]:
    """Return rows best first, with rank range, tier, P(best), the leader's wider interval, and both tests."""
    paired, m = scored.paired, len(scored.ranked)
    ranking = rank(scored.pair_tests, m)
    chances = statistics.p_best(paired.sums["score"][:m], seed=SEED) if m else None
    to_baseline = baseline_tests(paired, m, paired.names.index(scored.baseline))
    rows = [_row(entry) for entry in scored.ranked]
    low, high = picked_interval(paired, m, rows[0]["metrics"]["score"]) if rows else (None, None)
    for i, row in enumerate(rows):
        row |= {
            "rank_low": ranking.ranges[i][0],
            "rank_high": ranking.ranges[i][1],
            "tier": ranking.tiers[i],
            "p_best": None if chances is None else float(chances[i]),
            "picked_low": None if i else low,
            "picked_high": None if i else high,
            "to_leader": scored.pair_tests.get((0, i)),
            "to_baseline": to_baseline[i],
        }
    return rows


def _row(entry: Entry) -> dict[str, Any]:
    record, card = entry.score.record, entry.card
    passed = {row["stage"]: row["passed"] for row in record["funnel"]}
    usage = {"usage": record["usage"]} if "usage" in record else {}
    return {
        "name": entry.name,
        "folder": shown_name(entry.folder.name),
        "kind": card.kind,
        "uses_truth": card.uses_truth,
        "metrics": record["metrics"],
        "coverage": record["coverage"],
        "invalid": (passed["present"] - passed["valid"]) / record["n"],
        "flags": [row["flag"] for row in record["audit"] if row["raised"]],
        "signature": record["signature"],
        "runs": len(entry.score.runs),
    } | usage


def _copies(ranked: list[Entry], paired: PairedClips) -> list[dict[str, Any]]:
    m = len(ranked)
    return audit.copies(paired.answers[:m], np.logical_not(paired.right[:m].all(axis=2)), paired.names[:m]) if m else []
