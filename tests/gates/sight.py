"""Must the default world be looked at? Models that cannot look are asked what they read off its pictures.

The models are the baselines on frames (`harness.baselines.on_frames`), fixed before the world was drawn. Trained on
train, in the domains seen there, on pictures of 168 x 168:

1. Operation named from one frame, the one nearest to the middle of the true segment: histogram and thumbnail, on test.
2. The baselines as they are, on test.
3. Unseen domains against the same clips drawn clean, by the probe. Interval over sessions (CR3, t(G-1)).
4. What the order of pictures is worth to probe-16, and to one who is told what they show (`tests.gates.order`).

Run from the repository root: `python -m tests.gates.sight [--sessions 40] [--world NAME] [--workers 2]`; `--sessions`:
the first ones of each split alone, which takes minutes. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.baselines.frame_model import FrameModel
from harness.baselines.on_frames import FRAME_BASELINES
from harness.rules import Weights
from reference.task import DEFAULT_WORLD, Clip
from tests.gates import order
from tests.gates.answers import (
    MILLION,
    Demand,
    Facts,
    Paired,
    ask,
    compare,
    is_hidden,
    learn,
    sessions_of,
    state_prior,
)
from tests.gates.gate import Gate, table
from tests.gates.order import Order
from tests.gates.sight_pictures import Drawing, Drawn, draw, read

ONE_FRAME = {"histogram": 0.50, "thumbnail": 0.65}
OCA = {"histogram": 0.45, "thumbnail": 0.60}
PROBE_LEAST, DOMAINS_COST = 0.40, -0.08


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


def run_gate(world: str = DEFAULT_WORLD, sessions: int | None = None, workers: int = 1) -> Gate:
    train, test = (Drawing(world, split, sessions=sessions) for split in ("train", "test"))
    twin = test._replace(views=("probe",), as_clean=True)
    for drawing in (train, test, twin):
        draw(drawing, workers)
    found = floors(train, test)
    unseen = domains(found.models["probe"], test, twin)
    ordered = order.measure(found.models[order.NAME], world, sessions, workers)
    demands = _demands(found, unseen, ordered)
    part = "" if sessions is None else f" (of each split the first {sessions} sessions alone)"
    text = (
        f"Baselines on frames, fixed before {world} was drawn, trained on its train split{part} with pictures of 168 x "
        "168. *One frame*: the one nearest to the middle of the true segment. *Unseen domains*: the probe on the same "
        "clips in their domain and drawn clean, over sessions. *Shuffled*: probe-16 on the hidden clips of test-large, "
        "expected AA@1 in order minus that with the same pictures in another order, one test (m = 1); beside it "
        f"{order.FURTHER:,} further sessions, and a model of the same design that is told the operation of each "
        "picture and nothing else."
    )
    tables = [
        table(("", "found", "asked", "kept"), (demand.row() for demand in demands)),
        "The baselines on test; a next operation that is hidden counts its exact probability:",
        _floor_table(read(train, "probe").clips, read(test, "probe").clips, found),
        "The probe on unseen domains, paired with the same clips drawn clean:",
        _domain_table(unseen),
        *ordered.tables(),
    ]
    return Gate("Sight", text, tables, all(demand.holds for demand in demands))


def _demands(found: Floors, unseen: Domain, ordered: Order) -> list[Demand]:
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
        *ordered.demands(),
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
