"""Material of the benchmarks: splits of many sizes, submissions for them, a folder of entries."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from harness.cards import Card, write_card
from reference import resources
from reference.files import write_atomically
from reference.home import user_key
from reference.truth import database, store
from reference.truth.catalog import locate
from tests.benchmarks.bench import Place, Run, run

WORLD, SPLIT, CLIPS = "warehouse-v2", "test", 2880


def sql(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")


def world(scale: int) -> str:
    return WORLD if scale == 1 else f"{WORLD}-x{scale}"


def truth_path(place: Place, scale: int) -> Path:
    return store.truth_path(locate(world(scale), place.home), SPLIT, home=place.home)


def build(place: Place, scale: int) -> Run:
    """Make the truth of the split with `scale` times its sessions."""
    return run(place, "harness", "world", "build", WORLD, "--split", SPLIT, "--scale", str(scale))


def need(place: Place, *scales: int) -> None:
    for scale in scales:
        if not truth_path(place, scale).exists():
            build(place, scale)


def multiply(place: Place, scale: int, copies: int) -> None:
    """Make a stand-in for the split with scale x copies times its sessions: the smaller one copied, under new ids."""
    origin, path = locate(world(scale * copies), place.home), truth_path(place, scale * copies)
    path.parent.mkdir(parents=True, exist_ok=True)
    with database.connect(place.folder / "temporary") as connection:
        database.attach_new(connection, path)
        connection.execute("ATTACH ? AS base (READ_ONLY)", [str(truth_path(place, scale))])
        connection.execute(resources.sql("reference.truth", "schema"))
        meta = dict(connection.execute("SELECT key, value FROM base.meta").fetchall())
        connection.execute(f"SET VARIABLE copies = {copies}; SET VARIABLE sessions = {meta['sessions']}")
        connection.execute(sql("copies"))
        for name in ("operations", "constants", "transition"):
            connection.execute(f"INSERT INTO truth.{name} FROM base.{name}")
        meta |= {
            "world": origin.name,
            "world_digest": origin.digest,
            "n": str(int(meta["n"]) * copies),
            "sessions": str(int(meta["sessions"]) * copies),
            "truth_digest": hashlib.sha256(f"{copies} copies of {meta['truth_digest']}".encode()).hexdigest(),
            "row_checksum": database.scalar(connection, resources.sql("reference.truth", "checksum")),
        }
        meta["seal"] = store._seal(user_key(place.home), meta)
        connection.executemany("INSERT INTO truth.meta VALUES (?, ?)", list(meta.items()))
        connection.execute("CHECKPOINT truth; USE memory; DETACH truth")


def submission(place: Place, scale: int) -> Path:
    """Write a submission with a line for every clip of the split, unless it is there, and return its path."""
    path = place.folder / f"{world(scale)}.jsonl"
    if not path.exists():
        write_atomically(path, lambda temporary: _write(truth_path(place, scale), temporary, place))
    return path


def _write(truth: Path, path: Path, place: Place) -> None:
    with database.connect(place.folder / "temporary") as connection:
        connection.execute("ATTACH ? AS truth (READ_ONLY)", [str(truth)])
        options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x1f'"
        connection.execute(f"COPY ({sql('predictions')}) TO ? ({options})", [str(path)])


def forget_scores(place: Place) -> None:
    shutil.rmtree(place.home / "scores", ignore_errors=True)


def entries(place: Place, count: int) -> Path:
    """Write a folder of entries for the unscaled split: the same answers, of which each entry has lost another part."""
    with store.open_truth(WORLD, SPLIT, home=place.home) as truth:
        digest = truth.digest
    lines = submission(place, 1).read_text(encoding="utf-8").splitlines(keepends=True)
    for number in range(count):
        swapped = [line.replace('"Pack"', '"Wrap"') if i % (number + 2) == 0 else line for i, line in enumerate(lines)]
        _entry(place.folder / "entries" / f"entry-{number:03d}", "".join(swapped).encode(), digest)
    return place.folder / "entries"


def _entry(folder: Path, predictions: bytes, digest: str) -> None:
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_bytes(predictions)
    sha256 = hashlib.sha256(predictions).hexdigest()
    write_card(folder, Card(folder.name, "model", "for the benchmark", WORLD, SPLIT, digest, sha256))
