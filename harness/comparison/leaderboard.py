"""Who leads, and is that certain: every entry of a submissions folder on one split, with rank ranges and tiers.

References (entries that use the truth) are rows of their own and enter no rank. A broken entry is shown with its
reason and does not stop the rest. Families (Holm): each entry against the leader and against the chosen baseline feeds
the verdict sentence; rank ranges and tiers use all pairs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness import disclosure, statistics
from harness.baselines.write import BASELINES
from harness.cards import CARD, Card, predictions_of, read_card
from harness.comparison.paired import Paired, load, need_every_clip
from harness.comparison.pairwise import ALPHA, MARGIN, adjust, paired_test, score_operand, verdict_of
from harness.errors import HarnessError, UsageError
from harness.ingestion.submission_file import shown_name
from harness.scoring import audit
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score import score
from harness.scoring.signature import SEED

if TYPE_CHECKING:
    from reference.truth.store import Truth

FORMAT = "warehouse-harness/leaderboard-1"
FACTS = ("world", "split", "truth_digest", "n", "sessions", "weights", "scheme", "rules", "version")
THREADS = min(os.cpu_count() or 1, 4)


class Entry(NamedTuple):
    folder: Path
    card: Card
    score: Score
    name: str  # the card's, with the folder's where several cards bear it


@dataclass(frozen=True)
class Field:
    """All that take part, scored: what a leaderboard, in whatever form, is made of.

    `paired` holds the ranked, best first, then the references, then the baseline where it is none of them.
    """

    ranked: list[Entry]
    references: list[Entry]
    baseline: str
    facts: dict[str, Any]  # the world, the split and how it was judged
    paired: Paired
    broken: list[dict[str, str]]
    elsewhere: int  # entries for another world or split

    @property
    def entries(self) -> list[Entry]:
        return [*self.ranked, *self.references]


def leaderboard(
    folder: str | Path = "submissions", *, baseline: str = "constant", request: Request | None = None, **choices: Any
) -> dict[str, Any]:
    """Score every `folder/*/` for the request's world and split, and rank what can be ranked.

    `baseline`: the entry or reference that every difference is shown to. Returns one object.
    """
    return board(gather(folder, baseline=baseline, request=Request.of(request, **choices)))


def gather(folder: str | Path = "submissions", *, request: Request | None = None, baseline: str = "constant") -> Field:
    """Score every `folder/*/` for the request's world and split. A broken entry is kept with its reason."""
    request = request or Request()
    disclosure.refuse(request.world, "a comparison clip by clip", organiser=request.organiser, home=request.home)
    need_every_clip(request.rules)
    if not Path(folder).is_dir():
        raise UsageError(f"{shown_name(folder)}: no such folder of submissions")
    entries, broken, elsewhere = score_folder(Path(folder), request)
    return line_up(entries, request, baseline, broken, elsewhere)


def line_up(
    entries: list[Entry], request: Request, baseline: str, broken: Sequence[dict[str, str]] = (), elsewhere: int = 0
) -> Field:
    """Scored entries in the order of a board, paired clip by clip."""
    ranked = sorted((e for e in entries if e.card.kind != "reference"), key=_order)
    references = sorted((e for e in entries if e.card.kind == "reference"), key=_order)
    baseline, against = _against(entries, baseline, request)
    scores, names = ([e.score for e in ranked + references], [e.name for e in ranked + references])
    if baseline not in names:
        scores, names = [*scores, against], [*names, baseline]
    facts = {key: against.record[key] for key in FACTS}
    return Field(ranked, references, baseline, facts, load(scores, names), list(broken), elsewhere)


def board(field: Field) -> dict[str, Any]:
    """The leaderboard as one JSON object."""
    paired, m = field.paired, len(field.ranked)
    rows = _rank(field.ranked, paired, paired.names.index(field.baseline))
    return {
        "format": FORMAT,
        **field.facts,
        "baseline": field.baseline,
        "alpha": ALPHA,
        "margin": MARGIN,
        "seed": SEED,
        "verdict": _verdict(rows, paired, m),
        "entries": rows,
        "references": [_row(e) for e in field.references],
        "broken": field.broken,
        "elsewhere": field.elsewhere,
        "copies": _copies(field.ranked, paired),
    }


def score_folder(folder: Path, request: Request) -> tuple[list[Entry], list[dict[str, str]], int]:
    """Entries in folder order, the broken ones with their reasons, and how many are for another world or split."""
    cards, broken = {}, {}
    for path in sorted(path for path in folder.iterdir() if (path / CARD).is_file()):
        try:
            cards[path] = read_card(path)
        except HarnessError as error:
            broken[path] = str(error)
    here = {path: card for path, card in cards.items() if (card.world, card.split) == (request.world, request.split)}
    scored = _score_cards(here, request)
    entries = [entry for entry in scored.values() if isinstance(entry, Entry)]
    broken |= {path: str(error) for path, error in scored.items() if isinstance(error, HarnessError)}
    shown = [{"name": shown_name(path.name), "error": broken[path]} for path in sorted(broken)]
    return _told_apart(entries), shown, len(cards) - len(here)


def _score_cards(cards: dict[Path, Card], request: Request) -> dict[Path, Entry | HarnessError]:
    """In the order of `cards`; a truth for each of a few threads, since judging is mostly the database's work."""
    files = [path / card.predictions for path, card in cards.items()]
    with ExitStack() as stack, ThreadPoolExecutor(THREADS) as pool:
        truths: SimpleQueue[Truth] = SimpleQueue()
        for _ in range(THREADS):
            truths.put(stack.enter_context(request.open_for_many(files)))
        entries = pool.map(lambda path: _entry(path, cards[path], request, truths), cards)
        return dict(zip(cards, entries, strict=True))


