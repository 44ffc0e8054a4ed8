"""Commands to interrupt, each in a small folder of its own, and what may be seen of that afterwards: nothing.

A case is prepared from the same inputs each time, run, interrupted, and run again. `outputs` is what two runs must
agree in, whatever happened before; `torn` what is half written under its final name; `leftovers` what is temporary.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from reference.process.split import build_split
from reference.process.world import load_world
from reference.rendering.artifacts import is_whole
from tests.support import hand

WORLD = "tiny.toml"
SECRET = {"secret": "5e" * 32, "salt": "17" * 32}
PICTURES = ("--size", "64")


class Case(NamedTuple):
    """A command. `says_the_same`: what it prints does not depend on an earlier run that was interrupted.

    `finished`: what it says when it is run again after it has ended well, if it then refuses.
    """

    words: tuple[str, ...]
    says_the_same: bool = True
    finished: str = ""


def cases(workers: int) -> dict[str, Case]:
    """Return the commands by name; pictures are drawn by `workers` processes."""
    drawn = (*PICTURES, "--workers", str(workers))
    return {
        "score": Case(("score", "mine.jsonl", "--world", WORLD, "--output", "out")),
        "leaderboard": Case(("leaderboard", "submissions", "--world", "kept", "-o", "board.html")),
        "report": Case(("report", "mine.jsonl", "--world", WORLD, "-o", "page.html")),
        "render": Case(("world", "render", WORLD, "--limit", "16", "-o", "pictures", *drawn), says_the_same=False),
        "predict": Case(
            ("predict", "--model", "baseline:random", "--world", WORLD, "-o", "entry"),
            says_the_same=False,
            finished="holds an entry already",
        ),
        "import": Case(("world", "import", "new.jsonl", "--name", "kept", "--replace")),
        "seal": Case(
            ("world", "seal", WORLD, "--secret", "secret.json", "-o", "published", *drawn), says_the_same=False
        ),
    }


def prepare(folder: Path) -> Path:
    """Fill a folder with what the cases read, and a home with one imported world; return the folder."""
    folder.mkdir(parents=True)
    (folder / WORLD).write_text(hand.tiny_world(), encoding="utf-8")
    answer: dict[str, Any] = {"dominant_operation": "Tape", "temporal_segment": hand.segment(10, 60)}
    clips = [clip.clip_id for clip in build_split(load_world(folder / WORLD), "test")]
    hand.write(folder / "mine.jsonl", [{"clip_id": clip, **answer, "next_operation": "Label"} for clip in clips])
    rows = hand.grid(6, 4)
    digest = hand.world("kept", rows, folder, folder / "home")
    hand.write(folder / "new.jsonl", hand.grid(7, 4, dominant_operation="Pick"))
    wrong: dict[str, Any] = {"next_operation": "Wrap"}
    for number, name in enumerate(("first", "second")):
        lines = [hand.right(row, **(wrong if place < number else {})) for place, row in enumerate(rows)]
        hand.entry(folder / "submissions" / name, name, lines, "kept", digest)
    secret = folder / "secret.json"
    secret.write_text(json.dumps(SECRET))
    secret.chmod(0o600)
    shutil.rmtree(folder / "home" / "truth")  # so that every case builds it
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    """Return what a case left, by path: the bytes, without what is measured; of a truth database its name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        own = name == "home/key" or ((folder / "entry").exists() and name.startswith("home/scores/"))
        if path.is_file() and not own:
            content = b"" if path.suffix == ".duckdb" else _MEASURED.sub(b"", path.read_bytes())
            found[name] = content.replace(os.fsencode(folder), b"")
    return found


_MEASURED = re.compile(rb'"latency_ms": [0-9.e-]+|wall_s = [0-9.e-]+|predictions_sha256 = "[0-9a-f]+"')
"""What a run of `predict` measures; its score, which depends on that, has another name each time."""


TEMPORARY = re.compile(r"\.new-|\.partial|\.replaced-|\.key-|\.part$|\.wal$|^run\.json$")


def leftovers(folder: Path) -> list[str]:
    """Return what only a running process may have: temporary files and folders."""
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if TEMPORARY.search(path.name)]


def torn(folder: Path) -> list[str]:
    """Return the files that are half written under their final name."""
    return [path.relative_to(folder).as_posix() for path in _final_files(folder) if not _is_whole(path)]


def _final_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(TEMPORARY.search(part) for part in path.relative_to(folder).parts):
            yield path


def _is_whole(path: Path) -> bool:
    content = path.read_bytes()
    try:
        if path.suffix == ".json":
            json.loads(content)
        elif path.suffix == ".jsonl":
            for line in content.splitlines():
                json.loads(line)
    except ValueError:
        return False
    if path.suffix == ".html":
        return content.rstrip().endswith(b"</html>")
    if path.suffix == ".parquet":
        return content.startswith(b"PAR1") and content.endswith(b"PAR1")
    return is_whole(path) if path.suffix == ".jpg" else bool(content)


class Outcome(NamedTuple):
    """What a case's second run found and left, after the first was interrupted."""

    status: int
    said: str
    changed: list[str]  # files that differ from those of a run that nothing interrupted
    leftovers: list[str]

    def faults(self, case: Case, whole: str) -> list[str]:
        """Return what is wrong, a sentence each; `whole`: what an undisturbed run says."""
        refuses = bool(case.finished) and self.status == 2 and case.finished in self.said
        found = [f"{path} is another file" for path in self.changed]
        found += [f"{path} is left" for path in self.leftovers]
        if (self.status and not refuses) or "Traceback" in self.said:
            found.append(f"the second run ends with {self.status}: {self.said[-2000:]}")
        elif case.says_the_same and self.said != whole:
            found.append(f"the second run says {self.said[-2000:]}")
        return found


def outcome(case: Case, folder: Path, status: int, said: str, whole: dict[str, bytes]) -> Outcome:
    """Compare a folder after the second run with the `outputs` of a run that nothing interrupted."""
    now, left = outputs(folder), leftovers(folder)
    changed = sorted(path for path in {*now, *whole} if now.get(path) != whole.get(path))
    if case.finished and status and case.finished in said:
        left = [path for path in left if not path.startswith("home/")]  # it did not come to look there
    return Outcome(status, said, changed, left)
