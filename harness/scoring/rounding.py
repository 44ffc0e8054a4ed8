"""What the rounding of frames to 25 fps changes about the hits of tIoU@0.5, where a file counts at another rate.

Frames at 25 fps decide, rounded half up: the truth counts so, and a file has one score, whether it was converted before
or is converted by --fps. An exact half of a tIoU can fall to either side then, so it is said how many clips did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.formatting import plural
from reference.home import cache_home
from reference.task import FPS, frame_table
from reference.truth.catalog import locate

if TYPE_CHECKING:
    from harness.scoring.clip_facts import ClipFacts
    from harness.scoring.request import Request


def rounding_of(facts: ClipFacts, request: Request) -> dict[str, Any] | None:
    """Return the counts of sql/rounding.sql for the record, or None where file and truth count at 25 fps.

    Truth that was converted at its import is rounded as the answers are. What an answer would hit without that nobody
    can say then, so the hits are None.
    """
    rate, _ = frame_table(request.fps, request.clip_frames)
    imported = facts.truth.meta["kind"] == "imported"
    converted = imported and locate(request.world, cache_home(request.home)).converted
    unknown = {"hits_lost": None, "hits_gained": None}
    if rate == FPS:
        converted &= request.fps is None and request.clip_frames is None  # else it was said that the file counts so
        return {"fps": float(FPS), "rounded": 0} | unknown if converted else None
    return {"fps": float(rate)} | facts.rounding(rate) | (unknown if converted else {})


def rounding_note(record: dict[str, Any]) -> str:
    """Return the sentence that says what rounding changed; "" where it changed no frame or that is not known."""
    found = record["submission"].get("rounding")
    if found and found["fps"] == FPS:
        return (
            "this world's truth counted another frame rate, and these answers were read at 25 fps; "
            "where they count F a second, `harness score FILE --fps F` reads them so"
        )
    if not found or not found["rounded"] or found["hits_lost"] is None:
        return ""
    lost, gained = found["hits_lost"], found["hits_gained"]
    rounded = f"frames at {found['fps']:.4g} fps were rounded to 25 fps in {plural(found['rounded'], 'answer')}"
    if not lost and not gained:
        return f"{rounded}, which changes no hit of tIoU@0.5"
    return f"{rounded}; unrounded they would gain {plural(lost, 'hit')} of tIoU@0.5 and lose {gained:,}"
