"""A split -> a folder of pictures, videos or shards, and `clips.jsonl`: all that a model needs, in any language.

`artifacts` describes the files. `clips.jsonl` holds what a model may see: clip id, paths, the indices and times (s) of
the frames, the prompt; never the truth, and for splits that models are scored on no session either: sorted by clip id.
`truth.jsonl` stands beside it for train and validation. A rendering in another domain (`as_domain`) or with surfaces
painted out is marked in every line, and never lies in a folder with a split's name.

An interrupted rendering is resumed: files that are whole are not written again. The same request gives the same bytes,
whatever the number of workers and wherever they are; one folder holds one request. Memory does not grow with the
pictures: few tasks are in flight.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from importlib import metadata
from itertools import chain, groupby, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from reference.code_digest import code_digest
from reference.drawing.frame import render_frames
from reference.errors import RenderError
from reference.files import TEMPORARY, locked, replacement, sha256, write_json
from reference.pools.on_ray import Cluster
from reference.pools.processes import in_processes
from reference.rendering.apart import SentFile, put_in_place, write_apart
from reference.rendering.artifacts import IMAGES, PARTIAL, SIDES
from reference.rendering.estimate import Estimate, check_room, estimate
from reference.rendering.lists import TRUTH, read_description
from reference.rendering.recordings import Recording
from reference.rendering.request import Request
from reference.rendering.sources import DrawFrames, Job, Scenes, Source
from reference.rendering.writers import FORMS, Writer, WrittenFile
from reference.shard import Shard
from reference.task import OPEN_SPLITS
from reference.truth.catalog import locate
from reference.truth.sealed import CLIPS, INDEX, RENDERING
from reference.video.samplers import SAMPLERS

FORMAT = "warehouse-harness/rendering-1"
TASK_CLIPS = 8
SHARD_CLIPS = 64
SHARD_SESSIONS = 3
LIBRARIES = ("av", "numpy", "pillow", "thorvg-python")
PARTS = ("clips", "shard")
"""Fields of a request that render.json states only where they are chosen."""

Progress = Callable[[int, int], None]
"""Called with clips done and clips expected."""

Announce = Callable[[Estimate, int], object]
"""Called with what a rendering will take, and the bytes that are free."""


@dataclass
class RenderSummary:
    """Outcome of a rendering: counts, bytes and files."""

    folder: Path
    clips: int = 0
    rendered: int = 0  # the others were there already
    left_out: int = 0  # clips that a recording does not cover, or that show more when drawn in another domain
    bytes: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)


def render(
    request: Request,
    folder: str | Path,
    *,
    workers: int | Cluster = 1,
    progress: Progress | None = None,
    source: Source | None = None,
    announce: Announce | None = None,
    **choices: Any,
) -> RenderSummary:
    """Render into `folder`, or resume the rendering there.

    `announce` is called before a new rendering that takes long, and only then is the disk's free room looked at.
    `source` lists the clips, if not the world that the request names (but a world with a secret key, say); `choices`:
    `home` and `draw`, as source_of takes them. `workers`: processes of this machine, or a cluster of Ray, which draws
    while this process writes the files. Raises RenderError where the request or the folder is at fault. With
    several workers the calling script needs the usual `if __name__ == "__main__"`.
    """
    folder = Path(folder)
    _check(request)
    source = source or source_of(request, **choices)
    if not request.scored and folder.name in source.splits:
        raise RenderError(
            f"{folder}: is named after a split; pictures of another domain, or painted out, need another name"
        )
    writer, tasks = Writer(folder, request, source), _tasks(request, source)
    planned = estimate(writer, tasks.clips) if announce is not None and not (folder / RENDERING).exists() else None
    if announce is not None and planned is not None:
        announce(planned, check_room(folder, planned))
    with _exclusive(folder, description(request, source)):
        return _write(writer, tasks, workers, progress)


def _check(request: Request) -> None:
    for what, value, known in (
        ("form", request.form, FORMS),
        ("sampler", request.sampler, SAMPLERS),
        ("image", request.image, IMAGES),
    ):
        if value not in known:
            raise RenderError(f"no {what} {value!r}; there are {', '.join(known)}")
    if not 1 <= request.frames <= 100:
        raise RenderError(f"{request.frames} frames a clip; 1 to 100 can be sampled")
    if not SIDES[0] <= request.size <= SIDES[1] or request.size % 2:
        raise RenderError(f"size {request.size}: an even number from {SIDES[0]} to {SIDES[1]} is needed")


def source_of(request: Request, *, home: Path | None = None, draw: DrawFrames = render_frames) -> Source:
    """Return the scenes of a synthetic world, or the recording of an imported one. Raises RenderError, WorldError."""
    origin = locate(request.world, home)
    if origin.published is not None and origin.withheld:
        raise RenderError(
            f"{origin.name} is sealed: its pictures lie in {origin.published.folder}, no others can be made"
        )
    if request.video is not None:
        if request.domains or not request.scored:
            raise RenderError("a recording has no domains and nothing to paint out")
        return Recording(origin, request.split, request.recordings)
    if origin.process is None:
        raise RenderError(f"world {origin.name} was imported: it needs its recording, --video and --video-start")
    origin.check_split(request.split)
    return Scenes(
        origin.process,
        request.split,
        scale=origin.scale,
        domains=request.domains,
        as_domain=request.as_domain,
        paint_out=request.paint_out,
        draw=draw,
    )


def description(request: Request, source: Source) -> dict[str, Any]:
    """Return the content of render.json: all that the bytes depend on, without machine paths."""
    names = [path.name for path, *_ in request.recordings]
    asked = asdict(request) | {"world": source.world, "video": names[0] if len(names) == 1 else names or None}
    asked["clips"] = request.clips and sha256("\n".join(request.clips).encode())
    asked = {name: value for name, value in asked.items() if name not in PARTS or value}
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
    """Return a short digest of the code that computes clips and pictures."""
    return code_digest(__name__)[:16]


@contextlib.contextmanager
def _exclusive(folder: Path, description: dict[str, Any]) -> Iterator[None]:
    """Hold the folder for this process alone. Raises RenderError where it holds another request, or anything else."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, RenderError(f"{folder}: another process is rendering into it")):
        _compare(folder, description)
        _sweep(folder)
        write_json(folder / RENDERING, description)
        try:
            yield
        finally:
            _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove files that an interrupted rendering left half written; the lock keeps other writers out."""
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    for leftover in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _compare(folder: Path, description: dict[str, Any]) -> None:
    """Raise RenderError unless the folder is empty or holds a rendering of the same description."""
    if not (folder / RENDERING).exists():
        if any(not path.name.startswith(TEMPORARY) for path in folder.iterdir()):
            raise RenderError(f"{folder}: is not empty and holds no rendering; choose another folder")
        return
    try:
        present = read_description(folder)
    except RenderError as error:
        raise RenderError(
            f"{folder / RENDERING}: cannot be read; delete the folder, or choose another ({error})"
        ) from None
    if other := _differences(present, description):
        raise RenderError(f"{folder}: holds another rendering ({', '.join(other)}); choose another folder or delete it")


def _differences(present: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return in words what one description says and another one wants otherwise."""
    there, here = (
        {
            **part["request"],
            **(part["libraries"] if isinstance(part.get("libraries"), dict) else {}),
            **{key: part.get(key) for key in ("format", "world_digest", "code")},
        }
        for part in (present, wanted)
    )
    keys = [*here, *(key for key in PARTS if key in there and key not in here)]
    return [f"{key} {there.get(key)!r}, not {here.get(key)!r}" for key in keys if there.get(key) != here.get(key)]


