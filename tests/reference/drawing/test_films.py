"""Films: a frame is the same alone and in company and in every process; what they may not lose is still there."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys

import numpy as np
import pytest

from reference.drawing import effects
from reference.drawing.effects import MOST_TAKES
from reference.drawing.films import sensor
from reference.drawing.films.lens import INSIDE
from reference.process.visible import ShownRun, VisibleState
from reference.randomness import CLIP_BITS, session_seed
from reference.task import CLIP_FRAMES, FRAME_MS
from tests.support import ROOT

FILMS = ("light", "sensor", "lens", "glare", "stutter")
KINDS = {"noise": sensor.noise, "motion-blur": sensor.motion_blur, "compression": sensor.compression}
"""What a sensor can do, one of them a session."""
ALL_FILMS = (*FILMS, *KINDS)
SIZE = 84


def film(domain: str, session: int = 0, clip: int = 0, strength: int = 1000, size: int = SIZE):
    """Film of a clip, or of one kind of sensor; sessions and clips are numbered."""
    if domain in KINDS:
        return KINDS[domain](strength, seed_of(session, clip), size)
    state = VisibleState((ShownRun("Pack", "pack", 0, 0, 125),), ((),), 0, "ana", domain, strength, (), None)
    return effects.film(state, seed_of(session, clip), size)


def seed_of(session: int, clip: int) -> int:
    return random.Random(session).getrandbits(256) << CLIP_BITS | random.Random(f"clip {clip}").getrandbits(256)


def takes(size: int = SIZE) -> np.ndarray:
    """Takes of equal pictures with something everywhere."""
    picture = np.random.default_rng(7).integers(0, 256, (size // 4, size // 4, 3), np.uint8)
    return np.stack([picture.repeat(4, 0).repeat(4, 1)] * MOST_TAKES)


def flat(value: int) -> np.ndarray:
    return np.full((MOST_TAKES, SIZE, SIZE, 3), value, np.uint8)


def sums() -> list[str]:
    """One digest for each film and session."""
    return [
        hashlib.sha256(
            b"".join(film(domain, session).develop(takes(), index).tobytes() for index in (0, 61, 124))
        ).hexdigest()
        for domain in ALL_FILMS
        for session in range(4)
    ]


def test_another_process_develops_the_same_bytes():
    command = [sys.executable, "-c", "from tests.reference.drawing.test_films import sums; print(*sums())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == sums()


@pytest.mark.parametrize("domain", ALL_FILMS)
def test_a_frame_is_the_same_alone_and_in_any_company(domain):
    """Also after another session's film of the same size, since what belongs to a session is kept."""
    one = film(domain, session=1)
    together = [one.develop(takes(), index) for index in (3, 61, 124, 3)]
    film(domain, session=2).develop(takes(), 9)
    alone = film(domain, session=1).develop(takes(), 124)
    assert (together[0] == together[3]).all() and (together[2] == alone).all()
    assert alone.dtype == np.uint8 and alone.shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("domain", ["light", "lens"])
def test_a_session_has_one_lamp_and_one_lens(domain):
    first, second, other = (
        film(domain, session, clip).develop(takes(), 0) for session, clip in ((1, 1), (1, 2), (2, 1))
    )
    assert (first == second).all() and (first != other).any()


def test_a_session_seed_is_what_lies_above_the_clips():
    assert session_seed(seed_of(5, 1)) == session_seed(seed_of(5, 2)) == seed_of(5, 1) >> CLIP_BITS
    assert session_seed((1 << CLIP_BITS) - 1) == 0


def test_the_sensor_is_one_of_three_a_session():
    found = set()
    for session in range(24):
        seen = [film("sensor", session, clip).develop(takes(), 5) for clip in (1, 2)]
        kinds = [
            {kind for kind in KINDS if (film(kind, session, clip).develop(takes(), 5) == picture).all()}
            for clip, picture in zip((1, 2), seen, strict=True)
        ]
        assert kinds[0] == kinds[1] and len(kinds[0]) == 1
        found |= kinds[0]
    assert len(found) == 3


@pytest.mark.parametrize(("domain", "least"), [("light", 40), ("glare", 48)])
def test_black_and_white_stay_apart(domain, least):
    """In every pixel, so that nothing that is drawn there is lost."""
    for session in range(12):
        one = film(domain, session)
        for index in (0, 124):
            black, white = (one.develop(flat(value), index).astype(int) for value in (0, 255))
            assert (white - black).min() >= least, session


@pytest.mark.parametrize("size", [84, 336])
def test_a_lens_keeps_all_but_a_margin_in_the_picture(size):
    """Eight patches on the border of what must stay: each is seen."""
    side, edge = size // 14, int((1 - INSIDE) / 2 * size) + 1
    places = [edge, (size - side) // 2, size - side - edge]
    for session in range(8):
        develop = film("lens", session, size=size).develop
        for top in places:
            for left in places:
                picture = np.zeros((MOST_TAKES, size, size, 3), np.uint8)
                picture[0, top : top + side, left : left + side] = 255
                assert (develop(picture, 0) >= 20).any(axis=2).sum() >= side * side // 5, (session, top, left)


def test_stutter_shows_earlier_moments_and_holds_them():
    """Never a later one, never one before the clip; frames of one hold are one picture."""
    distinct = []
    for clip in range(8):
        one = film("stutter", clip, clip)
        moments = [tuple(index * FRAME_MS - late for late in one.exposures(index)) for index in range(CLIP_FRAMES)]
        assert all(0 <= moment <= index * FRAME_MS for index, found in enumerate(moments) for moment in found)
        distinct.append(len(set(moments)))
        for index in range(1, CLIP_FRAMES):
            if moments[index] == moments[index - 1] and index % 5 == 0:
                assert (one.develop(takes(), index) == one.develop(takes(), index - 1)).all()
    assert max(distinct) < CLIP_FRAMES // 2 and min(distinct) > 4


def test_stutter_moves_pixels_and_loses_none():
    for clip in range(8):
        one, source = film("stutter", clip, clip), takes()
        for index in (0, 40, 90):
            out = one.develop(source, index)
            assert (np.sort(out.reshape(-1, 3), axis=0) == np.sort(source[0].reshape(-1, 3), axis=0)).all()


@pytest.mark.parametrize("domain", ["light", "sensor", "glare", "stutter"])
def test_without_strength_nothing_changes_but_rounding(domain):
    """Compression of strength 0 rounds luma and chroma."""
    change = film(domain, 3, strength=0).develop(takes(), 50).astype(int) - takes()[0]
    assert np.abs(change).mean() <= (6 if domain == "sensor" else 0)
