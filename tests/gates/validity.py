"""Gate that the answer is in the pictures, and that nobody finds more there than the process allows.

Small models on frames cannot prove the first: the pictures are drawn so that they fail. It is shown in two ways.

1. Readers of sheets (`tests.gates.readers`): fresh eyes name operation and next operation from 16 frames of a clip.
2. Exchanged facts (`tests.gates.exchange`): all that a VisibleState says to be visible changes a picture that shows it.
3. The probe and probe-16, trained on train, answer test. They must beat the floors that training alone gives, and stay
   below the ceiling. With the signs of an order painted out they must not get better; what they lose is reported, since
   models of 42 x 42 pixels can hardly read a sign.

Intervals are of 95% over sessions (CR3, t(G-1), identity scale).

Run from the repository root: `python -m tests.gates.validity [--sessions 40] [--workers 2]`; `--sessions`: the first
ones of each split alone. Pictures are those of `tests.gates.sight_pictures`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.baselines.frame_model import Answers
from reference.process.frame_limits import ClipState, Limit, frame_limit
from reference.process.priors import Fit, fit
from reference.task import DEFAULT_WORLD, OPERATIONS, Clip
from tests.gates import exchange, readers
from tests.gates.answers import MILLION, Demand, Facts, Paired, compare, facts, is_hidden, learn, sessions_of
from tests.gates.exchange import Shown
from tests.gates.gate import Gate, table
from tests.gates.sight_pictures import Drawing, Drawn, draw, read, states

PROBES = ("probe", "probe-16")
MARKS = ("slip", "items", "table")
"""Surfaces that show an attribute of an order and can be painted out."""
SHOWN = 0.99
METRICS = {"OCA": "operation", "tIoU@0.5": "segment", "AA@1": "following", "hidden AA@1": "following"}


class Judged(NamedTuple):
    """Answers to clips: what they are worth, and whether the usual successor of the operation answered is right."""

    clips: Sequence[Clip]
    facts: Facts
    own_prior: np.ndarray

    def share(self, metric: str, among: np.ndarray | None = None) -> float:
        """Return a metric of METRICS over the clips of `among`, or over all; NaN where it counts none."""
        return self.facts.mean(METRICS[metric], self.counted(metric, among))

    def counted(self, metric: str, among: np.ndarray | None = None) -> np.ndarray:
        whole = np.ones(len(self.clips), bool) if among is None else among
        return whole & is_hidden(self.clips) if metric.startswith("hidden") else whole

    def above(self, fact: str, floor: np.ndarray, among: np.ndarray, unit: int = 1) -> Paired:
        """Return the mean of a fact minus `floor` [n] over the clips of `among`, with its interval."""
        session = np.unique(sessions_of(self.clips)[among], return_inverse=True)[1]
        return compare(getattr(self.facts, fact)[among], floor[among], session, unit)


def judge(clips: Sequence[Clip], answers: Answers, learned: Fit) -> Judged:
    """Return what answers to clips are worth; `learned` on the training clips."""
    following = np.array([OPERATIONS.index(clip.next_operation) for clip in clips])
    return Judged(clips, facts(clips, answers), following == np.array(learned.transition)[answers.operation])


class Floors(NamedTuple):
    """Whether the constant answers of training are right: operation and next operation [n]."""

    operation: np.ndarray
    following: np.ndarray


def floors(clips: Sequence[Clip], learned: Fit) -> Floors:
    return Floors(
        np.array([clip.dominant_operation == OPERATIONS[learned.operation] for clip in clips]),
        np.array([clip.next_operation == OPERATIONS[learned.next_operation] for clip in clips]),
    )


class Asked(NamedTuple):
    """A model's answers to clips as they are, and to the same ones with the signs painted out."""

    plain: Judged
    painted: Judged

    def gap(self, metric: str) -> Paired:
        """Return the metric with signs painted out minus that of the clips as they are."""
        among = self.plain.counted(metric)
        return self.painted.above(METRICS[metric], getattr(self.plain.facts, METRICS[metric]), among)


