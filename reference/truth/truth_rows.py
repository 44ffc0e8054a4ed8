"""A clip's truth as a row: of the table `clips` (schema.sql), and of JSON Lines in the shape of a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reference.process.priors import Fit
from reference.task import Clip
from reference.truth.origin import Content

if TYPE_CHECKING:
    import pandas as pd


def truth_row(clip: Clip, fit: Fit, operations: Sequence[str]) -> dict[str, Any]:
    """Return a clip's truth as training code reads it: the answers in the shape of a prediction, and their context.

    `harness world export` writes the same keys with the same values (sql/export_jsonl.sql). `fit` is the one of the
    clip's fold, `operations` the labels that its codes mean.
    """
    operation = operations.index(clip.dominant_operation)
    state_prior = fit.state_next(operation, clip.look)
    return {
        "clip_id": clip.clip_id,
        "session": clip.session,
        "clip_index": clip.clip_index,
        "start_ms": clip.start_ms,
        "dominant_operation": clip.dominant_operation,
        "temporal_segment": clip.temporal_segment._asdict(),
        "next_operation": clip.next_operation,
        "previous_operation": clip.previous_operation,
        "next_operations": list(clip.next_operations),
        "next_visible": clip.next_visible,
        "dense": clip.dense,
        "cut_kind": clip.cut_kind,
        "domain": clip.domain,
        "domain_seen": clip.domain_seen,
        "worker": clip.worker,
        "randomised": clip.randomised,
        "off_script": clip.off_script,
        "ceiling": None if clip.ceiling is None else _millionths(clip.ceiling) / 1_000_000,
        "oracle_next": clip.oracle_next,
        "prior_next": operations[fit.transition[operation]],
        "look": clip.look,
        "state_prior": None if state_prior is None else operations[state_prior],
        "next_ppm": None if clip.next_ppm is None else list(clip.next_ppm),
        "later_ceilings_ppm": _all_millionths(clip.later_ceilings),
        "later_oracle": None if clip.later_oracle is None else list(clip.later_oracle),
        "frames_hit": clip.frames_hit,
    }


def fit_of(content: Content) -> Callable[[Clip], Fit]:
    """Return the function from a clip to the fit of its fold, for a content whose clips can be listed again."""
    sessions = dict.fromkeys(clip.session for clip in content.clips) if len(content.fits) > 1 else {}
    fold = {session: number for number, session in enumerate(sessions)}

    return lambda clip: content.fits[fold.get(clip.session, 0)]


def _millionths(share: float) -> int:
    return round(share * 1_000_000)


def _all_millionths(shares: Sequence[float] | None) -> list[int] | None:
    return None if shares is None else [_millionths(share) for share in shares]


def clips_table(clips: list[Clip], content: Content, sessions: dict[str, int]) -> pd.DataFrame:
    """Return a chunk of the table `clips`: schema.sql's columns in its order, operations as codes.

    `sessions` maps each session to its number, and gets the sessions that are new in this chunk.
    """
    import pandas as pd

    code = {label: place for place, label in enumerate(content.operations)}
    number = [sessions.setdefault(clip.session, len(sessions)) for clip in clips]
    fold = [index if len(content.fits) > 1 else 0 for index in number]
    operation = [code[clip.dominant_operation] for clip in clips]
    columns: dict[str, list[Any]] = {
        "clip_id": [clip.clip_id for clip in clips],
        "session": [clip.session for clip in clips],
        "session_index": number,
        "clip_index": [clip.clip_index for clip in clips],
        "start_ms": [clip.start_ms for clip in clips],
        "dominant_operation": operation,
        "start_frame": [clip.temporal_segment.start_frame for clip in clips],
        "end_frame": [clip.temporal_segment.end_frame for clip in clips],
        "next_operation": [code[clip.next_operation] for clip in clips],
        "previous_operation": [_code(code, clip.previous_operation) for clip in clips],
        "next_operations": [[code[label] for label in clip.next_operations] for clip in clips],
        "next_visible": [clip.next_visible for clip in clips],
        "dense": [clip.dense for clip in clips],
        "cut_kind": [clip.cut_kind for clip in clips],
        "domain": [clip.domain for clip in clips],
        "domain_seen": [clip.domain_seen for clip in clips],
        "worker": [clip.worker for clip in clips],
        "randomised": [clip.randomised for clip in clips],
        "off_script": [clip.off_script for clip in clips],
        "ceiling_ppm": [None if clip.ceiling is None else _millionths(clip.ceiling) for clip in clips],
        "oracle_next": [_code(code, clip.oracle_next) for clip in clips],
        "fold": fold,
        "prior_next": [content.fits[index].transition[known] for index, known in zip(fold, operation, strict=True)],
        "look": [clip.look for clip in clips],
        "state_prior": [
            content.fits[index].state_next(known, clip.look)
            for clip, index, known in zip(clips, fold, operation, strict=True)
        ],
        "next_ppm": [clip.next_ppm for clip in clips],
        "later_ceilings_ppm": [_all_millionths(clip.later_ceilings) for clip in clips],
        "later_oracle": [clip.later_oracle and [code[label] for label in clip.later_oracle] for clip in clips],
        "frames_hit": [clip.frames_hit for clip in clips],
    }
    nullable = {
        "previous_operation": "Int64",
        "ceiling_ppm": "Int64",
        "oracle_next": "Int64",
        "domain_seen": "boolean",
        "randomised": "boolean",
        "off_script": "boolean",
        "domain": "object",
        "worker": "object",
        "look": "object",
        "state_prior": "Int64",
        "next_ppm": "object",
        "later_ceilings_ppm": "object",
        "later_oracle": "object",
        "frames_hit": "boolean",
    }
    return pd.DataFrame({name: pd.Series(values, dtype=nullable.get(name)) for name, values in columns.items()})


def _code(code: Mapping[str, int], label: str | None) -> int | None:
    return None if label is None else code[label]
