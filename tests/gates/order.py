"""What the order of a clip's pictures is worth: models are asked about them in order, and in another one.

1. probe-16 on the hidden clips of test-large. The same on FURTHER sessions that are drawn as its are, against the mean
   of ORDERS other orders, which leaves less to chance.
2. A model of the same design that is told the operation of each picture and sees nothing else: what order is worth to
   one who recognises operations.
3. Why the first gets less out of order: the share of frames whose operation probe-16 recognises, by the time since it
   began. A model of frames reads off the first frame after a segment, and off those before it, what surrounds it; at 16
   frames a clip these lie within a third of a second of a boundary, where hands still hesitate. So the second model is
   also told as little as the first one recognises: near boundaries, elsewhere, and in both places.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.baselines.frame_model import LABELS, Design, Floats, FrameModel
from harness.baselines.on_frames import FRAME_BASELINES
from reference.process.frame_limits import ClipState, labels_at
from reference.process.visible import VisibleState
from reference.task import FRAME_MS
from tests.gates.answers import MILLION, Demand, Paired, ask, compare, learn_from, sessions_of
from tests.gates.gate import table
from tests.gates.sight_pictures import Drawing, Drawn, draw, read, states

SEED = 20_265
NAME = "probe-16"
FURTHER, ORDERS = 2_016, 4
"""Seven times the sessions of test-large: power .85 for a difference of .0065."""
EARLY, LATE = 0.20, 0.57
"""About the shares of frames that probe-16 recognises: in the first MOMENT ms of an operation, and later."""
MOMENT = 500
ALL = "all operations"
TOLD: dict[str, dict[str, float]] = {
    ALL: {},
    f"{EARLY:.0%} in an operation's first {MOMENT} ms and all later": {"early": EARLY},
    f"all in its first {MOMENT} ms and {LATE:.0%} later": {"late": LATE},
    f"{EARLY:.0%} in its first {MOMENT} ms and {LATE:.0%} later": {"early": EARLY, "late": LATE},
}
"""What a model is told: arguments of `labelled`."""
ENDS = (250, 500, 1000)
SPANS = [*(f"to {end} ms" for end in ENDS), f"from {ENDS[-1]} ms on", "of the operation that the clip begins with"]
"""Spans of time since an operation began, which end at so many ms."""
LEVEL = 0.05


class Worth(NamedTuple):
    """Expected AA@1 of n hidden clips with pictures in order and in another one, and the difference."""

    clips: int
    in_order: float
    shuffled: float
    cost: Paired

    def row(self, name: str) -> tuple[str, ...]:
        shares = (f"{value:.4f}" for value in (self.in_order, self.shuffled, self.cost.value))
        return name, f"{self.clips:,}", *shares, self.cost.interval, f"{self.cost.p:.1e}"


class Order(NamedTuple):
    """Worth of the order to probe-16 on test-large and on further sessions, and to a model that is told operations.

    `recognised`: spans of time since an operation began, frames in them, and the share of these that probe-16 labels
    right.
    """

    probe: Worth
    further: Worth | None
    told: dict[str, Worth]
    recognised: list[tuple[str, int, float]]

    def demands(self) -> list[Demand]:
        return [
            Demand(f"in order minus shuffled, {NAME}'s hidden AA@1", self.probe.cost.value, ">", 0),
            Demand("the same, p", self.probe.cost.p, "<=", LEVEL),
            Demand("the same, one who is told operations, lower limit", self.told[ALL].cost.low, ">", 0),
        ]

    def tables(self) -> list[str]:
        rows = [self.probe.row(f"{NAME}, test-large")]
        rows += [self.further.row(f"{NAME}, further sessions, {ORDERS} other orders")] if self.further else []
        rows += [worth.row(f"told {what}, test-large") for what, worth in self.told.items()]
        return [
            "Hidden clips, and the same pictures in another order:",
            table(("", "clips", "in order", "shuffled", "difference", "95%", "p"), rows),
            f"Frames of test whose operation {NAME} recognises, by the time since it began:",
            table(
                ("", "frames", "share"),
                ((name, f"{frames:,}", f"{share:.3f}") for name, frames, share in self.recognised),
            ),
        ]


def measure(model: FrameModel, world: str, sessions: int | None, workers: int) -> Order:
    """Ask probe-16, trained on train, and a model that is told operations; of `sessions` the first ones alone."""
    test, large = (Drawing(world, split, sessions=sessions) for split in ("test", "test-large"))
    large = large._replace(views=(NAME,), hidden=True)
    draw(large, workers)
    further = None
    if sessions is None:
        drawing = large._replace(further=FURTHER)
        draw(drawing, workers)
        further = worth(model, read(drawing, NAME), ORDERS)
    train = Drawing(world, "train", sessions=sessions)
    return Order(
        worth(model, read(large, NAME)),
        further,
        {what: worth_to_one_told(train, large, **shares) for what, shares in TOLD.items()},
        recognised(model, read(test, NAME), states(test)),
    )


def worth(model: FrameModel, drawn: Drawn, orders: int = 1) -> Worth:
    """Return what the order of these clips' pictures is worth to a model, against the mean of other orders."""
    in_order = ask(model, drawn).expected
    shuffled = sum(ask(model, in_another_order(drawn, turn)).expected for turn in range(orders)) / orders
    cost = compare(in_order, np.rint(shuffled), sessions_of(drawn.clips), MILLION)
    return Worth(len(drawn.clips), in_order.mean() / MILLION, float(np.mean(shuffled)) / MILLION, cost)


