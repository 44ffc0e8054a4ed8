"""Must the default world be looked at? Models that cannot look are asked what they read off its pictures.

The models are the baselines on frames (`harness.baselines.on_frames`), fixed before the world was drawn. Trained on
train, in the domains seen there, on pictures of 168 x 168:

1. Operation named from one frame, the one nearest to the middle of the true segment: histogram and thumbnail, on test.
2. The baselines as they are, on test.
3. Unseen domains against the same clips drawn clean, by the probe. Interval over sessions (CR3, t(G-1)).
4. What follows, answered by probe-16 on the hidden clips of test-large from pictures in order, and from the same
   pictures in another order. Sign flip over sessions.

Run from the repository root: `python -m tests.gates.sight [--sessions 40] [--world NAME] [--workers 2]`; `--sessions`:
the first ones of each split alone, which takes minutes. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from harness import statistics
from harness.baselines import frame_model
from harness.baselines.frame_model import LABELS, Answers, FrameModel
from harness.baselines.on_frames import FRAME_BASELINES
from harness.rules import Weights
from reference.process.frame_limits import overlaps
from reference.process.priors import fit
from reference.task import DEFAULT_WORLD, OPERATIONS, Clip, Segment
from tests.gates.gate import Gate, table
from tests.gates.sight_pictures import VIEWS, Drawing, Drawn, draw, read

SEED = 20_265
MILLION = 1_000_000
ONE_FRAME = {"histogram": 0.50, "thumbnail": 0.65}
OCA = {"histogram": 0.45, "thumbnail": 0.60}
PROBE_LEAST, DOMAINS_COST, LEVEL = 0.40, -0.08, 0.05


class Facts(NamedTuple):
    """What answers to n clips are worth, integers [n]: three facts of 0 or 1, and millionths of P(answered next)."""

    operation: np.ndarray
    segment: np.ndarray
    following: np.ndarray
    expected: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Return the score of each clip, in tenths (integer weights)."""
        a, b, c = Weights().integers()
        return a * self.operation + b * self.segment + c * self.following

    def mean(self, name: str, among: np.ndarray) -> float:
        """Return the mean of a fact over the clips of `among`."""
        unit = {"expected": MILLION, "score": sum(Weights().integers())}.get(name, 1)
        return float(getattr(self, name)[among].mean() / unit) if among.any() else float("nan")


def facts(clips: Sequence[Clip], answers: Answers) -> Facts:
    segments = [Segment(int(start), int(end)) for start, end in answers.segment]
    return Facts(
        np.array([clip.dominant_operation for clip in clips]) == _labels(answers.operation),
        np.array([overlaps(clip.temporal_segment, segment) for clip, segment in zip(clips, segments, strict=True)]),
        np.array([clip.next_operation for clip in clips]) == _labels(answers.following),
        np.array([clip.next_ppm[code] for clip, code in zip(clips, answers.following, strict=True)]),
    )


def _labels(codes: np.ndarray) -> np.ndarray:
    return np.array(LABELS)[codes]


def is_hidden(clips: Sequence[Clip]) -> np.ndarray:
    return np.array([not clip.next_visible for clip in clips])


def sessions_of(clips: Sequence[Clip]) -> np.ndarray:
    """Return the session of each clip [n], numbered from 0."""
    return np.unique([clip.session for clip in clips], return_inverse=True)[1]


def learn(drawing: Drawing, view: str) -> FrameModel:
    """Train the model of a view on what it keeps of a split."""
    drawn = read(drawing, view)
    truths: list[dict[str, Any]] = [
        asdict(clip) | {"temporal_segment": clip.temporal_segment._asdict()} for clip in drawn.clips
    ]
    design = replace(VIEWS[view][0], shrink=np.asarray)  # what is read has been shrunk
    return frame_model.train(design, drawn.kept, truths, drawn.indices)


def ask(model: FrameModel, drawn: Drawn) -> Facts:
    return facts(drawn.clips, model.predict(drawn.kept, drawn.indices))


class Paired(NamedTuple):
    """Difference of a fact between two answers to each clip: value, ends of the interval, and p of the sign flip."""

    value: float
    low: float
    high: float
    p: float

    @property
    def interval(self) -> str:
        """Return the interval as text; nothing where there are too few sessions."""
        return "-" if np.isnan(self.low) else f"[{self.low:.3f}, {self.high:.3f}]"


