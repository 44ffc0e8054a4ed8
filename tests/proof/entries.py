"""Entries of strangers, each beside one good entry: whatever they hold, the good one's numbers stay as they are.

An entry is a good one of which cards, training records, prediction files, names or kinds of files were changed. The
board is made of each pair, every 25th pair goes through every other command and form, and at last one board holds all.

    python -m tests.proof.entries --entries 500 --seed 1
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

from harness.cards import CARD, TRAINING
from harness.cli import main as harness_main
from tests.proof import table
from tests.support import hand

ENTRIES = 500
WORLD = "strangers"
SESSIONS, CLIPS = 6, 4
EVERY = 25
"""Of so many entries one goes through the other commands."""
SLOW_COMMAND = 10.0
GOOD = "good"

LONG = "x" * 300
ODD_TEXTS = (
    "", " ", LONG, "x" * 100_000, "\x1b[31mred\x1b[2J", "\u202eevil", "a\nb", "\x00", "<script>alert(1)</script>",
    "{{7*7}}", "=1+1", "../../x", "/etc/passwd", ".", "..", "CON", "*", "?", "[a]", "a/b", "a\\b", "\ud800", "e\u0301",
    "\u0422ape", GOOD, "constant", "oracle", "transition-prior", "model", "reference", "baseline", "predictions.jsonl",
    CARD, TRAINING, WORLD, "test", "train", "csv", "array", "parquet", "activitynet", "0" * 64, "f" * 64,
    "'; DROP TABLE clips; --",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2, 124, 125, 1 << 31, 1 << 63, -(1 << 63), 10**400, 1e308, 1e-300, 1e14, 0.1, -0.0, math.nan, math.inf,
    -math.inf, 25, 25.0, 100,
)  # fmt: skip


class Maker:
    """Maker of hostile entries, from a seeded source of chance."""

    def __init__(self, chance: random.Random, rows: list[hand.Row], digest: str):
        self.chance, self.rows, self.digest = chance, rows, digest

    def entry(self, folder: Path) -> Path:
        """Write an entry with one to three changes under `folder` and return its path."""
        place = folder / os.fsdecode(
            self.chance.choice((b"stranger", b"stranger", b"caf\xe9", b"a b\n", b"*?[", b"x" * 250))
        )
        place.mkdir()
        name, content = self.predictions()
        if self.chance.random() < 0.4:
            content = self.with_odd_bytes(content)
        (place / name).write_bytes(content)
        card = self.card(name, content)
        training = {"device": "x", "predicted_peak_gib": 10.0, "measured_peak_gib": 11.0, "steps": 5, "oom_events": 0}
        record: bytes | None = json.dumps(training).encode()
        kind = self.chance.randrange(5)
        if kind == 0:
            record = self.json(self.with_odd_value(training))
        elif kind == 1:
            card = self.with_odd_value(card)
        text = self.toml(card)
        if kind == 2:
            text = self.with_odd_bytes(text)
        elif kind == 3:
            record = self.with_odd_bytes(record)
        elif kind == 4:
            record = None
        (place / CARD).write_bytes(text)
        if record is not None:
            (place / TRAINING).write_bytes(record)
        if self.chance.random() < 0.15:
            self.with_odd_file(place, name)
        return place

    def card(self, name: str, content: bytes) -> dict[str, Any]:
        """Return a card that fits the predictions."""
        card: dict[str, Any] = {
            "name": "stranger",
            "kind": "model",
            "description": "of a stranger",
            "world": WORLD,
            "split": "test",
            "truth_digest": self.digest,
            "predictions": name,
            "predictions_sha256": hashlib.sha256(content).hexdigest(),
        }
        more = {
            "fps": 25.0,
            "clip_frames": 125,
            "adapter": "canonical",
            "lenient": True,
            "ignore_extra": True,
            "run": {"seed": 1},
        }
        return card | {key: more[key] for key in self.chance.sample(list(more), self.chance.randrange(3))}

    def predictions(self) -> tuple[str, bytes]:
        """Return name and bytes of a prediction file in one of several formats, with odd values."""
        rows: list[Any] = [hand.right(row) for row in self.rows]
        for _ in range(self.chance.randrange(3)):
            place = self.chance.randrange(len(rows))
            rows[place] = self.with_odd_value(rows[place])
        kind = self.chance.choice(
            ("lines", "lines", "array", "document", "by-clip", "results", "csv", "parquet", "gz", "text")
        )
        lines = b"".join(self.json(row) + b"\n" for row in rows)
        if kind == "array":
            return "predictions.json", b"[" + b",".join(map(self.json, rows)) + b"]"
        if kind == "document":
            beside = self.json(self.with_odd_value({"x": {"y": [1]}}))[1:]
            return "predictions.json", b'{"predictions": [' + b",".join(map(self.json, rows)) + b"]," + beside
        if kind == "by-clip":
            return "predictions.json", self.json(
                {
                    row["clip_id"]: {**row, "clip_id": row["clip_id"]}
                    for row in map(dict, rows)
                    if isinstance(row.get("clip_id"), str)
                }
            )
        if kind == "results":
            found = {row["clip_id"]: [{"label": "Tape", "score": 0.5, "segment": [1, 2.5]}] for row in self.rows}
            return "predictions.json", self.json({"version": "1", "results": self.with_odd_value(found)})
        if kind == "csv":
            head = "clip_id,dominant_operation,start_frame,end_frame,next_operation\n"
            cells = [f"{row['clip_id']},Tape,30,70,{self.odd_value()!s}" for row in self.rows]
            return "predictions.csv", (head + "\n".join(cells)).encode("utf-8", "replace")
        if kind == "parquet":
            return "predictions.parquet", self.parquet()
        if kind == "gz":
            return "predictions.jsonl.gz", gzip.compress(lines, mtime=0)
        if kind == "text":
            return "predictions.jsonl", b"".join(
                json.dumps({"clip_id": row["clip_id"], "raw_output": "so: " + json.dumps(hand.right(row))}).encode()
                + b"\n"
                for row in self.rows
            )
        return "predictions.jsonl", lines

    def parquet(self) -> bytes:
        """Return a Parquet file; every other one has one to four bytes changed."""
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
            path = Path(folder) / "x.parquet"
            ids = [row["clip_id"] for row in self.rows]
            connection.execute(
                "CREATE TABLE rows AS SELECT unnest(?::VARCHAR[]) AS clip_id, 'Tape' AS dominant_operation, "
                "30 AS start_frame, 70 AS end_frame, 'Label' AS next_operation",
                [ids],
            )
            connection.table("rows").write_parquet(str(path))
            content = bytearray(path.read_bytes())
        for _ in range(self.chance.choice((0, 1, 1, 4))):
            content[self.chance.randrange(len(content))] = self.chance.randrange(256)
        return bytes(content)

    def odd_value(self) -> Any:
        """Return a value that no field is meant to have."""
        deep: Any = 1
        for _ in range(self.chance.choice((3, 30, 300))):
            deep = [deep] if self.chance.random() < 0.5 else {"a": deep}
        pools = (ODD_TEXTS, ODD_NUMBERS, (None, True, False), ([], {}, [1, [2]], {"a": {"b": 1}}, deep))
        return self.chance.choice(self.chance.choice(pools))

    def with_odd_value(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return an object in which one member, at any depth, is odd, absent, added, or has an odd key."""
        value = json.loads(json.dumps(value))
        holder = value
        while (
            inner := [part for part in holder.values() if isinstance(part, dict) and part]
        ) and self.chance.random() < 0.5:
            holder = self.chance.choice(inner)
        key = self.chance.choice(list(holder))
        change = self.chance.randrange(5)
        if change == 0:
            del holder[key]
        elif change == 1:
            holder[self.chance.choice(ODD_TEXTS)] = holder.pop(key)
        elif change == 2:
            holder[self.chance.choice(ODD_TEXTS)] = self.odd_value()
        else:
            holder[key] = self.odd_value()
        return value

    def with_odd_bytes(self, content: bytes) -> bytes:
        """Return bytes of which some were changed, cut off, doubled or added; now and then a very large file."""
        change = self.chance.randrange(7)
        at = self.chance.randrange(len(content) + 1)
        to = min(len(content), at + self.chance.choice((1, 1, 4, 50)))
        if change == 0:
            return content[:at]
        if change == 1:
            return content[:at] + content[to:]
        if change == 2:
            return content[:to] + content[at:]
        if change == 3:
            return (
                content[:at]
                + self.chance.choice(
                    (b"\x00", b"\xff\xfe", b"\xe9", b"\\ud800", b"[" * 5_000, b"9" * 5_000, b"\r", b'"')
                )
                + content[at:]
            )
        if change == 4:
            return b"" if self.chance.random() < 0.5 else content + b"#" * (2 << 20)
        if change == 5:
            return content[:at] + bytes([self.chance.randrange(256)]) + content[to:]
        return content + self.chance.choice(
            (b"\na" + b".a" * 20_000 + b" = 1\n", b'\nx = "' + b"y" * 400 + b'"\n', b"{}")
        )

    def with_odd_file(self, place: Path, predictions: str) -> None:
        """Put something else in the place of a file."""
        path = place / self.chance.choice((CARD, TRAINING, predictions))
        path.unlink(missing_ok=True)
        change = self.chance.randrange(5)
        if change == 0:
            os.mkfifo(path)
        elif change == 1:
            path.mkdir()
        elif change == 2:
            path.symlink_to(path.name)
        elif change == 3:
            path.symlink_to("/dev/zero")
        else:
            path.write_bytes(b"")

    def json(self, value: Any) -> bytes:
        """Return a value as JSON, NaN and half surrogate pairs too; a number may have too many digits for Python."""
        with _many_digits():
            return json.dumps(value, ensure_ascii=self.chance.random() < 0.5).encode("utf-8", "surrogatepass")

    def toml(self, card: dict[str, Any]) -> bytes:
        """Return a card as TOML, whatever it holds."""
        with _many_digits():
            return "".join(f"{_toml_key(key)} = {_toml(value)}\n" for key, value in card.items()).encode(
                "utf-8", "surrogatepass"
            )