def check_draws_alike(request: Request, source: Source, wanted: dict[str, Any]) -> None:
    """Raise RenderError where this machine would draw a request in other bytes than the one that described it."""
    if other := _differences(description(request, source), wanted):
        raise RenderError(
            f"a worker would draw other pictures ({', '.join(other)}): install the same version of this project and of "
            "its packages on every machine"
        )


def _write(writer: Writer, tasks: Tasks, workers: int | Cluster, progress: Progress | None) -> RenderSummary:
    """Write all files, then the lists: clips.jsonl and truth.jsonl appear when every clip in them is there."""
    folder, request, source = writer.folder, writer.request, writer.source
    summary = RenderSummary(folder, left_out=source.left_out)
    with contextlib.ExitStack() as stack:
        clips, truth = _open_lists(stack, folder, request)
        for written in _written_files(writer, tasks.jobs(source), workers):
            summary.clips += len(written.rows)
            summary.rendered += len(written.rows) if written.is_new else 0
            summary.files.append(written.file)
            clips.writelines(_line(row) for row in written.rows)
            if truth is not None:
                truth.writelines(_line(row) for row in written.truths)
            if progress is not None:
                progress(summary.clips, tasks.clips)
    summary.bytes = sum(file["bytes"] for file in summary.files)
    write_json(folder / INDEX, index_of(summary.clips, summary.files))
    return summary