def ask(name: str, world: str, sessions: int | None, workers: int, painted: bool = True) -> Asked:
    """Train a model of `VIEWS` on train and ask it about test; without `painted` both answers are of clips as they are.

    Of train and test all views are kept, as the gate of sight wants them: neither gate draws what the other has drawn.
    """
    train, test = (Drawing(world, split, sessions=sessions) for split in ("train", "test"))
    gone = test._replace(views=PROBES, paint_out=MARKS) if painted else test
    for drawing in (train, test, gone):
        draw(drawing, workers)
    model, learned = learn(train, name), fit(read(train, name).clips, OPERATIONS)

    def judged(drawn: Drawn) -> Judged:
        return judge(drawn.clips, model.predict(drawn.kept, drawn.indices), learned)

    return Asked(judged(read(test, name)), judged(read(gone, name)))


def demands(name: str, asked: Asked, constant: Floors) -> list[Demand]:
    """Return the demands on a model."""
    plain = asked.plain
    whole, hidden = plain.counted("AA@1"), plain.counted("hidden AA@1")
    ceiling = np.array([round(MILLION * clip.ceiling) for clip in plain.clips])
    right = plain._replace(facts=plain.facts._replace(following=MILLION * plain.facts.following))
    return [
        Demand(f"{name}: OCA - floor, lower limit", plain.above("operation", constant.operation, whole).low, ">", 0),
        Demand(f"{name}: AA@1 - floor, lower limit", plain.above("following", constant.following, whole).low, ">", 0),
        Demand(
            f"{name}: hidden AA@1 - floor, lower limit",
            plain.above("following", constant.following, hidden).low,
            ">",
            0,
        ),
        Demand(f"{name}: AA@1 - ceiling, upper limit", right.above("following", ceiling, whole, MILLION).high, "<", 0),
        Demand(f"{name}: hidden AA@1 gained by painting signs out, lower limit", asked.gap("hidden AA@1").low, "<=", 0),
    ]


def run_gate(world: str = DEFAULT_WORLD, sessions: int | None = None, workers: int = 1) -> Gate:
    read_off = readers.read(world, "test")
    shown = exchange.count(world, "test", sessions, workers)
    asked = {name: ask(name, world, sessions, workers) for name in PROBES}
    train = read(Drawing(world, "train", sessions=sessions), "probe").clips
    constant = floors(asked["probe"].plain.clips, fit(train, OPERATIONS))
    found = [
        *readers.demands(read_off),
        *(Demand(f"facts shown: {kind}", each.share, ">=", SHOWN) for kind, each in shown.items()),
        *(demand for name in PROBES for demand in demands(name, asked[name], constant)),
    ]
    part = "" if sessions is None else f", of each split the first {sessions} sessions alone"
    text = (
        f"Is the answer in the pictures of {world}? Shown by readers of sheets (16 frames of 336 pixels, the frames at "
        "which signs face the camera among them), and by exchanging each fact of the visible state: in one of the "
        f"frames that show it, at least {exchange.PIXELS} pixels must change by more than {exchange.APART} of 255. The "
        f"probes are trained on train{part}, with pictures of 168 x 168. *Floor*: the constant answer of training. "
        "*Own prior*: the usual successor of the operation answered. *Limit*: what a perfect recogniser of the same "
        "frames gets. Domains that training has not seen are bold."
    )
    tables = [
        table(("", "found", "asked", "kept"), (demand.row() for demand in found)),
        "Readers of sheets:",
        readers.describe(read_off),
        "Facts exchanged, and shown by a picture:",
        _shown_table(shown),
        "The probes on test:",
        _probe_table(asked, constant),
        "Signs painted out by the renderer; the difference is painted out minus as is:",
        _painted_table(asked),
        "The probe by domain:",
        domain_table(asked["probe"].plain, states(Drawing(world, "test", sessions=sessions))),
        "The probe on canonical-v1, where what comes next follows from what is done:",
        domain_table(
            ask("probe", "canonical-v1", sessions, workers, painted=False).plain,
            states(Drawing("canonical-v1", "test", sessions=sessions)),
        ),
    ]
    return Gate("Validity", text, tables, all(demand.holds for demand in found))


