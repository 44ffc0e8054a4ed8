"""Options of a model that is given by name: the texts of `--option key=value` as typed values, with errors in words."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import overload

from harness.errors import UsageError
from harness.prediction.predictor import Wants
from reference.rendering.artifacts import SIDES
from reference.video.samplers import SAMPLERS

PICTURES = Wants()
MOST_FRAMES = 100  # as a rendering samples


class Options:
    """Options of one model. Each is read once, with its default; `done` refuses those that nobody read.

    Values that are no such value raise UsageError.
    """

    def __init__(self, model: str, texts: Mapping[str, str]):
        self.model, self.texts = model, dict(texts)
        self.known: list[str] = []

    @overload
    def text(self, name: str, default: str) -> str: ...
    @overload
    def text(self, name: str, default: None = None) -> str | None: ...
    def text(self, name: str, default: str | None = None) -> str | None:
        """Return the text of an option."""
        self.known.append(name)
        return self.texts.get(name, default)

    @overload
    def integer(self, name: str, default: int, least: int = 0, most: int | None = None) -> int: ...
    @overload
    def integer(self, name: str, default: None, least: int = 0, most: int | None = None) -> int | None: ...
    def integer(self, name: str, default: int | None, least: int = 0, most: int | None = None) -> int | None:
        """Return an integer from `least` to `most`."""
        text = self.text(name)
        if text is None:
            return default
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise self._refuse(name, f"an integer {_range(least, most)}")
        return value

    @overload
    def number(self, name: str, default: float, least: float = 0.0, most: float | None = None) -> float: ...
    @overload
    def number(self, name: str, default: None, least: float = 0.0, most: float | None = None) -> float | None: ...
    def number(self, name: str, default: float | None, least: float = 0.0, most: float | None = None) -> float | None:
        """Return a finite number from `least` to `most`."""
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < least or (most is not None and value > most):
            raise self._refuse(name, f"a number {_range(least, most)}")
        return value

    def choice(self, name: str, default: str, of: Sequence[str]) -> str:
        """Return one of the values `of`."""
        value = self.text(name, default)
        if value not in of:
            raise self._refuse(name, f"one of {', '.join(of)}")
        return value

    def wants(self, default: Wants | None = PICTURES) -> Wants | None:
        """Return the pictures that the options frames, size and sampler ask for, None for frames=0.

        `default`: what holds where they say nothing; None for a model that looks at no pictures unless they ask for it.
        """
        usual = default or PICTURES
        frames = self.integer("frames", None, 0, MOST_FRAMES)
        size = self.integer("size", usual.size, *SIDES)
        if size % 2:
            raise self._refuse("size", "an even number")
        sampler = self.choice("sampler", usual.sampler, list(SAMPLERS))
        chosen = {"frames", "size", "sampler"} & self.texts.keys()
        if frames == 0 or not (chosen or default):
            if unread := sorted(chosen - {"frames"}):
                raise UsageError(f"--option {unread[0]}: {self.model} is shown no pictures with frames=0, leave it out")
            return None
        return Wants(usual.frames if frames is None else frames, size, sampler)

    def done(self) -> None:
        """Raise UsageError for the options that nobody read, with the one that may be meant."""
        for name in self.texts:
            if name not in self.known:
                near = difflib.get_close_matches(name, self.known, 1)
                meant = f"did you mean {near[0]}? " if near else ""
                there = f"There are {', '.join(self.known)}" if self.known else "There are none"
                raise UsageError(f"{self.model} has no --option {name:.80}; {meant}{there}")

    def _refuse(self, name: str, expected: str) -> UsageError:
        return UsageError(f"--option {name}={self.texts[name]:.80}: expected {expected}")


def _range(least: float, most: float | None) -> str:
    return f"from {least:g} on" if most is None else f"from {least:g} to {most:g}"
