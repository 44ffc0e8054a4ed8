"""A split -> a folder of pictures, videos or shards, and `clips.jsonl`: all that a model needs, in any language.

`layout` says what lies where. `clips.jsonl` holds what a model may see: clip id, paths, the indices and times (s) of
the frames, the prompt; never the truth, and for splits that models are judged on no session either: sorted by clip id.
`truth.jsonl` stands beside it for train and validation. A rendering in another domain (`as_domain`) or with surfaces
painted out is marked in every line, and never lies in a folder with a split's name.

A rendering that was cut off is taken up where it was: what is there and whole is not made again. The same request gives
the same bytes, whatever the number of workers; one folder holds one request. Memory does not grow with the pictures: a
few tasks are in flight.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from importlib import metadata
from itertools import chain, groupby, islice
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

from reference.code_digest import code_digest
from reference.errors import RenderError, WorldError
from reference.files import TEMPORARY, replacement, write_atomically
from reference.process.world import World
from reference.rendering import writers
from reference.rendering.artifacts import IMAGES, PARTIAL
from reference.rendering.request import Request
from reference.rendering.sources import OPEN_SPLITS, Draw, Job, Scenes, Source
from reference.rendering.writers import Done, Maker
from reference.truth.synthetic import SCALED
from reference.video.samplers import SAMPLERS

FORMAT = "warehouse-harness/rendering-1"
TASK_CLIPS = 8
SHARD_CLIPS = 64
SHARD_SESSIONS = 3
SIDES = 16, 2048
LIBRARIES = ("av", "numpy", "pillow", "thorvg-python")

Progress = Callable[[int, int], None]
"""Called with clips done and clips expected."""


@dataclass
class Rendered:
    """What came of it."""

    folder: Path
    clips: int = 0
    rendered: int = 0  # the others were there
    left_out: int = 0  # clips that a recording does not cover
    bytes: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)


def render(
    request: Request,
    folder: str | Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    draw: Draw | None = None,
    home: Path | None = None,
    source: Source | None = None,
) -> Rendered:
    """Render into `folder`, or go on with what is there. `draw` stands in for reference.drawing.frame.render_frames.

    `source`: where the clips come from, if not from the world that the request names (a world with a secret key, say).
    Raises RenderError where the request or the folder is at fault. With several workers the calling script needs the
    usual `if __name__ == "__main__"`.
    """
    folder = Path(folder)
    _check(request)
    source = source or source_of(request, home=home, draw=draw)
    if not request.scored and folder.name in source.splits:
        raise RenderError(
            f"{folder}: is named after a split; pictures of another domain, or painted out, need another name"
        )
    with _claimed(folder, description(request, source)):
        return _write(request, source, Maker(folder, request, source), workers, progress)


def _check(request: Request) -> None:
    for what, value, known in (
        ("form", request.form, writers.FORMS),
        ("sampler", request.sampler, SAMPLERS),
        ("image", request.image, IMAGES),
    ):
        if value not in known:
            raise RenderError(f"no {what} {value!r}; there are {', '.join(known)}")
    if not 1 <= request.frames <= 100:
        raise RenderError(f"{request.frames} frames a clip; 1 to 100 can be sampled")
    if not SIDES[0] <= request.size <= SIDES[1] or request.size % 2:
        raise RenderError(f"size {request.size}: an even number from {SIDES[0]} to {SIDES[1]} is needed")


def source_of(request: Request, *, home: Path | None = None, draw: Draw | None = None) -> Source:
    """The scenes of a synthetic world, or a recording of an imported one."""
    from reference.home import cache_home
    from reference.process.world import load_world
    from reference.truth.sealed import registered

    if request.video is not None:
        from reference.rendering.recordings import Recording

        if request.video_start_ms is None:
            raise RenderError("a video needs its start: --video-start with Unix ms or an ISO 8601 time")
        if request.domains or not request.scored:
            raise RenderError("a recording has no domains and nothing to paint out")
        return Recording(
            request.world, request.split, cache_home(home), Path(request.video), request.video_start_ms, request.session
        )
    seal = registered(request.world, cache_home(home))
    if seal is not None and request.split == seal.split:
        return _scenes(seal.world(), request, draw)
    scaled = SCALED.fullmatch(request.world)
    try:
        world = load_world(scaled["base"] if scaled else request.world)
    except WorldError as error:
        raise RenderError(f"{error}; an imported world needs --video and --video-start") from None
    return _scenes(world, request, draw, int(scaled["scale"]) if scaled else 1)


def _scenes(world: World, request: Request, draw: Draw | None, scale: int = 1) -> Source:
    return Scenes(
        world,
        request.split,
        scale=scale,
        domains=request.domains,
        as_domain=request.as_domain,
        paint_out=request.paint_out,
        draw=draw,
    )


def description(request: Request, source: Source) -> dict[str, Any]:
    """What render.json holds: all that the bytes depend on; without machine paths."""
    asked = asdict(request) | {"world": source.world, "video": request.video and Path(request.video).name}
    return {
        "format": FORMAT,
        "scored": request.scored and request.split not in OPEN_SPLITS,
        "request": json.loads(json.dumps(asked)),
        "world_digest": source.digest,
        "code": generator(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _version(package: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def generator() -> str:
    """Return a short digest of the code that makes clips and pictures."""
    return code_digest(__name__)[:16]


@contextlib.contextmanager
def _claimed(folder: Path, description: dict[str, Any]) -> Iterator[None]:
    """The folder is ours alone while we write, and holds this request or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _compare(folder, description)
        _sweep(folder)
        write_atomically(folder / "render.json", lambda path: path.write_text(_pretty(description), encoding="utf-8"))
        yield
        _sweep(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A lock on the folder itself: it ends with the process, and leaves no file."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RenderError(f"{folder}: another process is rendering into it") from None
        yield
    finally:
        os.close(lock)


def _sweep(folder: Path) -> None:
    """What was being written when a rendering was cut off: nobody else writes here now."""
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    for leftover in folder.glob(f"{TEMPORARY}*"):
        leftover.unlink()


def _compare(folder: Path, description: dict[str, Any]) -> None:
    try:
        found = json.loads((folder / "render.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        if any(not path.name.startswith(TEMPORARY) for path in folder.iterdir()):
            raise RenderError(f"{folder}: is not empty and holds no rendering; choose another folder") from None
        return
    except (OSError, ValueError):
        raise RenderError(f"{folder}/render.json: cannot be read; delete the folder, or choose another") from None
    there, wanted = (
        {
            **part.get("request", {}),
            **part.get("libraries", {}),
            **{key: part.get(key) for key in ("format", "world_digest", "code")},
        }
        for part in (found, description)
    )
    other = [f"{key} {there.get(key)!r}, not {value!r}" for key, value in wanted.items() if there.get(key) != value]
    if other:
        raise RenderError(f"{folder}: holds another rendering ({', '.join(other)}); choose another folder or delete it")


def _write(request: Request, source: Source, maker: Maker, workers: int, progress: Progress | None) -> Rendered:
    """Tasks in the layout's order, their lines as they come; the lists appear when all is there."""
    folder = maker.folder
    expected = min(source.expected, request.limit or source.expected)
    summary = Rendered(folder, left_out=source.left_out)
    with contextlib.ExitStack() as stack:
        clips, truth = _lists(stack, folder, request)
        for done in _made(maker, _tasks(request, source), workers):
            summary.clips += len(done.rows)
            summary.rendered += len(done.rows) if done.fresh else 0
            summary.files.append(done.file)
            clips.writelines(_line(row) for row in done.rows)
            if truth is not None:
                truth.writelines(_line(row) for row in done.truths)
            if progress is not None:
                progress(summary.clips, expected)
    summary.bytes = sum(file["bytes"] for file in summary.files)
    index = {"format": FORMAT, "clips": summary.clips, "bytes": summary.bytes, "files": summary.files}
    write_atomically(folder / "index.json", lambda path: path.write_text(_pretty(index), encoding="utf-8"))
    return summary


def _lists(stack: contextlib.ExitStack, folder: Path, request: Request) -> tuple[IO[str], IO[str] | None]:
    names = ["clips.jsonl", *(["truth.jsonl"] if request.split in OPEN_SPLITS else [])]
    files = []
    for name in names:
        temporary = stack.enter_context(replacement(folder / name))
        files.append(stack.enter_context(temporary.open("w", encoding="utf-8")))
    return files[0], files[1] if len(files) > 1 else None


def _tasks(request: Request, source: Source) -> Iterator[list[Job]]:
    """Open splits by session; the others by clip id, which tells nothing of session or time."""
    jobs: Iterable[Job] = source.jobs()
    if request.split not in OPEN_SPLITS:
        jobs = sorted(jobs, key=lambda job: job.clip_id)
    jobs = islice(jobs, request.limit)
    if request.form != "shards":
        return _batched(jobs, TASK_CLIPS)
    if request.split not in OPEN_SPLITS:
        return _batched(jobs, SHARD_CLIPS)
    sessions = (list(group) for _, group in groupby(jobs, key=lambda job: job.session))
    return (list(chain.from_iterable(group)) for group in _batched(sessions, SHARD_SESSIONS))


def _batched(items: Iterable[Any], n: int) -> Iterator[list[Any]]:
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


def _made(maker: Maker, tasks: Iterator[list[Job]], workers: int) -> Iterator[Done]:
    numbered = enumerate(tasks)
    if workers <= 1:
        for number, jobs in numbered:
            yield from maker.make(number, jobs)
        return
    try:
        # forking a process that runs threads can deadlock
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_adopt, initargs=(maker,)) as pool:
            waiting = deque(pool.submit(_make, *task) for task in islice(numbered, 2 * workers))
            while waiting:
                yield from waiting.popleft().result()
                waiting.extend(pool.submit(_make, *task) for task in islice(numbered, 1))
    except BrokenProcessPool:
        raise RenderError(
            f"{maker.folder}: a worker died (out of memory, stopped from outside, or the calling script has no "
            '`if __name__ == "__main__"`); the same request goes on from here'
        ) from None


_adopted: Maker | None = None


def _adopt(maker: Maker) -> None:
    global _adopted
    _adopted = maker


def _make(number: int, jobs: list[Job]) -> list[Done]:
    assert _adopted is not None
    return list(_adopted.make(number, jobs))


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
