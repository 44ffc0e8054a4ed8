"""The look of a session: camera, bench, colours, person, and where things stand. It is drawn from a seed alone.

Nothing here depends on the worker's habit, on orders or on operations, and nothing is told by a colour: goods, cartons,
tape, paper, tools and clothes take theirs from lists that overlap. Who works is told by the stripes on the sleeve.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from reference.drawing.camera import Camera, draw_camera, weighted
from reference.drawing.shapes import Colour, colour, darker, mix
from reference.randomness import NextRandom

T = TypeVar("T")

_PAINTS = "b9483d d07a35 d9b13c 6f9450 3f8f86 4a78a8 6a5f9e a05a86 8a6a4c 5b646c 9aa3a6 2f3439"
PAINTS = tuple(colour(f"#{text}") for text in _PAINTS.split())
"""Colours of goods, crates, tools, mugs and sleeves alike."""
_CLOTH = colour("#4c545b")  # all work clothes have something of it
PAPERS = tuple(map(colour, ("#c19a68", "#b58f60", "#d9d2c2", "#d0c8b6", "#b4aea2", "#c8ae86", "#a9b6bc", "#ccb5a9")))
"""Colours of cartons, wrapping paper, void fill and slips alike."""
TAPES = tuple(map(colour, ("#a5723f", "#c59a62", "#efe9da", "#d8d2c2", "#8c6a45")))
BENCHES = tuple(map(colour, ("#dcc7a2", "#d6bd95", "#cfd2d3", "#c8cdcf", "#e0dcd2", "#d0b892", "#c6cec7", "#d6cebd")))
FLOORS = tuple(map(colour, ("#8d9193", "#a39c90", "#868d95", "#a5a198", "#858a87", "#9a8f86")))
SKINS = tuple(map(colour, ("#f0c8a8", "#e0ac82", "#c98d63", "#a8714b", "#7d4f35", "#593725")))
HAIRS = tuple(map(colour, ("#2a211c", "#4a3424", "#7a5636", "#b08a56", "#8f8d8a", "#1c1a1a", "#6d3a22")))
GLOVES = tuple(map(colour, ("#3c4248", "#d9d5cb", "#5f7f97", "#c98a3c", "#7d8f62")))

_CORNERS = ((-50.0, 15.0), (-50.0, 47.0), (50.0, 15.0), (50.0, 47.0))
_GAPS = ((-31.0, 63.0), (31.0, 63.0), (-26.0, 4.0), (26.0, 4.0), (-55.0, 31.0))
SMALL_THINGS = ("printer", "tape gun", "scanner", "clipboard", "mug")


class Station(NamedTuple):
    """Way in which a bench is set out: what stands at its corners, what in the gaps, and the boards at its edge."""

    weight: int
    corners: tuple[str, ...]
    gaps: tuple[str, ...]
    boards: tuple[str, ...]

    def places(self) -> dict[str, tuple[float, float]]:
        """Return the place of each thing."""
        return dict(zip(self.corners + self.gaps, _CORNERS + _GAPS, strict=True))


STATIONS = (
    Station(
        85,
        ("items", "roll", "crate", "fill"),
        ("printer", "tape gun", "scanner", "clipboard", "mug"),
        ("slips", "screen", "cards"),
    ),
    Station(
        10,
        ("items", "fill", "crate", "roll"),
        ("tape gun", "printer", "mug", "scanner", "clipboard"),
        ("cards", "screen", "slips"),
    ),
    Station(
        5,
        ("roll", "items", "fill", "crate"),
        ("printer", "mug", "clipboard", "tape gun", "scanner"),
        ("screen", "cards", "slips"),
    ),
)


class Person(NamedTuple):
    """Body of the worker in a session; sizes are factors of the usual ones."""

    skin: Colour
    sleeve: Colour
    apron: Colour
    hair: Colour
    glove: Colour | None
    build: float
    main: float  # the hand that works: 1.0 the right one, -1.0 the left one
    bare: float  # share of the forearm that the sleeve leaves free


class SessionLook(NamedTuple):
    """Everything that differs between sessions and means nothing. Places are (x, y) on the bench in cm."""

    camera: Camera
    person: Person
    floor: Colour
    bench: Colour
    kraft: Colour
    tape: Colour
    printed: bool  # a pattern on the tape
    paper: Colour
    fill: Colour
    goods: tuple[Colour, Colour, Colour]
    crate: Colour
    tools: dict[str, Colour]
    ink: Colour  # of signs and stickers
    places: dict[str, tuple[float, float]]
    boards: tuple[str, ...]
    box: tuple[float, float, float]  # width, depth, height in cm
    turn: float  # of the box on the bench, tangent of half the angle


def draw_look(seed: int) -> SessionLook:
    """Return the look of the session with that seed."""
    draw = random.Random(seed).random
    camera = draw_camera(draw)
    person = Person(
        skin=pick(SKINS, draw()),
        sleeve=mix(_tone(pick(PAINTS, draw()), draw), _CLOTH, 750),
        apron=_tone(pick(PAINTS, draw()), draw),
        hair=pick(HAIRS, draw()),
        glove=pick(GLOVES, draw()) if draw() < 0.25 else None,
        build=0.9 + 0.22 * draw(),
        main=-1.0 if draw() < 0.06 else 1.0,
        bare=0.12 + 0.2 * draw(),
    )
    papers = shuffled(PAPERS, draw)  # two kinds of paper lie on a bench, never of one colour
    station = STATIONS[int(weighted([(str(number), each.weight) for number, each in enumerate(STATIONS)], draw()))]
    return SessionLook(
        camera=camera,
        person=person,
        floor=_tone(pick(FLOORS, draw()), draw),
        bench=_tone(pick(BENCHES, draw()), draw),
        kraft=_tone(pick(PAPERS, draw()), draw),
        tape=pick(TAPES, draw()),
        printed=draw() < 0.4,
        paper=_tone(papers[0], draw),
        fill=_tone(papers[1], draw),
        goods=(pick(PAINTS, draw()), pick(PAINTS, draw()), pick(PAINTS, draw())),
        crate=_tone(pick(PAINTS, draw()), draw),
        tools={name: _tone(pick(PAINTS, draw()), draw) for name in SMALL_THINGS},
        ink=darker(pick(PAINTS, draw()), 450),
        places=station.places(),
        boards=station.boards,
        box=(36.0 + 10.0 * draw(), 26.0 + 8.0 * draw(), 18.0 + 8.0 * draw()),
        turn=0.11 * (draw() * 2 - 1),
    )


def pick(choices: Sequence[T], share: float) -> T:
    """Return the choice at that share of the list."""
    return choices[int(share * len(choices))]


def shuffled(choices: Sequence[T], draw: NextRandom) -> list[T]:
    """Return the choices in an order drawn (Fisher and Yates)."""
    found = list(choices)
    for place in range(len(found) - 1, 0, -1):
        other = int(draw() * (place + 1))
        found[place], found[other] = found[other], found[place]
    return found


def _tone(paint: Colour, draw: NextRandom) -> Colour:
    """Return the paint a little lighter, darker or greyer."""
    target = pick(((255, 250, 240, 255), (40, 34, 32, 255), (128, 128, 126, 255)), draw())
    return mix(paint, target, int(120 * draw()))