def compare(one: np.ndarray, other: np.ndarray, session: np.ndarray, unit: int = 1) -> Paired:
    """Return one minus other, integers [n] in `unit`-ths, with the harness's statistics over sessions."""
    gap = np.bincount(session, one.astype(int) - other.astype(int)).astype(np.int64)
    clips = np.bincount(session)
    value, total, count = gap.sum() / clips.sum() / unit, gap.sum() - gap, clips.sum() - clips
    interval = statistics.identity_interval(value, total / np.maximum(count, 1) / unit, clips)
    low, high = (float("nan") if end is None else end for end in (interval.low, interval.high))
    return Paired(float(value), low, high, statistics.sign_flip_p(gap)[0])


def in_another_order(drawn: Drawn) -> Drawn:
    """Return the clips with the pictures of each in a random order; the indices stay as they are."""
    draws = random.Random(SEED)
    return drawn._replace(kept=[kept[draws.sample(range(len(kept)), len(kept))] for kept in drawn.kept])


class Demand(NamedTuple):
    text: str
    found: float
    sign: str  # "<=", ">=", "<" or ">"
    bound: float

    @property
    def holds(self) -> bool:
        below = self.found < self.bound or (self.found == self.bound and "=" in self.sign)
        above = self.found > self.bound or (self.found == self.bound and "=" in self.sign)
        return below if self.sign.startswith("<") else above

    def row(self) -> tuple[str, ...]:
        found = f"{self.found:.1e}" if 0 < self.found < 5e-4 else f"{self.found:.3f}"
        return self.text, found, f"{self.sign} {self.bound:.2f}", "yes" if self.holds else "**no**"


class Floors(NamedTuple):
    """Models trained on train and what they answered on test."""

    one_frame: dict[str, float]
    models: dict[str, FrameModel]
    answers: dict[str, Facts]


def floors(train: Drawing, test: Drawing) -> Floors:
    one_frame = {}
    for name in ONE_FRAME:
        drawn = read(test, f"{name}-middle")
        found = ask(learn(train, f"{name}-middle"), drawn)
        one_frame[name] = float(found.operation.mean())
    models = {name: learn(train, name) for name in FRAME_BASELINES}
    return Floors(one_frame, models, {name: ask(model, read(test, name)) for name, model in models.items()})


class Domain(NamedTuple):
    """Answers of the probe to the same clips in their unseen domains and drawn clean."""

    session: np.ndarray
    name: np.ndarray
    own: Facts
    clean: Facts

    def gap(self, fact: str, among: np.ndarray | None = None) -> Paired:
        among = np.ones(len(self.session), bool) if among is None else among
        session = np.unique(self.session[among], return_inverse=True)[1]
        unit = sum(Weights().integers()) if fact == "score" else 1
        return compare(getattr(self.own, fact)[among], getattr(self.clean, fact)[among], session, unit)


def domains(model: FrameModel, test: Drawing, twin: Drawing) -> Domain:
    own, clean = read(test, "probe"), read(twin, "probe")
    unseen = [place for place, clip in enumerate(own.clips) if not clip.domain_seen]
    own = Drawn(*([column[place] for place in unseen] for column in own))
    assert [clip.clip_id for clip in own.clips] == [clip.clip_id for clip in clean.clips]
    name = np.array([clip.domain for clip in own.clips])
    return Domain(sessions_of(own.clips), name, ask(model, own), ask(model, clean))


def shuffled(model: FrameModel, large: Drawing) -> tuple[Facts, Facts, Paired]:
    """Return probe-16's answers in order and in another one, and the difference of expected AA@1."""
    drawn = read(large, "probe-16")
    order, other = ask(model, drawn), ask(model, in_another_order(drawn))
    return order, other, compare(order.expected, other.expected, sessions_of(drawn.clips), MILLION)


def state_prior(train: Sequence[Clip], test: Sequence[Clip]) -> np.ndarray:
    """Return the millionths of P(usual successor of operation and look) of each clip."""
    learned = fit(train, OPERATIONS)
    return np.array(
        [clip.next_ppm[learned.state_next(OPERATIONS.index(clip.dominant_operation), clip.look)] for clip in test]
    )


