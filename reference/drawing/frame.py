"""Scene -> pixels, with ThorVG. Equal state, seed and size give equal bytes in every process and on every processor.

Points are scaled to the picture in doubles, snapped to 1/64 pixel, and handed over as floats. The ground is drawn once
a session, and what lies on the bench once for as long as it lies so; both are copied under each frame. Pixel effects of
a domain are integer arithmetic (`effects`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.drawing import effects
from reference.drawing.scene import Scene, Stage
from reference.drawing.shapes import SIDE, Colour, Gradient, Shape
from reference.process.visible import VisibleState
from reference.process.world import World
from reference.task import DEFAULT_SIZE

_FINE = 64.0
_ROUND = 1  # ThorVG's round stroke caps and joins
Pixels = NDArray[np.uint8]


def render_frames(
    world: World,
    state: VisibleState,
    seed: int,
    indices: Sequence[int],
    size: int = DEFAULT_SIZE,
    paint_out: Iterable[str] = (),
) -> Pixels:
    """Draw the frames at `indices` (0 to 124) of the clip; returns uint8 RGB [n, size, size, 3].

    `paint_out` blanks surfaces that show attributes (`slip`, `items`, `table`). Raises ValueError for an index or a
    surface that does not exist, and ModuleNotFoundError without the `video` extra.
    """
    stage = Stage(world, state, seed, paint_out)
    painter = _painter(size)
    film = effects.film(state, seed, size)
    frames = np.empty((len(indices), size, size, 3), np.uint8)
    takes = np.empty((effects.MOST_TAKES, size, size, 3), np.uint8)
    for frame, index in zip(frames, indices, strict=True):
        for take, late in zip(takes, film.exposures(index), strict=False):
            painter.paint(stage.scene(index, late), take)
        frame[:] = film.develop(takes, index)
    return frames


@lru_cache(maxsize=4)
def _painter(size: int) -> Painter:
    return Painter(size)


class Painter:
    """Canvas of one size, reused for all frames."""

    def __init__(self, size: int):
        self.size = size
        self._zoom = size / SIDE
        self._lib = _library()
        self._canvas = self._lib.tvg_swcanvas_create(0)
        self._target = np.zeros((size, size, 4), np.uint8)
        self._lib.tvg_swcanvas_set_target(self._canvas, self._target.ctypes.data, size, size, size, 0)
        self._kept: list[tuple[object, Pixels]] = []  # the layers that lie still, and the picture up to each

    def paint(self, scene: Scene, out: Pixels) -> None:
        """Draw a scene into `out`, RGB [size, size, 3]; what lies below the first layer that changed is kept."""
        whole = 0
        while whole < len(self._kept) and self._kept[whole][0] is scene.layers[whole]:
            whole += 1
        del self._kept[whole:]
        if whole:
            self._target[:] = self._kept[-1][1]
        for layer in scene.layers[whole:]:
            self._draw(layer, clear=not self._kept)
            self._kept.append((layer, self._target.copy()))
        self._draw(scene.moving, clear=False)
        for channel in range(3):  # six times as fast as a copy of [:, :, :3]
            out[:, :, channel] = self._target[:, :, channel]

    def _draw(self, shapes: tuple[Shape, ...], clear: bool) -> None:
        lib, canvas = self._lib, self._canvas
        points = self._scaled_points(shapes)
        address, begin = points.ctypes.data, 0
        for shape in shapes:
            count = len(shape.points) // 2
            paint = lib.tvg_shape_new()
            lib.tvg_shape_append_path(paint, shape.commands, len(shape.commands), address + 8 * begin, count)
            begin += count
            self._style(paint, shape)
            lib.tvg_canvas_add(canvas, paint)
        lib.tvg_canvas_draw(canvas, clear)
        lib.tvg_canvas_sync(canvas)
        lib.tvg_canvas_remove(canvas, None)

    def _scaled_points(self, shapes: tuple[Shape, ...]) -> NDArray[np.float32]:
        """Return all points [n, 2] in pixels of the picture, snapped."""
        flat = np.fromiter(chain.from_iterable(shape.points for shape in shapes), np.float64)
        return (np.floor(flat * (self._zoom * _FINE) + 0.5) / _FINE).astype(np.float32).reshape(-1, 2)

    def _style(self, paint: int, shape: Shape) -> None:
        lib = self._lib
        if isinstance(shape.fill, Gradient):
            lib.tvg_shape_set_gradient(paint, self._gradient(shape.fill))
        elif shape.fill is not None:
            lib.tvg_shape_set_fill_color(paint, *shape.fill)
        if shape.stroke is not None:
            lib.tvg_shape_set_stroke_width(paint, self._snap(shape.stroke.width))
            lib.tvg_shape_set_stroke_color(paint, *shape.stroke.colour)
            lib.tvg_shape_set_stroke_join(paint, _ROUND)
            lib.tvg_shape_set_stroke_cap(paint, _ROUND)

    def _gradient(self, fill: Gradient) -> int:
        lib, snap = self._lib, self._snap
        x, y = snap(fill.x), snap(fill.y)
        if fill.kind == "linear":
            gradient = lib.tvg_linear_gradient_new()
            lib.tvg_linear_gradient_set(gradient, x, y, snap(fill.x2), snap(fill.y2))
        else:
            gradient = lib.tvg_radial_gradient_new()
            lib.tvg_radial_gradient_set(gradient, x, y, snap(fill.x2), x, y, 0.0)
        lib.tvg_gradient_set_color_stops(gradient, _stops(fill.stops), len(fill.stops))
        return gradient

    def _snap(self, value: float) -> float:
        """Return a length or coordinate in pixels of the picture, snapped."""
        return int(value * self._zoom * _FINE + 0.5) / _FINE


class _Stop(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_float),
        ("red", ctypes.c_uint8),
        ("green", ctypes.c_uint8),
        ("blue", ctypes.c_uint8),
        ("alpha", ctypes.c_uint8),
    )


@lru_cache(maxsize=512)
def _stops(stops: tuple[tuple[float, Colour], ...]) -> ctypes.Array[_Stop]:
    return (_Stop * len(stops))(*(_Stop(offset, *colour) for offset, colour in stops))


_POINTER, _WORD, _BYTE, _FLOAT = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint8, ctypes.c_float
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "tvg_engine_init": (_WORD, (_WORD,)),
    "tvg_swcanvas_create": (_POINTER, (_BYTE,)),
    "tvg_swcanvas_set_target": (_WORD, (_POINTER, _POINTER, _WORD, _WORD, _WORD, _BYTE)),
    "tvg_canvas_add": (_WORD, (_POINTER, _POINTER)),
    "tvg_canvas_draw": (_WORD, (_POINTER, ctypes.c_bool)),
    "tvg_canvas_sync": (_WORD, (_POINTER,)),
    "tvg_canvas_remove": (_WORD, (_POINTER, _POINTER)),
    "tvg_shape_new": (_POINTER, ()),
    "tvg_shape_append_path": (_WORD, (_POINTER, ctypes.c_char_p, _WORD, _POINTER, _WORD)),
    "tvg_shape_set_fill_color": (_WORD, (_POINTER, _BYTE, _BYTE, _BYTE, _BYTE)),
    "tvg_shape_set_gradient": (_WORD, (_POINTER, _POINTER)),
    "tvg_shape_set_stroke_width": (_WORD, (_POINTER, _FLOAT)),
    "tvg_shape_set_stroke_color": (_WORD, (_POINTER, _BYTE, _BYTE, _BYTE, _BYTE)),
    "tvg_shape_set_stroke_join": (_WORD, (_POINTER, _BYTE)),
    "tvg_shape_set_stroke_cap": (_WORD, (_POINTER, _BYTE)),
    "tvg_linear_gradient_new": (_POINTER, ()),
    "tvg_linear_gradient_set": (_WORD, (_POINTER, _FLOAT, _FLOAT, _FLOAT, _FLOAT)),
    "tvg_radial_gradient_new": (_POINTER, ()),
    "tvg_radial_gradient_set": (_WORD, (_POINTER, *(_FLOAT,) * 6)),
    "tvg_gradient_set_color_stops": (_WORD, (_POINTER, _POINTER, _WORD)),
}


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """Load ThorVG's C interface from the wheel's shared object and set its prototypes, once.

    The wheel's own wrapper sets them at every call.
    """
    from thorvg_python.engine import THORVG_LIB

    if THORVG_LIB is None:
        raise ModuleNotFoundError("thorvg_python holds no library for this platform")
    library = ctypes.CDLL(THORVG_LIB._name)
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.tvg_engine_init(0)
    return library
