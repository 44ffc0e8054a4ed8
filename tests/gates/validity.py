"""Gate that the answer is in the pictures, and hard where it should be: a small probe on frames (`probe_model`).

Trained on the train split, in the domains seen there, and judged against what can be reached: the limit that eight
frames set (`frame_limits`), its own prior (what memory makes of its recognised operations), the ceiling. With every
mark of an order painted out by the renderer it must lose what the marks taught it.

A demand that the split test does not meet is decided by test-large. Limits are those of 95% intervals over sessions
(CR3, t(G-1), identity scale); "upper" is one-sided. Differences as is against painted out: sign flip over sessions,
Holm over the four metrics.

Run from the repository root: `python -m tests.gates.validity [--workers 2]`. Draws some 30,000 clips: minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from harness import statistics
from harness.baselines import probe_model
from harness.baselines.frame_model import LABELS, Answers, FrameModel
from reference.process.frame_limits import ClipState, Limit, frame_limit, overlaps
from reference.process.priors import fit
from reference.task import OPERATIONS, Clip, Segment
from tests.gates.gate import Gate, table
from tests.gates.shown import MARKS, Drawn, draw, states, truth

SPLITS = ("test", "test-large")
LEVEL, SHARE_OF_LIMIT, NOT_DENSE, SHARE_LOST = 0.05, 0.9, 0.9, 0.5
METRICS = ("oca", "tiou50", "aa1", "aa1_hidden")

Draw = Callable[..., Drawn]


@dataclass
class Judged:
    """Answers to n clips, each array [n]; `session` numbered from 0."""

    shown: list[ClipState]
    session: np.ndarray
    domain: np.ndarray
    dense: np.ndarray
    hidden: np.ndarray
    ceiling: np.ndarray
    operation: np.ndarray  # right
    segment: np.ndarray
    following: np.ndarray
    own_prior: np.ndarray  # the usual successor of the answered operation is right

    def right(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Return which clips are right [n], and which ones the metric counts [n]."""
        whole = np.ones(len(self.session), bool)
        among = self.hidden if metric == "aa1_hidden" else whole
        return {"oca": self.operation, "tiou50": self.segment}.get(metric, self.following), among

    def share(self, metric: str, among: np.ndarray | None = None) -> float:
        counted, where = self.right(metric)
        where = where if among is None else where & among
        return float(counted[where].mean()) if where.any() else float("nan")

    def limit(self, among: np.ndarray | None = None) -> dict[str, Limit]:
        return frame_limit(found for place, found in enumerate(self.shown) if among is None or among[place])


def judge(shown: Sequence[ClipState], answers: Answers, usual: dict[str, str]) -> Judged:
    clips = [clip for clip, _ in shown]
    names = {name: number for number, name in enumerate(dict.fromkeys(clip.session for clip in clips))}
    operation = [LABELS[code] for code in answers.operation]
    segments = [Segment(int(start), int(end)) for start, end in answers.segment]
    following = np.array([clip.next_operation for clip in clips])
    return Judged(
        list(shown),
        np.array([names[clip.session] for clip in clips]),
        np.array([clip.domain for clip in clips]),
        np.array([clip.dense for clip in clips]),
        np.array([not clip.next_visible for clip in clips]),
        np.array([clip.ceiling for clip in clips]),
        np.array([clip.dominant_operation for clip in clips]) == np.array(operation),
        np.array([overlaps(clip.temporal_segment, segment) for clip, segment in zip(clips, segments, strict=True)]),
        following == np.array([LABELS[code] for code in answers.following]),
        following == np.array([usual[label] for label in operation]),
    )


def usual_successors(clips: Sequence[Clip]) -> dict[str, str]:
    """Return T of the training clips: the usual next operation by operation."""
    return {OPERATIONS[code]: OPERATIONS[after] for code, after in enumerate(fit(clips, OPERATIONS).transition)}


def mean_interval(
    values: np.ndarray, among: np.ndarray, session: np.ndarray, confidence: float = 0.95
) -> tuple[float, statistics.Interval]:
    """Return the mean of values [n] over the clips of `among`, and its interval over sessions."""
    totals = np.bincount(session[among], values[among].astype(float))
    clips = np.bincount(session[among])
    totals, clips = totals[clips > 0], clips[clips > 0]
    value = totals.sum() / clips.sum()
    replicates = (totals.sum() - totals) / (clips.sum() - clips)
    return float(value), statistics.identity_interval(value, replicates, clips, confidence)


class Lost(NamedTuple):
    """Loss by painting marks out: difference and adjusted p by metric, hidden gain over the own prior, lost share."""

    differences: dict[str, float]
    p: dict[str, float]
    gain: float
    share: float


def lost(plain: Judged, painted: Judged) -> Lost:
    differences, raw = {}, []
    for metric in METRICS:
        (before, among), (after, _) = plain.right(metric), painted.right(metric)
        gap = before[among].astype(int) - after[among]
        differences[metric] = float(gap.mean())
        sums = np.bincount(plain.session[among], gap).astype(np.int64)
        raw.append(statistics.sign_flip_p(sums)[0])
    adjusted = dict(zip(METRICS, statistics.holm(raw).tolist(), strict=True))
    gain = plain.share("aa1_hidden") - float(plain.own_prior[plain.hidden].mean())
    return Lost(differences, adjusted, gain, differences["aa1_hidden"] / gain if gain > 0 else float("nan"))


class Demand(NamedTuple):
    text: str
    found: float
    bound: str
    holds: bool


