"""Two models that cannot look: boosted trees on colour histograms, and a linear one on thumbnails of 16 x 16 pixels.

They are floors for every model that sees: what they get right needs no eye for what hands do. Both are `frame_model`s.
Nothing is disturbed or balanced; recogniser and anticipator are of one kind.

- `HISTOGRAM`: the square root of the share of each of 216 colours (6 x 6 x 6 equal cells of red, green and blue). The
  root lets a few coloured pixels count beside large surfaces.
- `THUMBNAIL`: block means of 16 x 16 pixels, each value scaled to unit variance over the training frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from harness.baselines.frame_model import Design, Floats, Pixels
from harness.baselines.probe_model import reduce

LEVELS = 6
CELL = (np.arange(256) * LEVELS // 256).astype(np.uint8)
"""Cell of each value of a channel; 36 red + 6 green + blue is below 256, so bytes hold the colour."""
TREES, LEAVES, RATE = 80, 15, 0.1
THUMBNAIL_SIDE = 16


def histograms(frames: Pixels) -> Floats:
    """Return the root of each colour's share: uint8 [n, h, w, 3] -> [n, 216]."""
    red, green, blue = (CELL[frames[..., channel]] for channel in range(3))
    colours = (LEVELS * LEVELS * red + LEVELS * green + blue).reshape(len(frames), -1)
    counts = np.stack([np.bincount(row, minlength=LEVELS**3) for row in colours])
    return np.sqrt(counts / colours.shape[1]).astype(np.float32)


def _as_they_are(clips: Sequence[Floats], random: np.random.Generator) -> Callable[[Floats], Floats]:
    """Learn nothing: trees need no scale."""
    return lambda histograms: histograms


def _trees(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, early_stopping=False, random_state=seed
    )


def _scaled(clips: Sequence[Pixels], random: np.random.Generator) -> Callable[[Pixels], Floats]:
    """Learn mean and spread of every value [768] from all training frames."""
    flat = np.concatenate(clips).reshape(-1, THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3)
    middle, spread = flat.mean(axis=0, dtype=np.float64), flat.std(axis=0, dtype=np.float64) + 1
    middle, scale = middle.astype(np.float32), (1 / spread).astype(np.float32)
    return lambda thumbnails: (thumbnails.reshape(len(thumbnails), -1) - middle) * scale


def _linear(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, max_iter=60)


HISTOGRAM = Design(histograms, _as_they_are, _trees, _trees)
THUMBNAIL = Design(partial(reduce, side=THUMBNAIL_SIDE), _scaled, _linear, _linear)
