"""Which frames are chosen: worked out by hand on pictures whose changes are known."""

from __future__ import annotations

import numpy as np
import pytest

from reference.task import CLIP_FRAMES, DEFAULT_FRAMES, DEFAULT_INDICES, DEFAULT_SAMPLER
from reference.video import samplers
from reference.video.samplers import SAMPLERS, luma_of, reduce_luma, uniform_indices
from tests.support.sampling import distances

UNIFORM = [
    (125, 8, (0, 17, 35, 53, 70, 88, 106, 124), "floor(linspace(0, 124, 8))"),
    (125, 1, (0,), "one frame: the first"),
    (125, 2, (0, 124), "both ends"),
    (125, 3, (0, 62, 124), "and the middle"),
    (10, 10, tuple(range(10)), "all"),
    (6, 4, (0, 1, 3, 5), "floor of 0, 5/3, 10/3, 5"),
]


@pytest.mark.parametrize(("frames", "n", "expected", "why"), UNIFORM)
def test_uniform(frames, n, expected, why):
    assert uniform_indices(frames, n) == expected, why
    assert SAMPLERS["uniform"](np.zeros((frames, 2, 2), int), n) == expected


def test_the_default_frames_are_the_uniform_samplers():
    assert uniform_indices(CLIP_FRAMES, DEFAULT_FRAMES) == DEFAULT_INDICES
    assert DEFAULT_SAMPLER in SAMPLERS


@pytest.mark.parametrize(("frames", "n"), [(5, 6), (5, 0), (0, 1)])
def test_impossible_numbers(frames, n):
    for sampler in SAMPLERS.values():
        with pytest.raises(ValueError, match="different frames"):
            sampler(np.zeros((frames, 2, 2), int), n)


def moving(*spans: tuple[int, int], frames: int = 125) -> np.ndarray:
    """One pixel of 4 x 4 flickers by 100 in these frames; else nothing changes."""
    luma = np.full((frames, 4, 4), 50, np.int32)
    for start, end in spans:
        luma[np.arange(start, end)[np.arange(end - start) % 2 == 0], 1, 1] = 150
    return luma


def test_motion_goes_where_things_move():
    """40 of 125 frames hold 8/9 of the mass (an eighth of it is spread evenly): seven of eight samples or more."""
    chosen = samplers.motion(moving((60, 100)), 8)
    assert sum(60 <= index <= 100 for index in chosen) >= 7
    assert chosen == tuple(sorted(set(chosen)))


def test_motion_of_a_still_clip_is_even():
    """(2 i + 1) / 16 of 125 frames, each of equal mass: the frame in which that share is reached."""
    assert samplers.motion(moving(), 8) == (7, 23, 39, 54, 70, 85, 101, 117)


def test_entropy_prefers_spread_grey_levels():
    luma = np.full((125, 8, 8), 100, np.int32)
    luma[40] = np.arange(64).reshape(8, 8) * 4  # all 32 levels
    luma[90, :4] = 200  # two levels
    chosen = samplers.entropy(luma, 2)
    assert chosen == (40, 90)
    assert samplers.entropy(luma, 1) == (40,)
    assert samplers.entropy(np.zeros((125, 4, 4), int), 3) == (0, 13, 26), "ties: the earlier"


def test_boundary_stands_on_both_sides_of_a_change():
    luma = np.full((125, 4, 4), 20, np.int32)
    luma[41:] = 90
    luma[97:] = 200
    chosen = samplers.boundary(luma, 8)
    assert {40, 41, 96, 97} <= set(chosen)
    assert {0, 41, 82, 124} <= set(chosen), "half of them uniform"


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 16, 60, 125])
def test_every_sampler_gives_n_sorted_different_indices(name, n):
    rng = np.random.default_rng(n)
    for luma in (rng.integers(0, 256, (125, 6, 6)), moving((3, 9), (100, 125)), np.zeros((125, 6, 6), int)):
        chosen = SAMPLERS[name](luma, n)
        assert len(chosen) == n == len(set(chosen)) and list(chosen) == sorted(chosen)
        assert chosen[0] >= 0 and chosen[-1] < 125 and all(type(index) is int for index in chosen)
        assert SAMPLERS[name](luma.astype(np.uint8), n) == chosen, "the type of the luma does not matter"


def test_luma_and_reduction():
    rgb = np.zeros((1, 2, 2, 3), np.uint8)
    rgb[0, 0, 0] = (255, 255, 255)
    rgb[0, 0, 1] = (255, 0, 0)
    assert luma_of(rgb).tolist() == [[[255, 76], [0, 0]]]  # 77 x 255 / 256
    big = np.arange(3 * 85 * 90, dtype=np.int64).reshape(3, 85, 90) % 251
    small = reduce_luma(big.astype(np.uint8))  # blocks of 2, one row and nothing of the columns cut
    assert small.shape == (3, 42, 45)
    assert small[1, 2, 3] == big[1, 4:6, 6:8].sum() // 4


def test_distances():
    assert distances([10, 53, 124], (0, 17, 35, 53)) == [7, 0, 71]
