"""Pages and renderings as a stranger might write them: `python -m tests.proof.pages_and_renderings`.

Each is made of a good one by a seeded mutator that knows its structure. `harness.report.verify.verify` reads the pages,
`reference.training.datasets` and `harness.prediction.questions` the renderings. Right is an answer or a HarnessError;
anything else is a crash. Nothing may be written where a page says, and no truth may be revealed because a page says so.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.report import verify, write
from reference.rendering.render_split import render
from reference.rendering.request import Request as RenderRequest
from reference.training.datasets import Clips, stream
from tests.proof.mutate import dumped, mutate_bytes, mutate_value
from tests.proof.table import SLOW, Row, main, report, row, tries

SECONDS = 120
"""What one input may take before it counts as a crash."""


EACH = 500


def run(seed: int, scale: float) -> list[Row]:
    """Try 500 pages and 500 renderings at scale 1; return a row of each, as tests.proof describes it."""
    with tempfile.TemporaryDirectory() as scratch, _home(Path(scratch) / "home"):
        folder, each = Path(scratch), tries(EACH, scale)
        parts = {"pages": pages(folder), "renderings": renderings(folder)}
        return [attempt(f"mutated {what}", try_one, each, seed) for what, try_one in parts.items()]


def attempt(what: str, try_one: Callable[[random.Random], None], count: int, seed: int) -> Row:
    """Try so many inputs, each with a generator of its own, and count what is neither an answer nor a refusal."""
    crashes = slow = 0
    before = signal.signal(signal.SIGALRM, _too_long)
    for number in range(count):
        began = time.monotonic()
        signal.alarm(SECONDS)
        try:
            try_one(random.Random(f"{seed} {number}"))
        except HarnessError as error:
            if error.exit_code != 2:
                crashes += 1
                report(what, f"--seed {seed}, number {number}: exit code {error.exit_code}")
        except Exception:
            crashes += 1
            report(what, f"--seed {seed}, number {number}: {traceback.format_exc()}")
        finally:
            signal.alarm(0)
        slow += time.monotonic() - began > SLOW
    signal.signal(signal.SIGALRM, before)
    return row(what, tried=count, crashes=crashes, slow=slow)


def _too_long(*_: Any) -> None:
    raise RuntimeError(f"took more than {SECONDS} s")


@contextlib.contextmanager
def _home(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(folder))
        yield


# Pages


def pages(folder: Path) -> Callable[[random.Random], None]:
    """Return what verifies one mutated page. It fails where a file appeared in a place that a page named."""
    from tests.harness.report.test_data import board

    submissions, request = board(folder / "pages", folder / "pages" / "home")
    good, files = folder / "pages", [submissions / name / "predictions.jsonl" for name in ("near", "far")]
    write.leaderboard_page(submissions, good / "leaderboard.html", request=request)
    write.report_page(files[0], good / "report.html", request=request, name="mine")
    write.compare_page(*files, path=good / "compare.html", request=request)
    bases = [(good / f"{kind}.html").read_text(encoding="utf-8") for kind in ("leaderboard", "report", "compare")]
    elsewhere, page = folder / "elsewhere", folder / "page.html"

    def try_one(draw: random.Random) -> None:
        page.write_bytes(mutated_page(draw.choice(bases), elsewhere, draw))
        try:
            verify.verify(page, submissions, request)
        finally:
            if elsewhere.exists():
                raise RuntimeError("a page chose where to write")

    return try_one


def mutated_page(text: str, elsewhere: Path, draw: random.Random) -> bytes:
    """Return a page that is changed in its recipe, its other packed data, its pictures, its text, or its bytes."""
    kind = draw.random()
    if kind < 0.15:
        return mutate_bytes(text.encode(), draw)
    if kind < 0.25:
        return verify.SHEETS.sub("", text).encode().replace(b"</body>", _sheets(draw) + b"</body>")
    if kind < 0.3:
        at = draw.randrange(len(text))
        return (
            text[:at] + draw.choice(("<!--", "<script>", "<data value='1", "&#x110000;", "<![")) + text[at:]
        ).encode()
    packed = json.loads(gzip.decompress(base64.b64decode(verify.PACKED.search(text)[1])))  # type: ignore[index]
    if kind < 0.8:
        packed["recipe"] = _recipe(packed["recipe"], elsewhere, draw)
    else:
        packed = mutate_value(packed, draw)
    again = gzip.compress(dumped(packed))
    again = mutate_bytes(again, draw) if draw.random() < 0.05 else again
    return verify.PACKED.sub(lambda match: match[0].replace(match[1], base64.b64encode(again).decode()), text).encode()


def _recipe(recipe: dict[str, Any], elsewhere: Path, draw: random.Random) -> dict[str, Any]:
    """Return a recipe with one to three changes, at times one that would take the harness over."""
    if draw.random() < 0.2:
        name, value = draw.choice(
            (
                ("organiser", True),
                ("home", str(elsewhere / "a" / "b")),
                ("truth", str(elsewhere / "truth")),
                ("world", str(elsewhere)),
                ("clip_map", {"a": "b"}),
            )
        )
        return recipe | {"reading": recipe["reading"] | {name: value}}
    if draw.random() < 0.2:
        name = draw.choice(("world", "split", "baseline", "rules", "name", "title"))
        other = ("../x", "/dev/stdin", "warehouse-v2-x99999", "warehouse-v2", str(elsewhere), "constant", "a" * 300)
        return recipe | {name: draw.choice(other)}
    for _ in range(draw.choice((1, 1, 2, 3))):
        changed = mutate_value(recipe, draw)
        recipe = changed if isinstance(changed, dict) else recipe
    return recipe


def _sheets(draw: random.Random) -> bytes:
    line = draw.choice(
        ("0 AAAA", "x AAAA", "-1 AAAA", "0", "", "99999 AAAA", "0 %%%", "0 AAA", "٣ AAAA", "9" * 5000 + " A")
    )
    return f'<script type="application/octet-stream" id="sheets">{line}\n{line}</script>'.encode()


# Renderings


def renderings(folder: Path) -> Callable[[random.Random], None]:
    """Return what reads one mutated rendering whole, by index and as a stream."""
    from tests.reference.training.test_datasets import paint

    good = {}
    for form in ("frames", "video", "shards"):
        good[form] = folder / "renderings" / form
        render(RenderRequest(form=form, split="train", size=32, limit=3, frames=4), good[form], draw=paint)
    secret, copy = folder / "secret.jpg", folder / "rendering"
    secret.write_bytes(next((good["frames"] / "frames").rglob("*.jpg")).read_bytes())

    def try_one(draw: random.Random) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        form = draw.choice(("frames", "frames", "shards", "shards", "video"))
        shutil.copytree(good[form], copy)
        for _ in range(draw.choice((1, 1, 2))):
            _spoil(copy, secret, draw)
        clips = Clips(copy)
        samples = [clips[number] for number in range(len(clips))]
        samples += stream(copy)
        for sample in samples:
            if sample["frames"].shape[0] != len(sample["indices"]):
                raise RuntimeError("a sample with other frames than indices")

    return try_one


def _spoil(folder: Path, secret: Path, draw: random.Random) -> None:
    """Change one file of a rendering: a list, a picture, a shard, or what kind of file it is."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    lists = [path for path in files if path.suffix in (".json", ".jsonl")]
    others = [path for path in files if path not in lists] or lists
    if not lists:
        return
    path, kind = draw.choice(lists if draw.random() < 0.6 else others), draw.random()
    if kind < 0.1:
        path.unlink()
        draw.choice((lambda: os.mkfifo(path), lambda: path.symlink_to(secret), path.mkdir, lambda: None))()
    elif kind < 0.25:
        path.write_bytes(mutate_bytes(path.read_bytes(), draw))
    elif path.suffix == ".json":
        path.write_bytes(dumped(mutate_value(_value(path.read_bytes()), draw)))
    elif path.suffix == ".jsonl":
        lines = path.read_bytes().splitlines() or [b"{}"]
        at = draw.randrange(len(lines))
        lines[at] = dumped(mutate_value(_value(lines[at]), draw))
        path.write_bytes(b"\n".join(draw.choice((lines, lines, [*lines, lines[at]], lines[:at]))) + b"\n")
    elif path.suffix == ".tar":
        path.write_bytes(_other_shard(path.read_bytes(), draw))
    elif path.suffix == ".jpg":
        path.write_bytes(_other_picture(path.read_bytes(), draw))


