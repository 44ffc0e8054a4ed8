"""Characters that make two texts look alike or hide something: invisible, control and bidirectional ones, and letters
of other scripts that are drawn like Latin ones.

The look-alikes are the Cyrillic, Greek and Armenian letters of Unicode's confusables table (UTS 39) whose prototype is
a Latin letter; compatibility forms (full-width, mathematical, ligatures) are folded by NFKC.
"""

from __future__ import annotations

import unicodedata

LOOK_ALIKES = str.maketrans(
    "АВЕЅЗІЈКМНОРСТУХҮԌԚԜаеѕіјорсухһԁԛԝѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγινορυՕՍՏԼցոսօ\u0131\u2010\u2011\u2012\u2013\u2212",
    "ABES3IJKMHOPCTYXYGQWaesijopcyxhdqwvABEZHIKMNOPTYXayivopuOUSLgnuoi-----",
)
_HIDDEN_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


def hidden_characters(text: str) -> str:
    """Return the control, format (bidirectional, zero-width) and separator characters of a text."""
    return "".join(char for char in text if unicodedata.category(char) in _HIDDEN_CATEGORIES)


def skeleton(text: str) -> str:
    """Return a text that is equal for texts that look equal.

    Compatibility forms and look-alikes are folded, hidden characters and case dropped.
    """
    folded = unicodedata.normalize("NFKC", text).translate(LOOK_ALIKES)
    return "".join(char for char in folded if unicodedata.category(char) not in _HIDDEN_CATEGORIES).strip().casefold()


def code_points(text: str, limit: int = 5) -> str:
    """Return the distinct characters of a text that are not printable ASCII, as code points with their names."""
    odd = list(dict.fromkeys(char for char in text if not " " <= char <= "~"))
    named = [f"U+{ord(char):04X} {unicodedata.name(char, 'control character')}" for char in odd[:limit]]
    return ", ".join(named) + (", ..." if len(odd) > limit else "")
