"""What a split of a world can measure: sizes, distributions, floors, prior, ceiling, and the differences it can detect.

The table of detectable differences assumes two models of which, on a share *d* of the clips, exactly one is right, with
a correlation of 0.03 within a session: the standard error of their difference is sqrt(d (1 + 0.03 (m - 1)) / n) with m
clips a session, and a true difference of MDE points is found with power 0.80 at a two-sided 5%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import disclosure, statistics
from harness.metrics_table import SINGLE
from reference.resources import sql
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD

if TYPE_CHECKING:
    from reference.truth.store import Truth

FORMAT = "warehouse-harness/world-1"
DISAGREEMENTS = (0.1, 0.25, 0.4)
CORRELATION = 0.03
LIMIT_SESSIONS = 288
"""Of a larger split the frame limit is worked out on so many sessions: it is a mean, known to a point by then."""


def listed(home: Path | None = None) -> list[dict[str, Any]]:
    """A row for every split of every world that is known here."""
    from reference.home import cache_home
    from reference.truth.catalog import locate, names
    from reference.truth.store import truth_path

    folder = cache_home(home)
    return [
        {
            "world": origin.name,
            "split": split,
            "kind": origin.kind,
            "built": truth_path(origin, split, home=folder).exists(),
        }
        for origin in (locate(name, folder) for name in names(folder))
        for split in origin.splits
    ]


def build(
    world: str,
    splits: Sequence[str] = (),
    *,
    scale: int = 1,
    home: Path | None = None,
    truth: Path | None = None,
    check: bool = True,
) -> list[dict[str, Any]]:
    """Make the truth of some or all splits; a row each. `check=False` ignores the pinned digests."""
    from dataclasses import replace

    from harness.progress import counter
    from reference.home import cache_home, user_key
    from reference.process.world import scaled_name
    from reference.truth.catalog import locate
    from reference.truth.store import attach, build_truth, truth_path

    folder = cache_home(home)
    origin = locate(scaled_name(world, scale), folder)
    pinned = origin.pinned
    if not check:
        origin = replace(origin, pinned={})
    rows = []
    for split in splits or origin.splits:
        path = truth_path(origin, split, home=folder, truth=truth)
        with counter(f"{origin.name} / {split}") as report:
            build_truth(origin, split, path, key=user_key(folder), progress=report)
        with attach(path, folder) as made:
            as_pinned = pinned.get(split) == made.digest
            rows.append(
                {
                    "world": made.world,
                    "split": split,
                    "n": made.n,
                    "sessions": made.sessions,
                    "truth_digest": made.digest,
                    "pinned": as_pinned,
                    "path": str(path),
                }
            )
    return rows


def export(
    world: str,
    split: str,
    path: Path,
    *,
    include_test: bool = False,
    home: Path | None = None,
    truth: Path | None = None,
    organiser: bool = False,
) -> int:
    """Write a split's truth by the extension of `path`; returns the number of clips. Test splits only when asked."""
    from harness.errors import UsageError
    from reference.truth import store

    disclosure.refuse(world, "its export", organiser=organiser, home=home)
    if split.startswith("test") and not include_test:
        raise UsageError(f"split {split!r} is what models are judged on; --include-test exports it all the same")
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.open_truth(world, split, home=home, truth=truth, allow_directories=(path.absolute().parent,)) as opened:
        store.export(opened, path)
        return opened.n


def describe(
    world: str = DEFAULT_WORLD,
    split: str = DEFAULT_SPLIT,
    *,
    home: Path | None = None,
    truth: Path | None = None,
    organiser: bool = False,
) -> dict[str, Any]:
    """One object about a split (shares in [0, 1], null where the world has no such thing)."""
    from reference.truth.store import open_truth

    disclosure.refuse(world, "its distributions", organiser=organiser, home=home)
    with open_truth(world, split, home=home, truth=truth) as opened:
        return described(opened) | {"frame_limit": frame_limit(world, split, home)}


