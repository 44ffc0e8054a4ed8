"""File names for models: safe on every system, distinct for distinct names, and always the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 48
RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))})


def slug(name: str) -> str:
    """Return a plain lower-case name unchanged, any other one reduced to such, with eight digits of its SHA-256."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].rstrip("-")
    if plain and plain == name and plain not in RESERVED:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest
