"""Keyed randomness: every random number of a world comes from its key through HMAC-SHA256.

A stream is named by its purpose ("timeline", "cut", "id", "noise", "render") and its owner, joined by `|`, so that no
stream can be guessed from another and nothing is drawn from the truth. Streams give `random()` only: the samplers of
the standard library may change between versions, the Mersenne Twister's doubles do not.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Callable

NextRandom = Callable[[], float]
"""Source of numbers in [0, 1), such as the `random` of a stream."""
_WORD = 1 << 64
CLIP_BITS = 256
"""Bits of a render seed that are the clip's own; those above are the session's."""


def digest(key: bytes, *parts: object) -> bytes:
    """Return the HMAC-SHA256 of the parts joined by `|`, 32 bytes."""
    return hmac.digest(key, "|".join(map(str, parts)).encode(), "sha256")


def stream(key: bytes, *parts: object) -> random.Random:
    """Return a generator of its own for this purpose; call nothing on it but `random()`."""
    return random.Random(int.from_bytes(digest(key, *parts), "big"))


def below(total: int, key: bytes, *parts: object) -> int:
    """Return one integer in [0, total) for a single draw, which is cheaper than seeding a generator."""
    return int.from_bytes(digest(key, *parts)[:8], "big") * total // _WORD


def clip_id(key: bytes, session: str, index: int) -> str:
    """Return the public name of a clip: 16 hexadecimal digits that tell nothing of its place or truth."""
    return digest(key, "id", session, index)[:8].hex()


def render_seed(key: bytes, session: str, index: int) -> int:
    """Return the seed of a clip's pictures, the only randomness that a renderer gets beside the VisibleState.

    Its lower CLIP_BITS are the clip's own; those above are the session's, equal for all its clips.
    """
    own = int.from_bytes(digest(key, "render", session, index), "big")
    return int.from_bytes(digest(key, "render", session)[:8], "big") << CLIP_BITS | own


def session_seed(seed: int) -> int:
    """Return the part of a render seed that all clips of a session share."""
    return seed >> CLIP_BITS


def clip_seed(seed: int) -> int:
    """Return the part of a render seed that is the clip's own."""
    return seed & ((1 << CLIP_BITS) - 1)
