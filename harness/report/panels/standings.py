"""Panel "Who leads, and is that certain?": rows and bounds of the leaderboard, and what stands above it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.comparison.board_text import method_note
from harness.comparison.leaderboard import Entry
from harness.comparison.pairwise import compare_pairs, verdict_of
from harness.comparison.ranking import baseline_tests
from harness.formatting import in_words, unanswered
from harness.metrics_table import BY_KEY, COMPOSITE, PARTS
from harness.report.gather import FLOOR, PRIOR, Gathered
from harness.report.panels.measure import UNIT, Axis, Measure, measure
from harness.report.typography import p_in_a_sentence, signed
from harness.report.verdict import verdict as verdict_of_record

PRIOR_BOUND = "prior"
BOUNDS = ("floor", PRIOR_BOUND, "ceiling")
PRIOR_PARTS = {"oca": "ceiling", "tiou50": "floor", "aa1": "prior"}
"""What the prior's score is made of: its recogniser knows every operation and answers the constant segment."""


@dataclass(frozen=True)
class Cell:
    """One metric of one entry, with its skill: the share of the way from prior (or floor) to ceiling."""

    measure: Measure
    skill: float | None


@dataclass(frozen=True)
class Gap:
    """Paired difference in score of an entry to a baseline; None of the baseline to itself."""

    baseline: str
    measure: Measure | None
    p: float | None
    p_adjusted: float | None
    m: int | None
    verdict: str


@dataclass(frozen=True)
class Row:
    """One entry. `place` is its number among the page's entries; a reference has no ranks, no tier, no P(best)."""

    place: int
    name: str
    kind: str
    description: str
    ranks: tuple[int, int] | None
    tier: int | None
    cells: dict[str, Cell]
    coverage: float
    invalid: float
    gaps: list[Gap]
    p_best: float | None
    flags: list[str]
    command: str
    signature: str
    runs: int


@dataclass(frozen=True)
class Bound:
    """Floor, prior or ceiling of each metric; None where the metric has none.

    `parts` holds the values that its score is made of, in the order of the weights.
    """

    name: str
    values: dict[str, float | None]
    parts: list[float | None]


@dataclass(frozen=True)
class Standings:
    """Panel data: the leaderboard's rows and bounds; differences are shown to `baselines`.

    `picked` is the leader's interval that allows for its having been picked among the ranked entries, None where there
    is none.
    """

    rows: list[Row]
    bounds: list[Bound]
    baselines: list[str]
    axis: Axis
    tiers: int
    picked: tuple[float, float] | None
    state_prior: float | None = None  # of AA@1 hidden


def standings(gathered: Gathered) -> Standings:
    """Make the rows of ranked entries, then those of references, and the bounds."""
    board, field = gathered.board, gathered.field
    baselines = _baselines(gathered)
    m = len(field.ranked)
    gaps = [_gaps(gathered, name, m) for name in baselines]
    rows = []
    for place, (entry, row) in enumerate(zip(field.entries, board["entries"] + board["references"], strict=True)):
        mine = [column[place] for column in gaps] if place < m else []
        rows.append(_row(place, entry, row, mine, gathered.commands[place]))
    metrics = field.entries[0].score.record["metrics"]
    bounds = [
        Bound(
            name=name,
            values={metric: metrics[metric][name] for metric in BY_KEY},
            parts=[metrics[metric.key][PRIOR_PARTS[metric.key] if name == PRIOR_BOUND else name] for metric in PARTS],
        )
        for name in BOUNDS
        if metrics[COMPOSITE.key][name] is not None
    ]
    tiers = max((row.tier or 0 for row in rows), default=0)
    state_prior = metrics["aa1_hidden"]["state_prior"]
    return Standings(rows, bounds, baselines, UNIT, tiers, _picked(board["entries"]), state_prior)


def _picked(rows: list[dict[str, Any]]) -> tuple[float, float] | None:
    if not rows or rows[0]["picked_low"] is None:
        return None
    return rows[0]["picked_low"], rows[0]["picked_high"]


def _baselines(gathered: Gathered) -> list[str]:
    """Return the names that differences are shown to: the chosen baseline first, then floor and prior."""
    names = gathered.field.paired.names
    return list(dict.fromkeys([gathered.field.baseline, *(name for name in (FLOOR, PRIOR) if name in names)]))


def _gaps(gathered: Gathered, baseline: str, m: int) -> list[Gap]:
    """Return the gap of each ranked entry to this baseline; their tests are one family."""
    paired = gathered.field.paired
    place = paired.names.index(baseline)
    return [_gap(gathered, i, place, test) for i, test in enumerate(baseline_tests(paired, m, place))]


def _gap(gathered: Gathered, i: int, place: int, test: dict[str, Any] | None) -> Gap:
    paired = gathered.field.paired
    name = paired.names[place]
    if test is None:
        return Gap(baseline=name, measure=None, p=None, p_adjusted=None, m=None, verdict="")
    kind = verdict_of(test, paired, i, place, gathered.margin, test["m"]).kind
    shown = measure(test | {"value": test["difference"]}, n=len(paired.clip_ids))
    return Gap(baseline=name, measure=shown, p=test["p"], p_adjusted=test["p_adjusted"], m=test["m"], verdict=kind)


