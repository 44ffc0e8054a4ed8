"""Who leads, and is that certain: the rows of the leaderboard, the bounds among them, and what is said above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.comparison import leaderboard
from harness.comparison.leaderboard import Entry
from harness.comparison.pairwise import compare_pairs, verdict_of
from harness.metrics_table import BY_KEY
from harness.report.gather import FLOOR, PRIOR, Gathered
from harness.report.panels.measure import UNIT, Axis, Measure, chance, measure, plus, spoken

BOUNDS = (
    ("floor", "floor", "the best constant answer, fitted on train"),
    ("prior", "prior", "a perfect recogniser that has only memorised which operation usually follows which"),
    ("ceiling", "ceiling", "the best answer that the pictures allow, worked out from the process"),
)


@dataclass(frozen=True)
class Cell:
    """A metric in the table: the number, and how much of the way from prior (or floor) to ceiling it is."""

    measure: Measure
    skill: float | None


@dataclass(frozen=True)
class Gap:
    """The paired difference of an entry to a baseline, in score; None against itself."""

    baseline: str
    measure: Measure | None
    p: float | None
    p_adjusted: float | None
    m: int | None
    verdict: str


@dataclass(frozen=True)
class Row:
    """An entry. `place`: its number among the page's entries; rank, tier and P(best) are None for a reference."""

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


@dataclass(frozen=True)
class Bound:
    """A floor, prior or ceiling: what the numbers lie between. None where the metric has none."""

    name: str
    meaning: str
    values: dict[str, float | None]


@dataclass(frozen=True)
class Standings:
    """Panel data: the leaderboard's rows and bounds; differences are shown to `baselines`."""

    rows: list[Row]
    bounds: list[Bound]
    baselines: list[str]
    axis: Axis
    tiers: int


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
        Bound(name, meaning, {metric: metrics[metric][key] for metric in BY_KEY})
        for key, name, meaning in BOUNDS
        if metrics["score"][key] is not None
    ]
    return Standings(rows, bounds, baselines, UNIT, max((row.tier or 0 for row in rows), default=0))


def _baselines(gathered: Gathered) -> list[str]:
    """The chosen one first, then floor and prior."""
    return list(dict.fromkeys([gathered.field.baseline, *(name for name in (FLOOR, PRIOR) if _known(gathered, name))]))


def _known(gathered: Gathered, name: str) -> bool:
    return name in gathered.field.paired.names


def _gaps(gathered: Gathered, baseline: str, m: int) -> list[Gap]:
    """Of each ranked entry to this baseline, in one family with those to the leader."""
    paired = gathered.field.paired
    place = paired.names.index(baseline)
    _, tests = leaderboard.against(paired, m, place)
    return [_gap(gathered, i, place, test) for i, test in enumerate(tests)]


def _gap(gathered: Gathered, i: int, place: int, test: dict[str, Any] | None) -> Gap:
    paired = gathered.field.paired
    name = paired.names[place]
    if test is None:
        return Gap(name, None, None, None, None, "")
    kind = verdict_of(test, paired, i, place, gathered.margin, test["m"]).kind
    shown = measure(test | {"value": test["difference"]}, n=len(paired.clip_ids))
    return Gap(name, shown, test["p"], test["p_adjusted"], test["m"], kind)


def _row(place: int, entry: Entry, row: dict[str, Any], gaps: list[Gap], command: str) -> Row:
    cells = {
        name: Cell(measure(row["metrics"][name], f"metrics.{name}"), row["metrics"][name]["skill"]) for name in BY_KEY
    }
    ranks = (row["rank_low"], row["rank_high"]) if "tier" in row else None
    return Row(
        place,
        entry.name,
        entry.card.kind,
        entry.card.description,
        ranks,
        row.get("tier"),
        cells,
        row["coverage"],
        row["invalid"],
        gaps,
        row.get("p_best"),
        row["flags"],
        command,
        row["signature"],
    )


