"""Description of a split: sizes, distributions, floors, prior, ceiling, and the differences that it can detect.

The table of detectable differences assumes two models of which, on a share *d* of the clips, exactly one is right, with
a correlation of 0.03 within a session: the standard error of their difference is sqrt(d (1 + 0.03 (m - 1)) / n) with m
clips a session, and a true difference of MDE points is found with power 0.80 at a two-sided 5%.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import disclosure, statistics
from harness.errors import UsageError, WorldError
from harness.metrics_table import FURTHER, SINGLE
from harness.progress import counter
from harness.worlds.sealing import picture_choices
from reference.files import write_text
from reference.home import cache_home, user_key
from reference.process import frame_limits
from reference.process.split import session_states
from reference.process.world import scaled_name
from reference.resources import sql
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD, SATURATED_SHARE, UNKNOWN
from reference.truth import store
from reference.truth.catalog import locate, names, sealed_split
from reference.truth.origin import Origin
from reference.truth.store import Truth, open_clips, open_truth

FORMAT = "warehouse-harness/world-1"
PUBLISHED_FORMAT = "warehouse-harness/published-1"
DISAGREEMENTS = (0.1, 0.25, 0.4)
CORRELATION = 0.03
LIMIT_SESSIONS = 288
"""Sessions that the frame limit of a larger split is computed on: it is a mean, known to a point by then."""


def list_splits(home: Path | None = None) -> list[dict[str, Any]]:
    """Return a row for every split of every world that ships or was made on this machine.

    `note` says what a world lacks that cannot be used now, such as the secret of a sealed split; else it is "".
    """
    folder = cache_home(home)
    return [row for name in names(folder) for row in _splits_of(name, folder)]


def _splits_of(name: str, home: Path) -> list[dict[str, Any]]:
    """Return the rows of one world; one that cannot be used has a single row, and hides no other world."""
    try:
        origin = locate(name, home)
    except WorldError as error:
        split = sealed_split(name, home)
        return [{"world": name, "split": split, "kind": split and "synthetic", "built": False, "note": str(error)}]
    return [
        {
            "world": origin.name,
            "split": split,
            "kind": origin.kind,
            "built": store.truth_path(origin, split, home=home).exists(),
            "note": "",
        }
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
    """Make the truth of some or all splits and return a row each. `check=False` ignores the pinned digests.

    Raises TruthError where a digest is not the pinned one.
    """
    folder = cache_home(home)
    origin = locate(scaled_name(world, scale), folder)
    origin.need_answers()
    pinned = origin.pinned
    if not check:
        origin = replace(origin, pinned={})
    rows = []
    for split in splits or origin.splits:
        path = store.truth_path(origin, split, home=folder, truth=truth)
        with counter(f"{origin.name} / {split}") as report:
            store.build_truth(origin, split, path, key=user_key(folder), progress=report)
        with store.attach(path, folder) as opened:
            rows.append(
                {
                    "world": opened.world,
                    "split": split,
                    "n": opened.n,
                    "sessions": opened.sessions,
                    "truth_digest": opened.digest,
                    "pinned": pinned.get(split) == opened.digest,
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
    """Write a split's truth in the format that the extension of `path` names; return the number of clips.

    Raises UsageError for a test split without `include_test`, and for a sealed one without `organiser`.
    """
    disclosure.refuse(world, "its export", organiser=organiser, home=home)
    if split.startswith("test") and not include_test:
        raise UsageError(f"split {split!r} is what models are judged on; --include-test exports it all the same")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_truth(world, split, home=home, truth=truth, allow_directories=(path.absolute().parent,)) as opened:
        store.export(opened, path)
        return opened.n


def export_ids(
    world: str, split: str, path: Path, *, home: Path | None = None, truth: Path | None = None, **_: Any
) -> int:
    """Write the clip ids of a split alone, in alphabetical order, which gives nothing away; return their number.

    Raises UsageError for a name that does not end in .jsonl.
    """
    if path.suffix.lower() != ".jsonl":
        raise UsageError(f"{path}: clip ids are written as JSON Lines; expected a name that ends in .jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_clips(world, split, home=home, truth=truth) as opened:
        rows = sorted(opened.connection.execute("SELECT clip_id FROM truth.clips").fetchall())
    write_text(path, "".join(json.dumps({"clip_id": clip_id}) + "\n" for (clip_id,) in rows))
    return len(rows)


def describe(
    world: str = DEFAULT_WORLD,
    split: str = DEFAULT_SPLIT,
    *,
    home: Path | None = None,
    truth: Path | None = None,
    organiser: bool = False,
) -> dict[str, Any]:
    """Return one object about a split (shares in [0, 1], null where the world has no such thing).

    Of the published folder of a sealed split the object says what is published. Raises UsageError for a sealed split
    without `organiser`.
    """
    origin = locate(world, home)
    if origin.withheld:
        return _describe_published(origin, split, home)
    disclosure.refuse(world, "its distributions", organiser=organiser, home=home)
    with open_truth(world, split, home=home, truth=truth) as opened:
        return describe_truth(opened) | limits(world, split, home)


def _describe_published(origin: Origin, split: str, home: str | Path | None) -> dict[str, Any]:
    """Return the object about a published folder: its clips, their pictures, the labels and the commitment."""
    assert origin.published is not None
    folder = origin.published.folder
    with open_clips(folder, split, home=home) as opened:
        return {
            "format": PUBLISHED_FORMAT,
            "world": opened.world,
            "split": opened.split,
            "kind": origin.kind,
            "n": opened.n,
            "sessions": opened.sessions,
            "commitment": opened.sealed,
            "pictures": picture_choices(folder),
            "operations": [label for label in opened.operations if label != UNKNOWN],
        }


ROLES = ("floor", "prior", "state_prior", "ceiling", "oracle")
"""What stands beside each metric of a split: columns of sql/world.sql, as ROLE_METRIC."""


def describe_truth(truth: Truth) -> dict[str, Any]:
    """Return the object about an open split, what sampled frames allow left out."""
    row = _row(truth, "world")
    metrics = {
        metric.key: {role: row.get(f"{role}_{metric.key}") for role in ROLES}
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
        "further": {
            key: {role: row[f"{role}_{key}"] for role in ("n", "floor", "ceiling", "oracle")} for key in FURTHER
        },
        **{name: row[name] for name in shares},
        "saturated": row["whole_clip_tiou50"] >= SATURATED_SHARE,
        "constant": _constant(truth),
        "transition": _transition(truth),
        "distributions": _distributions(truth),
        "frame_limit": None,
        "foresight": None,
        "detectable": detectable(truth.n, truth.sessions),
    }


def limits(world: str, split: str, home: Path | None = None) -> dict[str, Any]:
    """Return what sampled frames allow at best; empty without a process.

    `frame_limit`: scores of perfect labels of 8 uniform frames, on all, dense and other clips. `foresight`: how often
    the best answer about a hidden next operation is right, in expectation, by number of uniform frames.
    """
    origin = locate(world, home)
    if origin.process is None:
        return {}
    process = origin.process
    sessions = min(process.split(split).sessions * origin.scale, LIMIT_SESSIONS)
    states = [pair for index in range(sessions) for pair in session_states(process, split, index)]
    return {
        "frame_limit": {part: limit._asdict() for part, limit in frame_limits.frame_limit(states).items()},
        "foresight": {str(count): share for count, share in frame_limits.foresight(process, states).items()},
    }


def detectable(n: int, sessions: int) -> list[dict[str, float]]:
    """Return the smallest difference between two models that `n` clips in `sessions` sessions find, by disagreement.

    Empty below 5 sessions.
    """
    if sessions < statistics.MIN_SESSIONS:
        return []
    return [
        {
            "disagreement": share,
            "mde": statistics.minimum_detectable(disagreement_error(share, n, sessions), sessions),
        }
        for share in DISAGREEMENTS
    ]


def disagreement_error(share: float, n: int, sessions: int) -> float:
    """Return the standard error of the difference of two models of which, on a share of the clips, one is right."""
    # design effect of a cluster sample (Kish 1965): 1 + correlation x (clips a session - 1)
    return math.sqrt(share * (1 + CORRELATION * (n / sessions - 1)) / n)


def _row(truth: Truth, name: str) -> dict[str, Any]:
    relation = truth.connection.execute(sql(__package__, name))
    columns = [column[0] for column in relation.description]
    values = relation.fetchone()
    assert values is not None
    return {key: _finite(value) for key, value in zip(columns, values, strict=True)}


def _finite(value: Any) -> Any:
    """Return a number as it is, and None for NaN: a share over no clips, or of what the world does not say."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _constant(truth: Truth) -> dict[str, Any] | None:
    """Return the constant answer; None where each session has its own."""
    rows = truth.connection.execute(sql(__package__, "constant")).fetchall()
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
    """Return T, the usual successor by operation; None where each session has its own."""
    rows = truth.connection.execute(sql(__package__, "transition")).fetchall()
    return {truth.operations[operation]: truth.operations[following] for operation, following in rows} or None


def _distributions(truth: Truth) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for dimension, level, clips, sessions in truth.connection.execute(sql(__package__, "distributions")).fetchall():
        found.setdefault(dimension, []).append({"level": level, "clips": clips, "sessions": sessions})
    return found
