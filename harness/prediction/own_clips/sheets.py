"""Contact sheets of own clips for the page of answers: small pictures of a clip, row by row, as WebP."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np

from reference.errors import RenderError
from reference.extras import needs
from reference.video.decoders import Pixels

SIDE, COLUMNS, QUALITY = 112, 4, 60
"""Side of a picture in pixels, pictures in a row, and the quality of the WebP."""
KEPT_BYTES = 16 << 20


def sheet(pictures: Iterable[Pixels]) -> bytes:
    """Return square pictures, [h, w, 3] each, as one WebP of COLUMNS in a row. Raises RenderError without Pillow."""
    try:
        from PIL import Image
    except ImportError as error:
        raise RenderError(needs("a picture", error)) from None
    small = [Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX) for picture in pictures]
    size = min(len(small), COLUMNS) * SIDE, -(-len(small) // COLUMNS) * SIDE
    whole = Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8))
    for place, picture in enumerate(small):
        whole.paste(picture, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
    packed = io.BytesIO()
    whole.save(packed, "WEBP", quality=QUALITY, method=4)
    return packed.getvalue()


class Sheets:
    """Sheets that were made while a model was asked, up to KEPT_BYTES: a video need not be decoded again for them."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._bytes = 0

    def keep(self, clip_id: str, pictures: Iterable[Pixels]) -> None:
        """Make a clip's sheet and keep it, unless there is one or no room."""
        if clip_id not in self._kept and self._bytes < KEPT_BYTES:
            self._kept[clip_id] = sheet(pictures)
            self._bytes += len(self._kept[clip_id])

    def get(self, clip_id: str) -> bytes | None:
        """Return a clip's sheet, or None."""
        return self._kept.get(clip_id)