def _value(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return {}


def _other_picture(content: bytes, draw: random.Random) -> bytes:
    """Return a picture of another size or kind, one whose header promises 128 megapixels, or damaged ones."""
    from PIL import Image

    def saved(side: tuple[int, int], kind: str, mode: str = "RGB") -> bytes:
        buffer = io.BytesIO()
        Image.new(mode, side).save(buffer, kind)
        return buffer.getvalue()

    huge = re.sub(
        rb"(\xff\xc0\x00\x11\x08)....", lambda found: found[1] + b"\x2c\x00" * 2, content, count=1, flags=re.DOTALL
    )
    return draw.choice(
        (
            huge,
            saved((33, 32), "JPEG"),
            saved((2049, 1), "JPEG"),
            saved((32, 32), "WEBP"),
            saved((16, 16), "WEBP"),
            saved((32, 32), "PNG"),
            saved((32, 32), "JPEG", "L"),
            mutate_bytes(content, draw),
        )
    )


def _other_shard(content: bytes, draw: random.Random) -> bytes:
    """Return a shard with a changed member, one more, one fewer, or in another order."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = [(member.name, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    except (tarfile.TarError, AttributeError, OSError):
        return content
    if not members:
        return content
    at, kind = draw.randrange(len(members)), draw.random()
    name, inside = members[at]
    if name.endswith(".json") and kind < 0.7:
        members[at] = name, dumped(mutate_value(_value(inside), draw))
    elif kind < 0.7:
        members[at] = name, _other_picture(inside, draw)
    else:
        other = draw.choice(("x.json", "../x.json", name.replace(".0", ".9"), name.upper(), "a" * 90 + ".json"))
        added = [*members[:at], (other, inside), *members[at:]]
        members = draw.choice((members[:at] + members[at + 1 :], added, members[::-1], [*members, members[at]]))
    return b"".join(_member(*member) for member in members) + bytes(1024)


def _member(name: str, content: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


if __name__ == "__main__":
    raise SystemExit(main("pages_and_renderings", run))