def described(truth: Truth) -> dict[str, Any]:
    row = _row(truth, "world")
    metrics = {
        metric.key: {role: row.get(f"{role}_{metric.key}") for role in ("floor", "prior", "ceiling", "oracle")}
        | ({} if metric.ceiling else {"ceiling": 1.0})
        for metric in SINGLE
    }
    shares = (
        "dense",
        "next_hidden",
        "off_script",
        "randomised_sessions",
        "whole_clip_tiou50",
        "n_hidden",
        "segment_frames_min",
        "segment_frames_median",
        "segment_frames_max",
    )
    return {
        "format": FORMAT,
        "world": truth.world,
        "split": truth.split,
        "kind": truth.meta["kind"],
        "truth_digest": truth.digest,
        "n": truth.n,
        "sessions": truth.sessions,
        "public": truth.public,
        "in_sample": truth.in_sample,
        "metrics": metrics,
        **{name: row[name] for name in shares},
        "constant": _constant(truth),
        "transition": _transition(truth),
        "distributions": _distributions(truth),
        "frame_limit": None,
        "detectable": detectable(truth.n, truth.sessions),
    }


def frame_limit(world: str, split: str, home: Path | None = None) -> dict[str, dict[str, float | int]] | None:
    """What perfect labels of the 8 uniform frames reach, on all, dense and other clips; None without a process."""
    from reference.process import frame_limits
    from reference.process.split import session_states
    from reference.truth.catalog import locate

    origin = locate(world, home)
    if origin.process is None:
        return None
    process = origin.process
    sessions = min(process.split(split).sessions * origin.scale, LIMIT_SESSIONS)
    shown = (pair for index in range(sessions) for pair in session_states(process, split, index))
    return {part: limit._asdict() for part, limit in frame_limits.frame_limit(shown).items()}


def detectable(n: int, sessions: int) -> list[dict[str, float]]:
    """Smallest difference between two models that `n` clips in `sessions` sessions find; empty below 5 sessions."""
    if sessions < statistics.MIN_SESSIONS:
        return []
    inflation = 1 + CORRELATION * (n / sessions - 1)
    return [
        {"disagreement": share, "mde": statistics.minimum_detectable(math.sqrt(share * inflation / n), sessions)}
        for share in DISAGREEMENTS
    ]


def _row(truth: Truth, name: str) -> dict[str, Any]:
    relation = truth.connection.execute(sql(__package__, name))
    columns = [column[0] for column in relation.description]
    values = relation.fetchone()
    assert values is not None
    return {key: _finite(value) for key, value in zip(columns, values, strict=True)}


def _finite(value: Any) -> Any:
    """A share over no clips, or of what the world does not say, is null."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _constant(truth: Truth) -> dict[str, Any] | None:
    """The floors' one submission; None where each session has its own."""
    rows = truth.connection.execute(
        "SELECT dominant_operation, start_frame, end_frame, next_operation FROM truth.constants"
    ).fetchall()
    if len(rows) != 1:
        return None
    operation, start, end, following = rows[0]
    return {
        "dominant_operation": truth.operations[operation],
        "start_frame": start,
        "end_frame": end,
        "next_operation": truth.operations[following],
    }


def _transition(truth: Truth) -> dict[str, str] | None:
    """T, the usual successor by operation; None where each session has its own."""
    if truth.connection.execute("SELECT max(fold) FROM truth.transition").fetchone() != (0,):
        return None
    rows = truth.connection.execute(
        "SELECT operation, next_operation FROM truth.transition ORDER BY operation"
    ).fetchall()
    return {truth.operations[operation]: truth.operations[following] for operation, following in rows}


def _distributions(truth: Truth) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for dimension, level, clips, sessions in truth.connection.execute(sql(__package__, "distributions")).fetchall():
        found.setdefault(dimension, []).append({"level": level, "clips": clips, "sessions": sessions})
    return found