def in_another_order(drawn: Drawn, turn: int = 0) -> Drawn:
    """Return the clips with the pictures of each in a random order, another one each turn; the indices stay."""
    draws = random.Random(SEED + turn)
    return drawn._replace(kept=[kept[draws.sample(range(len(kept)), len(kept))] for kept in drawn.kept])


def worth_to_one_told(train: Drawing, asked: Drawing, **shares: float) -> Worth:
    """Return what order is worth to a model that is told operations; `shares` as in `labelled`."""
    return worth(learn_from(told_design(), labelled(train, **shares)), labelled(asked, **shares))


def labelled(drawing: Drawing, early: float = 1.0, late: float = 1.0) -> Drawn:
    """Return clips of which a label of each frame is kept and nothing else, one-hot [n, labels].

    It is the true operation, in the first MOMENT ms of one that begins on screen for a share `early` of the frames, for
    a share `late` of the others; else one at random.
    """
    shown = [(clip, state) for clip, state in states(drawing) if not (drawing.hidden and clip.next_visible)]
    indices, one, draws = FRAME_BASELINES[NAME].indices, np.eye(len(LABELS), dtype=np.float32), random.Random(SEED)
    kept = []
    for _, state in shown:
        codes = [LABELS.index(label) for label in labels_at(state, indices)]
        since = [ms_since_start(state, index) for index in indices]
        right = [draws.random() < (late if ms is None or ms >= MOMENT else early) for ms in since]
        kept.append(
            one[[code if told else draws.randrange(len(LABELS)) for code, told in zip(codes, right, strict=True)]]
        )
    return Drawn([clip for clip, _ in shown], [indices] * len(shown), kept)


def ms_since_start(state: VisibleState, index: int) -> int | None:
    """Return for how long a frame's operation has been on screen; None if the clip begins with it."""
    begun = max(run.start_frame for run in state.runs if run.start_frame <= index)
    return (index - begun) * FRAME_MS if begun else None


class Told:
    """Classifier of frames that reads the label off its features, which are the labels one-hot."""

    classes_ = np.arange(len(LABELS))

    def fit(self, features: Floats, labels: np.ndarray) -> Told:
        return self

    def predict_proba(self, features: Floats) -> Floats:
        return features


def told_design() -> Design:
    """Return the design of probe-16 with true labels for features and recogniser."""
    return replace(
        FRAME_BASELINES[NAME].design,
        shrink=np.asarray,
        learn=lambda kept, random: np.asarray,
        recogniser=lambda seed: Told(),
        disturb=None,
    )


def recognised(model: FrameModel, drawn: Drawn, shown: Sequence[ClipState]) -> list[tuple[str, int, float]]:
    """Return spans of time since a frame's operation began, frames in them, and the share that is labelled right."""
    right: dict[str, list[bool]] = defaultdict(list)
    for (_, state), kept, indices in zip(shown, drawn.kept, drawn.indices, strict=True):
        codes = model.recogniser.predict(model.features(kept))
        for code, label, index in zip(codes, labels_at(state, indices), indices, strict=True):
            right[span_of(ms_since_start(state, index))].append(LABELS[code] == label)
    return [(name, len(right[name]), float(np.mean(right[name]))) for name in sorted(right, key=SPANS.index)]


def span_of(ms: int | None) -> str:
    """Return the span of so many ms since an operation began, None where it began before the clip or with it."""
    if ms is None:
        return SPANS[-1]
    return SPANS[sum(ms >= end for end in ENDS)]