@contextlib.contextmanager
def _many_digits() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


def _toml_key(key: str) -> str:
    return key if key.isidentifier() and key.isascii() else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else '"none"' if value is None else repr(value)


class Trial:
    """Commands run in this process, and what went wrong in them."""

    def __init__(self) -> None:
        self.crashes = self.disagreements = self.slow = 0

    def run(self, name: str, *words: str | Path) -> str | None:
        """Run a command; return what it printed, or None unless it exits with 0 or 2 and without a traceback."""
        out, began, code = io.StringIO(), time.monotonic(), None
        try:
            with (
                patch.object(sys, "argv", ["harness", *map(str, words)]),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                harness_main()
        except SystemExit as ended:
            code = ended.code
        except Exception as error:
            table.report("entries", f"{name}: {' '.join(map(str, words))}: {type(error).__name__}: {str(error)[:200]}")
        self.slow += time.monotonic() - began > SLOW_COMMAND
        if code not in (0, 2):
            self.crashes += 1
            if code is not None:
                table.report("entries", f"{name}: {' '.join(map(str, words))}: exit code {code}")
            return None
        return out.getvalue() if code == 0 else ""

    def differs(self, name: str, what: str) -> None:
        self.disagreements += 1
        table.report("entries", f"{name}: {what}")


def run(seed: int, scale: float, entries: int | None = None) -> list[table.Row]:
    """Try so many entries. `entries`: their number, by default ENTRIES at this scale."""
    count = table.tries(ENTRIES, scale) if entries is None else entries
    with tempfile.TemporaryDirectory() as scratch:
        folder, home = Path(scratch) / "tried", Path(scratch) / "home"
        folder.mkdir()
        changed = {"HARNESS_HOME": str(home), "SOURCE_DATE_EPOCH": "0", "COLUMNS": "80"}
        with patch.dict(os.environ, changed), contextlib.chdir(scratch):
            return [_tried(seed, count, folder, home)]


def _tried(seed: int, count: int, folder: Path, home: Path) -> table.Row:
    rows = hand.grid(SESSIONS, CLIPS)
    digest = hand.world(WORLD, rows, home, home)
    trial, everybody = Trial(), folder / "everybody"
    wrong = [hand.right(row, **({"next_operation": "Wrap"} if row["clip_index"] == 0 else {})) for row in rows]
    hand.entry(everybody / GOOD, GOOD, wrong, WORLD, digest)
    right = _numbers(trial.run("alone", "leaderboard", everybody, "--world", WORLD, "--format", "json"))
    for number in range(count):
        name, pair = f"{seed}/{number}", folder / "pair"
        shutil.copytree(everybody / GOOD, pair / GOOD)
        maker = Maker(random.Random(f"entries {name}"), rows, digest)
        place = maker.entry(pair)
        _check(trial, name, pair, right)
        if number % EVERY == EVERY - 1:
            _other_commands(trial, name, pair, place, folder)
        place.rename(everybody / f"{number:05d}")
        shutil.rmtree(pair)
    _check(trial, "all together", everybody, right)
    trial.run("all together", "leaderboard", everybody, "--world", WORLD, "-o", folder / "all.html")
    return table.row(
        "entries of strangers", tried=count, crashes=trial.crashes, disagreements=trial.disagreements, slow=trial.slow
    )


def _check(trial: Trial, name: str, folder: Path, right: dict[str, Any] | None) -> None:
    """Note a disagreement where the good entry's numbers are others beside these entries."""
    text = trial.run(name, "leaderboard", folder, "--world", WORLD, "--format", "json")
    if text is not None and _numbers(text) != right:
        trial.differs(name, "the good entry's numbers changed" if text else "no board")


def _numbers(text: str | None) -> dict[str, Any] | None:
    """Return the numbers of the good entry that do not depend on the others."""
    if not text:
        return None
    board = json.loads(text)
    found = [row for row in board["entries"] if row["folder"] == GOOD]
    same = ("metrics", "coverage", "invalid", "signature")
    return {key: found[0][key] for key in same} | {"baseline": board["baseline"]} if found else None


def _other_commands(trial: Trial, name: str, pair: Path, place: Path, folder: Path) -> None:
    """Run the other commands that read a folder or a file of it."""
    for form in ("text", "markdown", "csv", "latex", "junit"):
        trial.run(name, "leaderboard", pair, "--world", WORLD, "--format", form)
    page = folder / "page.html"
    trial.run(name, "leaderboard", pair, "--world", WORLD, "-o", page, "--export", folder / "exports")
    if page.exists():
        trial.run(name, "verify", page, "--submissions", pair)
        page.unlink()
    files = [path for path in sorted(place.glob("predictions*")) if path.is_file() or path.is_fifo()]
    choices = ("--world", WORLD, "--lenient")
    for file in files:
        trial.run(name, "validate", file, "--world", WORLD)
        trial.run(name, "score", file, *choices)
        trial.run(name, "report", file, *choices, "-o", page)
        trial.run(name, "compare", pair / GOOD, file, *choices)
    trial.run(name, "compare", pair / GOOD, place, "--world", WORLD)
    shutil.rmtree(folder / "exports", ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.entries", add_help=False)
    parser.add_argument("--entries", type=int)
    chosen, rest = parser.parse_known_args(arguments)
    tried: Callable[[int, float], list[table.Row]] = lambda seed, scale: run(seed, scale, chosen.entries)  # noqa: E731
    return table.main("entries", tried, rest)


if __name__ == "__main__":
    raise SystemExit(main())