def verdict(gathered: Gathered, shown: Standings) -> list[str]:
    """One or two sentences: who leads and is that certain; and whether that is more than knowing the sequence."""
    rows = [row for row in shown.rows if row.ranks]
    if gathered.kind == "compare" and len(rows) == 2:
        test = compare_pairs(gathered.field.paired, [(0, 1)], gathered.margin)[0]
        return [test["verdict"]["sentence"], *_against(rows[0], with_floor=False)]
    if gathered.kind == "report":
        return [f"{rows[0].name} scores {_with_interval(rows[0].cells['score'].measure)}.", *_against(rows[0])]
    said = re.sub(r"<= [\d.]+e-\d+", "< .001", gathered.board["verdict"]).replace("<=", "≤")
    return [said, *(_against(rows[0], with_floor=False) if rows else [])]


def _with_interval(shown: Measure) -> str:
    if shown.value is None:
        return "nothing"
    ends = "" if shown.low is None else f" (95% {shown.low:.3f} to {shown.high:.3f})"
    return f"{shown.value:.3f}{ends}"


WORDS = {"better": "above", "worse": "below", "better within margin": "slightly above",
         "worse within margin": "slightly below", "identical": "the same as", "equivalent": "equivalent to",
         "inconclusive": "not told apart from"}  # fmt: skip
WHAT = {FLOOR: "the best constant answer", PRIOR: "the transition prior, which has only memorised the sequence"}


def _against(row: Row, with_floor: bool = True) -> list[str]:
    """How an entry stands to floor and prior."""
    said = [
        _stands(gap)
        for gap in row.gaps
        if gap.measure and gap.baseline in WHAT and (with_floor or gap.baseline == PRIOR)
    ]
    return [f"{row.name if not with_floor else 'It'} is {spoken(said)}."] if said else []


def _stands(gap: Gap) -> str:
    assert gap.measure is not None
    assert gap.measure.value is not None
    sure = "" if gap.p_adjusted is None else f", adjusted p {chance(gap.p_adjusted)}"
    return f"{WORDS[gap.verdict]} {WHAT[gap.baseline]} ({plus(gap.measure.value)}{sure})"


def p_value(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


@dataclass(frozen=True)
class Notice:
    """Something to know before the numbers: a broken entry, incomplete coverage, an audit flag."""

    kind: str
    title: str
    text: str


def notices(gathered: Gathered, shown: Standings) -> list[Notice]:
    found = [
        Notice("coverage", row.name, f"coverage {row.coverage:.1%}: the clips without a line count as wrong")
        for row in shown.rows
        if row.coverage < 1
    ]
    for entry in gathered.entries:
        if entry.card.kind != "reference":
            found += [
                Notice("flag", entry.name, f"{row['flag'].replace('_', ' ')}: {row['text']}")
                for row in entry.score.record["audit"]
                if row["raised"]
            ]
    found += [Notice("flag", spoken(copy["entries"]), copy["text"]) for copy in gathered.board["copies"]]
    found += [Notice("broken", row["name"], row["error"].splitlines()[0]) for row in gathered.board["broken"]]
    found += [
        Notice("note", row.name, row.cells["score"].measure.note)
        for row in shown.rows
        if row.ranks and row.cells["score"].measure.note
    ]
    if gathered.field.entries[0].score.record["in_sample"]:
        found.append(Notice("note", "in-sample", "floors and prior were fitted on the one session they are quoted for"))
    return found


@dataclass(frozen=True)
class Chip:
    label: str
    value: str
    copy: str = ""


def chips(gathered: Gathered, entries: Sequence[Entry]) -> list[Chip]:
    """What pins every number of the page."""
    facts = gathered.field.facts
    weights = " + ".join(
        f"{value:g} {name}" for name, value in zip(("OCA", "tIoU", "AA@1"), facts["weights"].values(), strict=True)
    )
    public = entries[0].score.record["truth_public"]
    return [
        Chip("world", f"{facts['world']} / {facts['split']}"),
        Chip("truth", facts["truth_digest"][:16] + (", public" if public else ""), facts["truth_digest"]),
        Chip("clips", f"{facts['n']:,} in {facts['sessions']:,} sessions"),
        Chip("score", weights),
        Chip("rules", facts["rules"]),
        Chip("harness", facts["version"]),
    ]
