"""Data card of a world, made from the world itself: its content, its floors and ceilings, its known limits.

The cards of the worlds that ship lie beside their files; a test compares them with what this module makes.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.formatting import number
from harness.metrics_table import BY_KEY
from harness.worlds import describe, order_reading
from reference.process.sessions import quantile
from reference.process.world import World, load_world, world_file
from reference.resources import text
from reference.task import MEANINGS
from reference.truth.catalog import locate


def card(name: str, *, home: Path | None = None) -> str:
    """Return the data card as Markdown. Makes the truth of every split that is not there yet."""
    import jinja2

    locate(name, home).need_answers()
    world = load_world(name)
    splits = [describe.describe(name, split, home=home) for split in world.splits]
    template = text(__package__, "templates", "world_card.md.j2")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(template).render(
        world=world,
        name=shlex.quote(name),
        about=_about(name),
        splits=splits,
        operations=_operations(world, splits),
        domains=_domains(world, splits),
        signs=order_reading.signs(world),
        two_orders=order_reading.two_orders(world),
        successors=order_reading.successors(world),
        titles={key: metric.title for key, metric in BY_KEY.items()},
        number=number,
        share=_share,
        anticipates=any(row["metrics"]["aa1"]["prior"] < 1 for row in splits),
    )


def _about(name: str) -> list[str]:
    """Return the lines of the comment that a world file begins with."""
    lines = world_file(name).decode().splitlines()
    end = next(place for place, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").strip() for line in lines[:end]]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _operations(world: World, splits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each operation that occurs: steps, durations in seconds, share of each split's clips."""
    rows = []
    for operation, table in world.durations.items():
        steps = [step.name for step in world.steps.values() if step.operation == operation]
        drawn = [quantile(table, (place + 0.5) / 1000) for place in range(1000)]
        shares = [_level(split, "operation", operation) / split["n"] for split in splits]
        rows.append(
            {
                "operation": operation,
                "meaning": MEANINGS[operation],
                "steps": ", ".join(steps) or "an interruption",
                "median": _seconds(quantile(table, 0.5)),
                "mean": _seconds(sum(drawn) / len(drawn)),
                "p10": _seconds(quantile(table, 0.1)),
                "p90": _seconds(quantile(table, 0.9)),
                "shares": shares,
            }
        )
    return rows


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f}"


def _level(split: dict[str, Any], dimension: str, level: str) -> int:
    found = (row["clips"] for row in split["distributions"].get(dimension, ()) if row["level"] == level)
    return next(found, 0)


def _domains(world: World, splits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each cut kind and each domain: its clips by split."""
    rows = [("cut", kind, f"cut: {kind}", "-", "-") for kind in ("mid", "boundary", "dense")]
    for name, domain in world.domains.items():
        rows.append(("domain", name, name, f"{domain.strength / 10:g}%", "yes" if world.domain_seen(name) else "no"))
    return [
        {
            "level": title,
            "strength": strength,
            "seen": seen,
            "clips": [_level(split, dimension, level) for split in splits],
        }
        for dimension, level, title, strength, seen in rows
    ]
