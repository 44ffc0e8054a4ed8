"""Sheets from which a person, or a model that is shown pictures, reads one clip: 16 frames of 336 pixels, no truth.

A video shows every sign that faces the camera; 16 frames that are evenly spaced may miss one. So the middle frame of
each window is among them, and the rest are spread over the clip. Needs the `video` extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference.drawing.frame import render_frames
from reference.process.frame_limits import uniform_indices
from reference.process.visible import VisibleState
from reference.process.world import World
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES, DEFAULT_SIZE, Clip

if TYPE_CHECKING:
    from PIL import Image

FRAMES, ACROSS, ON_A_SHEET = 16, 4, 8
_GAP, _CAPTION = 4, 14
_PAPER, _INK = (250, 248, 244), (38, 42, 46)


def frames_to_read(state: VisibleState) -> list[int]:
    """Return 16 frames in order: the middle of each window, and the uniform ones that lie farthest from these."""
    middles = {min(CLIP_FRAMES - 1, (window.start_frame + window.end_frame) // 2) for window in state.windows}
    spread = [index for index in uniform_indices(FRAMES) if index not in middles]

    def distance(index: int) -> int:
        return min((abs(index - middle) for middle in middles), default=CLIP_FRAMES)

    ends = [index for index in (0, CLIP_FRAMES - 1) if index not in middles]
    rest = sorted((index for index in spread if index not in ends), key=distance, reverse=True)
    return sorted([*middles, *ends, *rest][:FRAMES])


def reading_sheets(world: World, clip: Clip, state: VisibleState, size: int = DEFAULT_SIZE) -> list[Image.Image]:
    """Draw the sheets of a clip: two of eight frames each, with the number of each frame above it."""
    from PIL import Image, ImageDraw, ImageFont

    chosen = frames_to_read(state)
    pictures = render_frames(world, state, render_seed(world.key, clip.session, clip.clip_index), chosen, size)
    rows, font = ON_A_SHEET // ACROSS, ImageFont.load_default(12)
    sheets = []
    for first in range(0, FRAMES, ON_A_SHEET):
        sheet = Image.new("RGB", (ACROSS * (size + _GAP), rows * (size + _CAPTION + _GAP)), _PAPER)
        pen = ImageDraw.Draw(sheet)
        for place in range(ON_A_SHEET):
            x, y = place % ACROSS * (size + _GAP), place // ACROSS * (size + _CAPTION + _GAP)
            pen.text((x + 2, y), f"frame {chosen[first + place]}", fill=_INK, font=font)
            sheet.paste(Image.fromarray(pictures[first + place]), (x, y + _CAPTION))
        sheets.append(sheet)
    return sheets