def demands(plain: Judged, painted: Judged) -> list[Demand]:
    """Return the demands on the probe for one split."""
    clean = plain.domain == "clean"
    of_limit = plain.share("oca", clean) / plain.limit(clean)["all"].oca
    not_dense = plain.share("oca", clean & ~plain.dense)
    _, gain = mean_interval(plain.following.astype(int) - plain.own_prior, plain.hidden, plain.session)
    everywhere = np.ones(len(plain.session), bool)
    _, gap = mean_interval(plain.following - plain.ceiling, everywhere, plain.session, confidence=0.90)
    gone = lost(plain, painted)
    assert gain.low is not None and gap.high is not None
    return [
        Demand("clean: OCA / OCA of the 8-frame limit", of_limit, f">= {SHARE_OF_LIMIT:g}", of_limit >= SHARE_OF_LIMIT),
        Demand("clean, not dense: OCA", not_dense, f">= {NOT_DENSE:g}", not_dense >= NOT_DENSE),
        Demand("hidden: AA@1 - own prior, lower limit", gain.low, "> 0", gain.low > 0),
        Demand("marks painted out: share of it lost", gone.share, f">= {SHARE_LOST:g}", gone.share >= SHARE_LOST),
        Demand("the same loss: adjusted p", gone.p["aa1_hidden"], f"<= {LEVEL:g}", gone.p["aa1_hidden"] <= LEVEL),
        Demand("AA@1 - ceiling, upper limit", gap.high, "< 0", gap.high < 0),
    ]


def learn(world: str, draw: Draw) -> tuple[FrameModel, dict[str, str]]:
    clips = [clip for clip, _ in states(world, "train")]
    return probe_model.train(draw(world, "train").pictures, [truth(clip) for clip in clips]), usual_successors(clips)


def answer(trained: FrameModel, usual: dict[str, str], world: str, split: str, draw: Draw, **options) -> Judged:
    drawn = draw(world, split, **options)
    return judge(states(world, split), trained.predict(drawn.pictures, drawn.indices), usual)


def run_gate(workers: int = 1, draw: Draw = draw) -> Gate:
    draw = partial(draw, workers=workers)
    trained, usual = learn("warehouse-v2", draw)
    ask = partial(answer, trained, usual, "warehouse-v2", draw=draw)
    plain = {split: ask(split=split) for split in SPLITS}
    painted = {split: ask(split=split, paint_out=MARKS) for split in SPLITS}
    found = [demands(plain[split], painted[split]) for split in SPLITS]
    text = (
        "A small probe on frames alone (`probe_model.py`, eight uniform frames), trained on the train split of "
        "warehouse-v2. Demanded: the first table, each line on test or, where test does not decide, on test-large. "
        "*Limit*: what a perfect recogniser of those eight frames gets. *Own prior*: the usual successor of the "
        "operation answered. Domains that training has not seen are bold."
    )
    tables = ["Demands:", _demand_table(found), "Marks painted out by the renderer:", _lost_table(plain, painted)]
    for split in SPLITS:
        tables += [f"By domain, {split}:", domain_table(plain[split])]
    tables += ["canonical-v1, where what comes next follows from what is done:", domain_table(_canonical(draw))]
    return Gate("Validity", text, tables, all(any(one.holds for one in line) for line in zip(*found, strict=True)))


def _canonical(draw: Draw) -> Judged:
    return answer(*learn("canonical-v1", draw), "canonical-v1", "test", draw)


def _demand_table(found: Sequence[Sequence[Demand]]) -> str:
    def shown(demand: Demand) -> str:
        value = f"{demand.found:.1e}" if 0 < demand.found < 1e-3 else f"{demand.found:.3f}"
        return value if demand.holds else f"**{value}**"

    rows = [(line[0].text, line[0].bound, *map(shown, line)) for line in zip(*found, strict=True)]
    return table(("", "demanded", *SPLITS), rows)


def _lost_table(plain: dict[str, Judged], painted: dict[str, Judged]) -> str:
    rows = []
    for split in SPLITS:
        gone = lost(plain[split], painted[split])
        for metric in METRICS:
            shares = (plain[split].share(metric), painted[split].share(metric), gone.differences[metric])
            rows.append((split, metric, *(f"{share:.3f}" for share in shares), f"{gone.p[metric]:.1e}"))
    return table(("split", "metric", "as is", "painted out", "difference", "adjusted p"), rows)


def domain_table(judged: Judged) -> str:
    """Return a table with a row for all clips and one for each domain, beside what could be reached."""
    header = (
        "domain",
        "clips",
        "OCA",
        "limit",
        "OCA not dense",
        "limit",
        "tIoU@0.5",
        "limit",
        "AA@1",
        "ceiling",
        "hidden AA@1",
        "own prior",
        "ceiling",
    )
    rows = [("all", *_row(judged, np.ones(len(judged.session), bool)))]
    unseen = {clip.domain for clip, _ in judged.shown if not clip.domain_seen}
    for domain in dict.fromkeys(judged.domain.tolist()):
        name = f"**{domain}**" if domain in unseen else domain
        rows.append((name, *_row(judged, judged.domain == domain)))
    return table(header, rows)


def _row(judged: Judged, among: np.ndarray) -> Iterable[str]:
    limit, hidden, long = judged.limit(among), among & judged.hidden, among & ~judged.dense
    figures = (
        judged.share("oca", among),
        limit["all"].oca,
        judged.share("oca", long),
        limit["not_dense"].oca,
        judged.share("tiou50", among),
        limit["all"].tiou50,
        judged.share("aa1", among),
        judged.ceiling[among].mean(),
        judged.share("aa1", hidden),
        judged.own_prior[hidden].mean(),
        judged.ceiling[hidden].mean(),
    )
    return f"{among.sum():,}", *(f"{figure:.3f}" for figure in figures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    gate = run_gate(**vars(parser.parse_args()))
    print(gate.markdown())
    return 0 if gate.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