def run_gate(world: str = DEFAULT_WORLD, sessions: int | None = None, workers: int = 1) -> Gate:
    train, test = (Drawing(world, split, sessions=sessions) for split in ("train", "test"))
    twin = test._replace(views=("probe",), as_clean=True)
    large = Drawing(world, "test-large", ("probe-16",), sessions, hidden=True)
    for drawing in (train, test, twin, large):
        draw(drawing, workers)
    found = floors(train, test)
    unseen = domains(found.models["probe"], test, twin)
    order, other, cost = shuffled(found.models["probe-16"], large)
    demands = _demands(found, unseen, cost)
    part = "" if sessions is None else f" (of each split the first {sessions} sessions alone)"
    text = (
        f"Baselines on frames, fixed before {world} was drawn, trained on its train split{part} with pictures of 168 x "
        "168. *One frame*: the one nearest to the middle of the true segment. *Unseen domains*: the probe on the same "
        "clips in their domain and drawn clean, over sessions. *Shuffled*: probe-16 on the hidden clips of test-large, "
        "expected AA@1 in order minus that with the same pictures in another order, one test (m = 1)."
    )
    tables = [
        table(("", "found", "asked", "kept"), (demand.row() for demand in demands)),
        "The baselines on test; a next operation that is hidden counts its exact probability:",
        _floor_table(read(train, "probe").clips, read(test, "probe").clips, found),
        "The probe on unseen domains, paired with the same clips drawn clean:",
        _domain_table(unseen),
        "probe-16 on the hidden clips of test-large, and shown the same pictures in another order:",
        _order_table(order, other, cost),
    ]
    return Gate("Sight", text, tables, all(demand.holds for demand in demands))


def _demands(found: Floors, unseen: Domain, cost: Paired) -> list[Demand]:
    gap = unseen.gap("operation")
    shares = {name: float(answers.operation.mean()) for name, answers in found.answers.items()}
    return [
        *(
            Demand(f"operation from one frame, {name}", found.one_frame[name], "<=", at)
            for name, at in ONE_FRAME.items()
        ),
        *(Demand(f"OCA, {name}", shares[name], "<=", most) for name, most in OCA.items()),
        Demand("OCA, probe", shares["probe"], ">=", PROBE_LEAST),
        Demand("unseen domains minus clean, probe's OCA", gap.value, "<=", DOMAINS_COST),
        Demand("the same, upper limit", gap.high, "<", 0),
        Demand("in order minus shuffled, probe-16's hidden AA@1", cost.value, ">", 0),
        Demand("the same, p", cost.p, "<=", LEVEL),
    ]


def _floor_table(train: Sequence[Clip], test: Sequence[Clip], found: Floors) -> str:
    everywhere, hidden = np.ones(len(test), bool), is_hidden(test)
    rows = [
        (
            name,
            *(f"{answers.mean(fact, everywhere):.3f}" for fact in ("operation", "segment", "following", "score")),
            f"{answers.mean('expected', hidden):.3f}",
        )
        for name, answers in found.answers.items()
    ]
    prior = state_prior(train, test)[hidden].mean() / MILLION
    ceiling = np.array([clip.ceiling for clip in test])[hidden].mean()
    rows += [("state prior", *"----", f"{prior:.3f}"), ("ceiling", *"----", f"{ceiling:.3f}")]
    return table(("", "OCA", "tIoU@0.5", "AA@1", "score", "hidden AA@1, expected"), rows)


def _domain_table(unseen: Domain) -> str:
    names = ["all", *dict.fromkeys(unseen.name.tolist())]
    rows = []
    for name in names:
        among = np.ones(len(unseen.name), bool) if name == "all" else unseen.name == name
        row = [name, f"{among.sum():,}"]
        for fact in ("operation", "score"):
            gap = unseen.gap(fact, among)
            shares = (unseen.clean.mean(fact, among), unseen.own.mean(fact, among), gap.value)
            row += [*(f"{share:.3f}" for share in shares), gap.interval]
        rows.append(row)
    header = ("domain", "clips", "OCA clean", "OCA", "difference", "95%", "score clean", "score", "difference", "95%")
    return table(header, rows)


def _order_table(order: Facts, other: Facts, cost: Paired) -> str:
    whole = np.ones(len(order.expected), bool)
    values = (order.mean("expected", whole), other.mean("expected", whole), cost.value)
    row = (
        f"{len(whole):,}",
        *(f"{value:.4f}" for value in values),
        cost.interval,
        f"{cost.p:.1e}",
    )
    return table(("clips", "in order", "shuffled", "difference", "95%", "p"), [row])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", default=DEFAULT_WORLD)
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--workers", type=int, default=2)
    gate = run_gate(**vars(parser.parse_args()))
    print(gate.markdown())
    return 0 if gate.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