def _row(place: int, entry: Entry, row: dict[str, Any], gaps: list[Gap], command: str) -> Row:
    cells = {
        name: Cell(measure(row["metrics"][name], f"metrics.{name}"), row["metrics"][name]["skill"]) for name in BY_KEY
    }
    ranks = (row["rank_low"], row["rank_high"]) if "tier" in row else None
    return Row(
        place=place,
        name=entry.name,
        kind=entry.card.kind,
        description=entry.card.description,
        ranks=ranks,
        tier=row.get("tier"),
        cells=cells,
        coverage=row["coverage"],
        invalid=row["invalid"],
        gaps=gaps,
        p_best=row.get("p_best"),
        flags=row["flags"],
        command=command,
        signature=row["signature"],
        runs=row["runs"],
    )


def verdict(gathered: Gathered, board: Standings) -> list[str]:
    """Return one or two sentences: who leads and whether that is certain; how that compares with the prior."""
    rows = [row for row in board.rows if row.ranks]
    if gathered.kind == "compare" and len(rows) == 2:
        test = compare_pairs(gathered.field.paired, [(0, 1)], gathered.margin)[0]
        return [test["verdict"]["sentence"], test["about"], *_against(rows[0])]
    if gathered.kind == "report":
        return verdict_of_record(gathered.operands[0].score.record, rows[0].name)
    sentence = re.sub(r"<= [\d.]+e-\d+", "< .001", gathered.board["verdict"]).replace("<=", "≤")
    return [sentence, *(_against(rows[0]) if rows else [])]


WORDS = {"better": "above", "worse": "below", "better within margin": "slightly above",
         "worse within margin": "slightly below", "identical": "the same as", "equivalent": "equivalent to",
         "inconclusive": "not distinguishable from"}  # fmt: skip
WHAT = "the transition prior, which has only memorised the sequence"


def _against(row: Row) -> list[str]:
    """Return the sentence that compares an entry with the prior; empty without a test."""
    return [f"{row.name} is {_comparison(gap)}." for gap in row.gaps if gap.measure and gap.baseline == PRIOR]


def _comparison(gap: Gap) -> str:
    assert gap.measure is not None
    assert gap.measure.value is not None
    p = "" if gap.p_adjusted is None else f", adjusted p {p_in_a_sentence(gap.p_adjusted)}"
    return f"{WORDS[gap.verdict]} {WHAT} ({signed(gap.measure.value)}{p})"


@dataclass(frozen=True)
class Notice:
    """Remark to read before the numbers: a broken entry, incomplete coverage, an audit flag."""

    kind: str
    title: str
    text: str


def notices(gathered: Gathered, board: Standings) -> list[Notice]:
    """Return the notices of a page: coverage, audit flags, copies, broken entries, remarks, in this order."""
    rows = [
        Notice("coverage", row.name, unanswered(row.coverage, gathered.board["n"]))
        for row in board.rows
        if row.coverage < 1
    ]
    for entry in gathered.entries:
        if entry.card.kind != "reference":
            rows += [
                Notice("flag", entry.name, f"{row['flag'].replace('_', ' ')}: {row['text']}")
                for row in entry.score.record["audit"]
                if row["raised"]
            ]
    rows += [Notice("flag", in_words(copy["entries"]), copy["text"]) for copy in gathered.board["copies"]]
    rows += [Notice("broken", row["name"], row["error"].splitlines()[0]) for row in gathered.board["broken"]]
    rows += [
        Notice("note", row.name, row.cells["score"].measure.note)
        for row in board.rows
        if row.ranks and row.cells["score"].measure.note
    ]
    both = gathered.board["entries"] + gathered.board["references"]
    rows += [Notice("note", row["name"], method_note(row).partition(": ")[2]) for row in both if row["runs"] > 1]
    if gathered.field.entries[0].score.record["in_sample"]:
        rows.append(Notice("note", "in-sample", "floors and prior were fitted on the one session they are quoted for"))
    return rows


@dataclass(frozen=True)
class Chip:
    """Label and value; `copy` is the value in full where the chip shortens it."""

    label: str
    value: str
    copy: str = ""


def chips(gathered: Gathered) -> list[Chip]:
    """Return the chips below the verdict: all that the page's numbers depend on."""
    facts = gathered.field.facts
    weights = " + ".join(f"{facts['weights'][metric.key]:g} {metric.short}" for metric in PARTS)
    public = gathered.entries[0].score.record["truth_public"]
    return [
        Chip("world", f"{facts['world']} / {facts['split']}"),
        Chip("truth", facts["truth_digest"][:16] + (", public" if public else ""), facts["truth_digest"]),
        Chip("clips", f"{facts['n']:,} in {facts['sessions']:,} sessions"),
        Chip("score", weights),
        Chip("rules", facts["rules"]),
        Chip("harness", facts["version"]),
    ]