def _entry(path: Path, card: Card, request: Request, truths: SimpleQueue[Truth]) -> Entry | HarnessError:
    truth = truths.get()
    try:
        scored = score(predictions_of(path, card), request=request, opened=truth, **card.ingestion())
        _same_truth(card, scored)
        return Entry(path, card, scored, card.name)
    except HarnessError as error:
        return error
    finally:
        truths.put(truth)


def _told_apart(entries: list[Entry]) -> list[Entry]:
    bearers = Counter(entry.name for entry in entries)
    return [
        entry._replace(name=f"{entry.name} ({shown_name(entry.folder.name)})") if bearers[entry.name] > 1 else entry
        for entry in entries
    ]


def _against(entries: list[Entry], baseline: str, request: Request) -> tuple[str, Score]:
    """Name and score of the entry that is called so, else of the baseline or file."""
    for entry in entries:
        if baseline in (entry.name, entry.card.name):
            return entry.name, entry.score
    if baseline not in BASELINES and not Path(baseline).exists():
        raise UsageError(f"--baseline {shown_name(baseline)!r}: no entry, and none of {', '.join(BASELINES)}")
    return baseline, score_operand(baseline, request)


def _same_truth(card: Card, score: Score) -> None:
    if score.record["truth_digest"] != card.truth_digest:
        raise HarnessError(f"made for truth {card.truth_digest[:16]}, this is {score.record['truth_digest'][:16]}")


def _order(entry: Entry) -> tuple[float, str]:
    return -entry.score.record["metrics"]["score"]["value"], entry.name


def _rank(ranked: list[Entry], paired: Paired, baseline_row: int) -> list[dict[str, Any]]:
    """Rows best first, with rank range, tier, P(best), and the tests against leader and baseline."""
    m = len(ranked)
    better = _better(paired, m)
    ranges = statistics.rank_ranges(better)
    tiers = statistics.tiers(better)
    chances = statistics.p_best(paired.sums["score"][:m], seed=SEED) if m else None
    rows = [_row(entry) for entry in ranked]
    leader, baseline = against(paired, m, baseline_row)
    for i, row in enumerate(rows):
        row |= {
            "rank_low": ranges[i][0],
            "rank_high": ranges[i][1],
            "tier": tiers[i],
            "p_best": None if chances is None else float(chances[i]),
            "to_leader": leader[i],
            "to_baseline": baseline[i],
        }
    return rows


def against(paired: Paired, m: int, baseline: int) -> tuple[list[dict | None], list[dict | None]]:
    """Tests of the m ranked against the leader and against row `baseline`, one Holm family; None against oneself."""
    to_leader = [paired_test(paired, "score", 0, i) if i else None for i in range(m)]
    to_baseline = [paired_test(paired, "score", i, baseline) if i != baseline else None for i in range(m)]
    adjust([test for test in to_leader + to_baseline if test])
    return to_leader, to_baseline


def _better(paired: Paired, m: int) -> np.ndarray:
    """[m, m]: row significantly better than column, Holm over all pairs."""
    pairs = list(combinations(range(m), 2))
    gaps = [paired.sums["score"][a] - paired.sums["score"][b] for a, b in pairs]
    adjusted = statistics.holm([statistics.sign_flip_p(gap)[0] for gap in gaps])
    better = np.zeros((m, m), bool)
    for (a, b), gap, p in zip(pairs, gaps, adjusted, strict=True):
        if p <= ALPHA and gap.sum():
            winner, loser = (a, b) if gap.sum() > 0 else (b, a)
            better[winner, loser] = True
    return better


def _row(entry: Entry) -> dict[str, Any]:
    record, card = entry.score.record, entry.card
    passed = {row["stage"]: row["passed"] for row in record["funnel"]}
    return {
        "name": entry.name,
        "folder": entry.folder.name,
        "kind": card.kind,
        "uses_truth": card.uses_truth,
        "metrics": record["metrics"],
        "coverage": record["coverage"],
        "invalid": (passed["present"] - passed["valid"]) / record["n"],
        "flags": [row["flag"] for row in record["audit"] if row["raised"]],
        "signature": record["signature"],
    }


def _verdict(rows: list[dict[str, Any]], paired: Paired, m: int) -> str:
    """One sentence, never a bare first place."""
    if not rows:
        return "No entry can be ranked."
    leader = rows[0]["name"]
    if m == 1:
        return f"{leader} is the only entry."
    kinds = {
        row["name"]: verdict_of(row["to_leader"], paired, 0, i, MARGIN, row["to_leader"]["m"]).kind
        for i, row in enumerate(rows)
        if i
    }
    below = [name for name, kind in kinds.items() if kind.startswith("better")]
    same = [name for name, kind in kinds.items() if kind == "identical"]
    tied = [name for name in kinds if name not in below and name not in same]
    parts = [f"{leader} leads"]
    if same:
        parts.append(f"{listed(same)} answered{' all' if len(same) > 1 else ''} identically")
    if tied:
        parts.append(f"{listed(tied)} {'are' if len(tied) > 1 else 'is'} not significantly below it")
    if below:
        worst = max(row["to_leader"]["p_adjusted"] for row in rows[1:] if row["name"] in below)
        parts.append(f"{listed(below)} {'are' if len(below) > 1 else 'is'} below it (adjusted p <= {worst:.2g})")
    return "; ".join(parts) + "."


def listed(names: list[str]) -> str:
    """A, B and C; a long list is counted."""
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _copies(ranked: list[Entry], paired: Paired) -> list[dict[str, Any]]:
    m = len(ranked)
    return audit.copies(paired.answers[:m], np.logical_not(paired.right[:m].all(axis=2)), paired.names[:m]) if m else []
