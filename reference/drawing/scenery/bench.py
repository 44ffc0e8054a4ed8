"""The bench of a run: how box, items and screen stand, from the step's look, earlier runs on screen, and this run.

A run's bench follows from the steps shown up to it and from nothing else; when the run will end is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference.process.appearance import Look
from reference.process.visible import ShownRun
from reference.process.world import IDLE, World


@dataclass(frozen=True)
class Bench:
    """State of the bench when a run begins (for Idle: as the interrupted step left it)."""

    operation: str
    working: str  # the step's operation; differs from `operation` in Idle only
    box: str
    inside: frozenset[str]
    marks: frozenset[str]
    items_out: bool
    wrapped: bool
    screen: str


def benches(world: World, runs: Sequence[ShownRun]) -> tuple[Bench, ...]:
    """Return the bench of each run, in order."""
    found: list[Bench] = []
    for number, run in enumerate(runs):
        step = world.steps[run.step]
        bench = _begin(run.operation, step.operation, step.look)
        if run.operation == IDLE:
            bench = _when_finished(bench)
        if number and runs[number - 1].order == run.order:
            bench = _with_remains(_at_end(found[-1]), bench)
        found.append(bench)
    return tuple(found)


def _begin(operation: str, working: str, look: Look) -> Bench:
    return Bench(
        operation, working, look.box, frozenset(look.inside), frozenset(look.marks), look.items_out, False, look.screen
    )


def _with_remains(before: Bench, bench: Bench) -> Bench:
    """Return the bench with what stays for the rest of an order: wrapped items, fill in the box, tape, label, paper."""
    inside = bench.inside | (before.inside - {"items"}) if bench.box == "open" else bench.inside
    marks = bench.marks | before.marks if bench.box == before.box == "closed" else bench.marks
    return replace(bench, inside=inside, marks=marks, wrapped=bench.wrapped or before.wrapped)


def _at_end(bench: Bench) -> Bench:
    """Return the bench at the end of a run; an idle worker changes nothing."""
    return bench if bench.operation == IDLE else _when_finished(bench)


def _when_finished(bench: Bench) -> Bench:
    """Return the bench once the step's operation is finished."""
    return _EFFECTS.get(bench.working, lambda same: same)(bench)


def _set_up(bench: Bench) -> Bench:
    return replace(bench, box="open")


def _add_padding(bench: Bench) -> Bench:
    return replace(bench, inside=bench.inside | {"filling" if "items" in bench.inside else "padding"})


def _add_tape(bench: Bench) -> Bench:
    return replace(bench, marks=bench.marks | {"second tape" if "tape" in bench.marks else "tape"})


def _put_items_out(bench: Bench) -> Bench:
    return bench if "items" in bench.inside else replace(bench, items_out=True)


def _pack_items(bench: Bench) -> Bench:
    return replace(bench, items_out=False, inside=bench.inside | {"items"})


def _add_paper(bench: Bench) -> Bench:
    if bench.items_out:
        return replace(bench, wrapped=True)
    return replace(bench, marks=bench.marks | {"gift wrap"})


def _add_label(bench: Bench) -> Bench:
    return replace(bench, marks=bench.marks | {"second label" if "label" in bench.marks else "label"})


_EFFECTS = {
    "Box Setup": _set_up,
    "Inner Packing": _add_padding,
    "Tape": _add_tape,
    "Put Items": _put_items_out,
    "Pack": _pack_items,
    "Wrap": _add_paper,
    "Label": _add_label,
}