def index_of(clips: int, files: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of index.json: how many clips, and each file with its digest."""
    return {"format": FORMAT, "clips": clips, "bytes": sum(file["bytes"] for file in files), "files": files}


def _open_lists(stack: contextlib.ExitStack, folder: Path, request: Request) -> tuple[IO[str], IO[str] | None]:
    names = [CLIPS, *([TRUTH] if request.split in OPEN_SPLITS else [])]
    files = []
    for name in names:
        temporary = stack.enter_context(replacement(folder / name))
        files.append(stack.enter_context(temporary.open("w", encoding="utf-8")))
    return files[0], files[1] if len(files) > 1 else None


class Tasks(NamedTuple):
    """Files of a rendering, or a few of them at a time: the clip ids of each task, in the order of clips.jsonl.

    `first`: number of the first task here among those of all shards; `chosen`: its clips, None for all of the source.
    """

    lists: list[list[str]]
    first: int
    chosen: frozenset[str] | None
    is_sorted: bool

    @property
    def clips(self) -> int:
        """Return the number of clips."""
        return sum(map(len, self.lists))

    def jobs(self, source: Source) -> Iterator[tuple[int, list[Job]]]:
        """Yield number and jobs of each task."""
        jobs: Iterator[Job] = source.jobs(self.chosen)
        if self.is_sorted:
            jobs = iter(sorted(jobs, key=lambda job: job.clip_id))
        for number, clips in enumerate(self.lists, self.first):
            yield number, list(islice(jobs, len(clips)))


def _tasks(request: Request, source: Source) -> Tasks:
    """Return the tasks of a request, or those of its shard. Raises HarnessError for more shards than tasks.

    Open splits keep the order of their sessions; the others are sorted by clip id, which tells no session and no time.
    """
    is_open, wanted = request.split in OPEN_SPLITS, request.clips and frozenset(request.clips)
    names = [(session, clip) for session, clip in source.names() if wanted is None or clip in wanted]
    asked = (names if is_open else sorted(names, key=lambda name: name[1]))[: request.limit]
    lists = list(_lists(request, asked))
    kind = "file" if request.form == "shards" else "group"
    what = f"{len(asked):,} clips in {len(lists):,} {kind}{'s' * (len(lists) != 1)}"
    mine = Shard.of(request.shard).cut(len(lists), what) if request.shard else range(len(lists))
    kept = [lists[number] for number in mine]
    is_part = wanted is not None or request.limit is not None or request.shard is not None
    return Tasks(kept, mine.start, frozenset(chain.from_iterable(kept)) if is_part else None, not is_open)


def _lists(request: Request, names: list[tuple[str, str]]) -> Iterator[list[str]]:
    """Yield the clip ids of one file or of a few clips at a time."""
    if request.form == "shards" and request.split in OPEN_SPLITS:
        sessions = ([clip for _, clip in group] for _, group in groupby(names, key=lambda name: name[0]))
        yield from (list(chain.from_iterable(group)) for group in _batched(sessions, SHARD_SESSIONS))
    else:
        yield from _batched((clip for _, clip in names), SHARD_CLIPS if request.form == "shards" else TASK_CLIPS)


def _batched(items: Iterable[Any], n: int) -> Iterator[list[Any]]:
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


def _written_files(
    writer: Writer, tasks: Iterator[tuple[int, list[Job]]], workers: int | Cluster
) -> Iterator[WrittenFile]:
    if isinstance(workers, Cluster):
        yield from _written_by_cluster(writer, tasks, workers)
        return
    if workers <= 1:
        for task in tasks:
            yield from writer.write(*task)
        return
    try:
        for files in in_processes(_write_task, writer, tasks, workers, ahead=2 * workers):
            yield from files
    except BrokenProcessPool:
        raise RenderError(
            f"{writer.folder}: a worker died (out of memory, stopped from outside, or the calling script has no "
            '`if __name__ == "__main__"`); the same request resumes here'
        ) from None


def _write_task(writer: Writer, task: tuple[int, list[Job]]) -> list[WrittenFile]:
    return list(writer.write(*task))


def _written_by_cluster(
    writer: Writer, tasks: Iterator[tuple[int, list[Job]]], cluster: Cluster
) -> Iterator[WrittenFile]:
    """Yield the files of all tasks in order. A task with a missing file is drawn in the cluster, and written here."""
    shared = writer, description(writer.request, writer.source)
    for is_there, group in groupby(tasks, key=lambda task: writer.has_written(*task)):
        if is_there:
            for task in group:
                yield from writer.write(*task)
            continue
        for files in cluster.in_order(_draw_task, shared, group):
            yield from (put_in_place(writer, sent) for sent in files)


def _draw_task(shared: tuple[Writer, dict[str, Any]], task: tuple[int, list[Job]]) -> list[SentFile]:
    writer, wanted = shared
    check_draws_alike(writer.request, writer.source, wanted)
    return write_apart(writer, task)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
