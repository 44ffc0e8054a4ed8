"""Film: the moments at which a camera takes a frame, and how these takes become one picture.

A film is made from (strength, seed, size): strength per mille of the greatest effect, the clip's render seed, the side
of a frame in pixels. What belongs to a camera (its lens, the lamp's colour) is drawn from the session's part of the
seed, what happens in a clip from the whole seed, so that any frame can be made alone. Only integers, and + - * / sqrt
in doubles before they become integers: every processor makes the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference.randomness import NextRandom

Pixels = NDArray[np.uint8]
Develop = Callable[[Pixels, int], Pixels]  # takes [k, h, w, 3], frame index -> [h, w, 3]

MOST_TAKES = 4

_KEY = 0x9E3779B97F4A7C15F39CC0605CEDC834  # sets these draws apart from the scene's


def _now(index: int) -> tuple[int, ...]:
    return (0,)


def _plain(takes: Pixels, index: int) -> Pixels:
    return takes[0]


@dataclass(frozen=True)
class Film:
    """Effect of a camera on a clip.

    `exposures(index)` says when the takes of a frame are made, in ms before it, at most MOST_TAKES. A take is never
    later than its frame, nor earlier than its run, and what can be read in it is as at the frame (`Stage.scene`).
    """

    exposures: Callable[[int], tuple[int, ...]] = _now
    develop: Develop = _plain


def draws(seed: int) -> NextRandom:
    """Return a stream of numbers in [0, 1) of its own for a seed."""
    return random.Random(seed ^ _KEY).random