def _shown_table(shown: dict[str, Shown]) -> str:
    rows = [
        (kind, f"{each.facts:,}", f"{each.share:.4f}", each.worst, f"{each.worst_share:.3f}")
        for kind, each in shown.items()
    ]
    return table(("", "facts", "shown", "least in", "there"), rows)


def _probe_table(asked: dict[str, Asked], constant: Floors) -> str:
    clips = asked["probe"].plain.clips
    hidden = is_hidden(clips)
    rows = []
    for name, (plain, _) in asked.items():
        shares = [plain.share(metric) for metric in METRICS]
        shares += [plain.facts.mean("expected", hidden), float(plain.own_prior[hidden].mean())]
        rows.append((name, *(f"{share:.3f}" for share in shares)))
    guesses = constant.operation.mean(), constant.following.mean(), constant.following[hidden].mean()
    operation, following, unseen = (f"{share:.3f}" for share in guesses)
    rows.append(("floor", operation, "-", following, unseen, "-", "-"))
    ceiling = np.array([clip.ceiling for clip in clips])
    rows.append(("ceiling", "-", "-", f"{ceiling.mean():.3f}", *2 * (f"{ceiling[hidden].mean():.3f}",), "-"))
    return table(("", *METRICS, "the same, expected", "own prior there"), rows)


def _painted_table(asked: dict[str, Asked]) -> str:
    rows = []
    for name, both in asked.items():
        for metric in METRICS:
            gap = both.gap(metric)
            shares = (both.plain.share(metric), both.painted.share(metric), gap.value)
            rows.append((name, metric, *(f"{share:.3f}" for share in shares), gap.interval, f"{gap.p:.1e}"))
    return table(("model", "metric", "as is", "painted out", "difference", "95%", "p"), rows)


DOMAIN_HEADER = (
    "domain", "clips", "OCA", "limit", "tIoU@0.5", "limit", "AA@1", "ceiling", "hidden AA@1", "own prior", "ceiling",
)  # fmt: skip


def domain_table(judged: Judged, states: Sequence[ClipState]) -> str:
    """Return a table with a row for all clips and one for each domain, beside what could be reached."""
    domains = np.array([clip.domain for clip in judged.clips])
    rows = [("all", *_row(judged, states, np.ones(len(domains), bool)))]
    unseen = {clip.domain for clip in judged.clips if not clip.domain_seen}
    for domain in dict.fromkeys(domains.tolist()):
        name = f"**{domain}**" if domain in unseen else domain
        rows.append((name, *_row(judged, states, domains == domain)))
    return table(DOMAIN_HEADER, rows)


def _row(judged: Judged, states: Sequence[ClipState], among: np.ndarray) -> Iterator[str]:
    limit: Limit = frame_limit(state for state, here in zip(states, among, strict=True) if here)["all"]
    hidden = judged.counted("hidden AA@1", among)
    ceiling = np.array([clip.ceiling for clip in judged.clips])
    figures = (
        judged.share("OCA", among),
        limit.oca,
        judged.share("tIoU@0.5", among),
        limit.tiou50,
        judged.share("AA@1", among),
        ceiling[among].mean(),
        judged.share("hidden AA@1", among),
        judged.own_prior[hidden].mean(),
        ceiling[hidden].mean(),
    )
    return iter((f"{among.sum():,}", *(f"{figure:.3f}" for figure in figures)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--workers", type=int, default=2)
    gate = run_gate(**vars(parser.parse_args()))
    print(gate.markdown())
    return 0 if gate.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
