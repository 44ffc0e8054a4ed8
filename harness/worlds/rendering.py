"""Renderings for the command line and `import harness`; `reference.rendering.render_split` makes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.formatting import plural
from harness.progress import counter, span
from reference.extras import needs
from reference.files import write_atomically
from reference.pools.on_ray import Cluster, joined
from reference.rendering import render_split
from reference.rendering.estimate import Estimate
from reference.rendering.lists import TRUTH
from reference.rendering.recordings import moment_ms
from reference.rendering.request import Request
from reference.shard import Shard
from reference.task import DEFAULT_SPLIT
from reference.truth.catalog import locate
from reference.truth.sealed import CLIPS

FORMAT = "warehouse-harness/rendered-1"
PROCESSES = 2
"""Processes that draw, where the user names no number."""


def _on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def render(
    world: str,
    folder: str | Path,
    *,
    workers: int | None = None,
    on: str | None = None,
    home: Path | None = None,
    say: Callable[[str], object] = _on_stderr,
    **choices: Any,
) -> dict[str, Any]:
    """Render a split into `folder`, or resume there; return one object about the rendering.

    `workers`: processes that draw, by default 2; with `on`, a cluster of Ray (`ray`, `ray:ADDRESS`, `ray://HOST:PORT`),
    tasks at once there, by default as many as it has processors.
    `say` gets a sentence about what a long rendering is going to take, by default on stderr.
    `choices`: fields of `reference.rendering.request.Request`; `domains` and `paint_out` are lists, or texts with
    commas, `shard` is a text such as "3/8" or "env". `video`, `video_start` (the time of a recording's first frame as a
    text) and `session` are one value, or for several recordings lists in the same order.
    """
    request = _request(str(world), **choices)
    with _workers(workers, on) as (there, number), counter(f"{request.world} / {request.split}") as report:
        done = render_split.render(
            request,
            folder,
            workers=there,
            progress=report,
            home=home,
            announce=lambda planned, free: say(
                announcement(request, number, planned, free, processors=number if on else None)
            ),
        )
    truth = Path(folder) / TRUTH
    return {
        "format": FORMAT,
        "world": request.world,
        "split": request.split,
        "form": request.form,
        "folder": str(folder),
        "clips": done.clips,
        "rendered": done.rendered,
        "left_out": done.left_out,
        "bytes": done.bytes,
        "scored": request.scored,
        "whole": request.scored and not (request.limit or request.domains or request.shard or done.left_out),
        "shard": request.shard,
        "list": str(Path(folder) / CLIPS),
        "truth": str(truth) if truth.exists() else None,
    }


@contextmanager
def _workers(workers: int | None, on: str | None) -> Iterator[tuple[int | Cluster, int]]:
    """Yield the workers that draw, and how many they are."""
    if on is None:
        yield workers or PROCESSES, workers or PROCESSES
        return
    with joined(on, workers) as cluster:
        yield cluster, cluster.tasks


def preview(
    world: str,
    path: Path | None,
    *,
    split: str = DEFAULT_SPLIT,
    clips: Sequence[str] | int = 6,
    blind: bool = False,
    size: int = 168,
    home: Path | None = None,
) -> Path:
    """Write a contact sheet as PNG, by default WORLD-SPLIT.png; return its path. A sealed split shows no truth.

    `clips`: ids, or how many, spread evenly; `size`: side of a frame in pixels. Raises UsageError for an imported
    world.
    """
    origin = locate(world, home)
    if origin.published is not None and origin.withheld:
        raise UsageError(f"{origin.name} is sealed: its pictures lie in {origin.published.folder}")
    if origin.process is None:
        raise UsageError(
            f"{world} was imported, so there is nothing to draw: its pictures are in its recording, and "
            f"`harness world render {world} -o DIR --video FILE` cuts them out"
        )
    path = path or Path(f"{origin.process.name}-{split}.png")
    chosen = clips if isinstance(clips, int) else list(clips)
    blind = blind or origin.seal is not None
    try:
        from reference.drawing.contact_sheet import contact_sheet

        sheet = contact_sheet(origin.process, split, chosen, blind=blind, size=size)
    except ImportError as error:
        raise UsageError(needs("drawing", error)) from None
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return path


def announcement(request: Request, workers: int, planned: Estimate, free: int, processors: int | None = None) -> str:
    """Return one sentence about what a rendering is going to take: clips, files, size, time, free room.

    `processors`: where the workers run, by default those of this machine.
    """
    files = f", {planned.pictures:,} pictures of {request.size} x {request.size}" if planned.pictures else ""
    room, time = _bytes(free), span(planned.seconds / max(1, min(workers, processors or os.cpu_count() or 1)))
    return (
        f"{request.world} / {request.split}: {planned.clips:,} clips as {request.form}{files}: about "
        f"{_bytes(planned.bytes)} and {time} with {plural(workers, 'worker')}, judged by {planned.sampled} of the "
        f"clips; {room} are free there"
    )


def _bytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def summary_lines(rendering: dict[str, Any]) -> list[str]:
    """Summary lines for the terminal: the files that `render` wrote, and what to do next with them."""
    world, split = rendering["world"], rendering["split"]
    clips, here = plural(rendering["clips"], "clip"), rendering["clips"] - rendering["rendered"]
    part = f", {Shard.of(rendering['shard']).words}" if rendering["shard"] else ""
    lines = [
        f"{world} / {split}{part}: {clips} as {rendering['form']}, {rendering['bytes'] / 1e6:,.1f} MB"
        + (f" ({here:,} {'was' if here == 1 else 'were'} there already)" if here else ""),
        f"  {rendering['list']}: clip id, paths, frame indices and times, prompt; a line a clip",
    ]
    if rendering["left_out"]:
        why = "they lie outside the video" if rendering["scored"] else "drawn so they would show what is hidden in them"
        lines.append(f"  left out, because {why}: {plural(rendering['left_out'], 'clip')}")
    if rendering["shard"]:
        lines.append("  a part of the rendering: harness merge DIR... -o DIR joins the shards once all are there")
    elif rendering["truth"]:
        lines.append(f"  {rendering['truth']}: their truth, to learn from")
    elif rendering["whole"]:
        lines.append("Next: answer each line with your model, one JSON object a line with its clip_id, and score them:")
        lines.append(f"  harness score predictions.jsonl --world {world} --split {split}")
    elif rendering["scored"]:
        lines.append("  a part of the split: a score counts the clips that have no answer as wrong")
    else:
        lines.append("  not as the split is judged: every line is marked, use it for comparisons")
    return lines


def _request(
    world: str,
    domains: str | Iterable[str] | None = None,
    paint_out: str | Iterable[str] | None = None,
    video: str | Path | Sequence[str | Path] | None = None,
    video_start: str | Sequence[str] | None = None,
    session: str | Sequence[str] | None = None,
    shard: str | None = None,
    **choices: Any,
) -> Request:
    """Return the request, its lists, paths and times read from texts."""
    return Request(
        world=world,
        domains=_names(domains, "domains"),
        paint_out=_names(paint_out, "paint_out"),
        video=_each(str, video),
        video_start_ms=_each(lambda moment: moment_ms(str(moment)), video_start),
        session=_each(str, session),
        shard=None if shard is None else str(Shard.of(str(shard))),
        **choices,
    )


def _names(names: str | Iterable[str] | None, what: str) -> tuple[str, ...]:
    """Return the names in a text with commas, or in a list of texts. Raises UsageError for anything else."""
    parts = names.split(",") if isinstance(names, str) else list(names or ())
    if not all(isinstance(part, str) for part in parts):
        raise UsageError(f"{what}: expected names in a list or in a text with commas")
    return tuple(part.strip() for part in parts if part.strip())


def _each(read: Callable[[Any], Any], values: Any) -> Any:
    """Return a value as `read` returns it: None for none of it, a tuple for several."""
    if not isinstance(values, (list, tuple)):
        return None if values is None else read(values)
    found = tuple(read(value) for value in values)
    return found if len(found) > 1 else next(iter(found), None)
