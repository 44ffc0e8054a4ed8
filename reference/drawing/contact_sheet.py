"""Contact sheets: clips x 8 frames, for people to look at. Needs the `video` extra.

The frames are those of the uniform sampler, floor(linspace(0, 124, 8)). Under each frame stands its index, under each
clip its truth and a bar with the segment. A blind sheet names the clip and the frames only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from reference.drawing.frame import render_frames
from reference.errors import WorldError
from reference.process.split import session_states
from reference.process.visible import VisibleState
from reference.process.world import World
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES, DEFAULT_INDICES, Clip

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_GAP, _CAPTION = 6, 40
_INK, _PALE, _PAPER, _ACCENT = (38, 42, 46), (120, 126, 132), (250, 248, 244), (47, 111, 214)


def contact_sheet(
    world: World, split: str, clips: int | Sequence[str] = 6, blind: bool = False, size: int = 168
) -> Image.Image:
    """Draw a sheet of those clips (ids), or of that many spread over the split.

    Raises WorldError for an unknown clip.
    """
    from PIL import Image, ImageDraw

    chosen = _spread_clips(world, split, clips) if isinstance(clips, int) else _clips_by_id(world, split, clips)
    wide = len(DEFAULT_INDICES) * (size + _GAP) + _GAP
    tall = size + _CAPTION + _GAP
    sheet = Image.new("RGB", (wide, tall * len(chosen) + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for row, (clip, state) in enumerate(chosen):
        top = _GAP + row * tall
        seed = render_seed(world.key, clip.session, clip.clip_index)
        for place, frame in enumerate(render_frames(world, state, seed, DEFAULT_INDICES, size)):
            sheet.paste(Image.fromarray(frame), (_GAP + place * (size + _GAP), top))
        _caption(pen, clip, (_GAP, top + size), wide - 2 * _GAP, size, blind)
    return sheet


def _states(world: World, split: str) -> Iterator[tuple[Clip, VisibleState]]:
    for session in range(world.split(split).sessions):
        yield from session_states(world, split, session)


def _spread_clips(world: World, split: str, count: int) -> list[tuple[Clip, VisibleState]]:
    """Return `count` clips: sessions evenly spaced, domains in turn, at another place within each session."""
    plan = world.split(split)
    turn = len(plan.domains)
    chosen = []
    for number in range(min(count, plan.sessions)):
        block = number * plan.sessions // count // turn * turn
        session = min(block + number % turn, plan.sessions - 1)
        states = list(session_states(world, split, session))
        chosen.append(states[number * 7 % len(states)])
    return chosen


def _clips_by_id(world: World, split: str, names: Sequence[str]) -> list[tuple[Clip, VisibleState]]:
    found = {clip.clip_id: (clip, state) for clip, state in _states(world, split) if clip.clip_id in names}
    for name in names:
        if name not in found:
            raise WorldError(f"world {world.name} has no clip {name!r} in split {split}")
    return [found[name] for name in names]


def _caption(pen: ImageDraw.ImageDraw, clip: Clip, corner: tuple[int, int], wide: int, size: int, blind: bool) -> None:
    from PIL import ImageFont

    x, y = corner
    small, plain = ImageFont.load_default(10), ImageFont.load_default(13)
    for place, frame in enumerate(DEFAULT_INDICES):
        pen.text((x + place * (size + _GAP) + 2, y + 1), f"{frame}", fill=_PALE, font=small)
    pen.text((x, y + 21), _words(clip, blind), fill=_INK, font=plain)
    if not blind:
        _bar(pen, clip, x, y + 15, wide)


def _words(clip: Clip, blind: bool) -> str:
    if blind:
        return clip.clip_id
    start, end = clip.temporal_segment
    shown = "" if clip.next_visible else " (not shown)"
    about = f"{clip.domain}, {clip.worker}, {clip.cut_kind} cut"
    return f"{clip.clip_id}   {clip.dominant_operation} [{start}, {end})   next: {clip.next_operation}{shown}   {about}"


def _bar(pen: ImageDraw.ImageDraw, clip: Clip, x: int, y: int, wide: int) -> None:
    start, end = (_place(frame, wide) for frame in clip.temporal_segment)
    pen.rectangle((x, y, x + wide, y + 3), fill=(225, 221, 213))
    pen.rectangle((x + start, y, x + end, y + 3), fill=_ACCENT)


def _place(frame: int, wide: int) -> int:
    """Return the x of a frame boundary in a bar of `wide` pixels under pictures of equal width.

    Each picture stands for the frames nearest to its own, so the scale differs from picture to picture.
    """
    marks = [0, *((low + high + 1) // 2 for low, high in pairwise(DEFAULT_INDICES)), CLIP_FRAMES]
    cell = max(place for place, mark in enumerate(marks[:-1]) if mark <= min(frame, CLIP_FRAMES - 1))
    low, high = marks[cell], marks[cell + 1]
    return (wide * cell + wide * (frame - low) // (high - low)) // len(DEFAULT_INDICES)
