"""Recipe of a page that anybody may have written: how it says it was made, and no more than a page can say.

A recipe names a world, a split, rules, weights, a baseline, how prediction files were read, and entries by name and
digest. Whether the truth is revealed, where truth and scores are kept, and which folder is looked into are choices of
the person who verifies, never the page's. What of the page's texts goes into the page that is made again (names of
files, title, commands) is only shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.baselines.write import BASELINES
from harness.errors import UsageError
from harness.ingestion.formats.registry import ADAPTERS
from harness.ingestion.submission_file import shown_name
from harness.report import data
from harness.rules import COMPONENTS, Weights, find_rules
from harness.scoring.request import CAPS, INGESTION, MOST, Request
from reference import shapes
from reference.home import cache_home
from reference.truth.catalog import is_name, locate
from reference.truth.sample import Sample

NAME = 1000
"""Characters of a name, which a page may show."""
DIGEST = shapes.text(64, "[0-9a-f]{64}", "a SHA-256 of 64 hexadecimal digits")
WORLD = shapes.text(100, r"[A-Za-z0-9][A-Za-z0-9._-]*", "the name of a world; a page names no file of yours")
VERSION = shapes.text(40, r"[0-9][0-9A-Za-z.+-]*", "a version")
READING: dict[str, shapes.Shape] = {
    "lenient": shapes.boolean,
    "ignore_extra": shapes.boolean,
    "adapter": shapes.one_of(None, *ADAPTERS),
    "fps": shapes.optional(shapes.number(0)),
    "clip_frames": shapes.optional(shapes.integer(1, 1 << 31)),
    "clip_map": shapes.optional(shapes.text(16, "[0-9a-f]{16}", "a digest of 16 hexadecimal digits")),
    **{name: shapes.optional(shapes.integer(1, most)) for name, most in MOST.items()},
}
"""What `Request.reading` writes: all of it, and nothing else of a request."""
OPERANDS = {"leaderboard": (0, 0), "report": (1, 1), "compare": (2, 10_000)}
RECIPE = {
    "format": shapes.one_of(data.FORMAT),
    "kind": shapes.one_of(*OPERANDS),
    "title": shapes.text(100_000),
    "name": shapes.optional(shapes.text(NAME)),
    "world": WORLD,
    "split": WORLD,
    "sample": shapes.text(30, r"([1-9][0-9]{0,8}/[0-9]{1,18})?", "SESSIONS/SEED, or nothing"),
    "truth_digest": shapes.text(200),
    "rules": shapes.text(200),
    "weights": shapes.table({name: shapes.number(0, 1) for name in COMPONENTS}),
    "baseline": shapes.text(NAME),
    "margin": shapes.number(0, 1),
    "version": VERSION,
    "reading": shapes.table(READING),
    "entries": shapes.array(
        shapes.table(
            {
                "name": shapes.text(NAME),
                "kind": shapes.text(40),
                "command": shapes.text(10_000),
                "sha256": DIGEST,
            }
        )
    ),
    "operands": shapes.array(shapes.table({"name": shapes.text(NAME), "sha256": DIGEST}, {"runs": shapes.integer(2)})),
}
PACKED = shapes.table(
    {
        "recipe": shapes.table(RECIPE),
        "models": shapes.array(shapes.anything),
        "pairs": shapes.mapping(shapes.text(), shapes.anything),
        "clips": shapes.table({"id": shapes.array(shapes.anything)}, others=True),
    },
    others=True,
)


def check_packed(packed: Any, place: str) -> dict[str, Any]:
    """Return the packed data of a page. Raises UsageError where they say what no page says; `place` names the page."""
    shapes.check(packed, PACKED, place, UsageError)
    recipe = packed["recipe"]
    least, most = OPERANDS[recipe["kind"]]
    if not least <= len(recipe["operands"]) <= most:
        raise UsageError(f"{place}: recipe.operands has {len(recipe['operands'])} values, unlike a {recipe['kind']}")
    return packed


def request_of(recipe: Mapping[str, Any], request: Request) -> Request:
    """Return the request of a checked recipe; truth, home and whether the truth is revealed are those of `request`."""
    reading = dict(recipe["reading"])
    if reading.pop("clip_map") is not None:
        raise UsageError("the page was made with --clip-map, which it does not hold: it cannot be made again from it")
    if not is_name(recipe["world"], cache_home(request.home)):  # a file or folder of that name is none of the page's
        raise UsageError(f"the page is of world {shown_name(recipe['world'])}, which this machine has by no such name")
    chosen = {name: reading[name] for name in (*INGESTION, *CAPS) if name in reading}
    return replace(
        request,
        world=recipe["world"],
        split=recipe["split"],
        sample=Sample.of(recipe["sample"]) if recipe["sample"] else None,
        rules=find_rules(recipe["rules"]),
        weights=Weights(**recipe["weights"]),
        **chosen,
    )


def other_size(packed: Mapping[str, Any], request: Request) -> str:
    """Return how many clips the page and its split have where these differ, else "".

    It is asked before any truth is made: a page could name a world a hundred thousand times as large.
    """
    origin = locate(request.world, request.home)
    origin.check_split(request.split)
    if origin.process is None:
        return ""
    split, here = origin.process.split(request.split), len(packed["clips"]["id"])
    sessions = request.sample.sessions if request.sample else split.sessions * origin.scale
    there = sessions * split.clips
    if here == there:
        return ""
    return f"the page holds {here:,} clips, {request.world} / {request.split} has {there:,}"


def check_baseline(name: str, folder: Path) -> str:
    """Return a baseline's name. Raises UsageError for the path of a file outside of the submissions."""
    if name not in BASELINES and _exists(Path(name)) and not _is_inside(Path(name), folder):
        raise UsageError(
            f"the page's baseline is the file {shown_name(name)}, which is not read: a page names no file of yours "
            "outside of --submissions"
        )
    return name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def may_be_shown(command: str) -> bool:
    """Return whether a page's command only scores one file: people copy it into a shell."""
    return re.fullmatch(r"harness score (?!-)(?:(?! -)[^\x00-\x1f;&|<>$`\\!]){1,4000}", command) is not None
