"""Renderings as the command line and `import harness` ask for them; `reference.rendering.render_split` makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from reference.files import write_atomically
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/rendered-1"


def render(
    world: str,
    folder: str | Path,
    *,
    workers: int = 2,
    domains: str | None = None,
    paint_out: str | None = None,
    video: str | Path | None = None,
    video_start: str | None = None,
    home: Path | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Render and say what came of it. Lists are texts with commas; further options: reference.rendering.request."""
    from harness.progress import counter
    from reference.rendering.recordings import moment_ms
    from reference.rendering.render_split import render as make
    from reference.rendering.request import Request

    request = Request(
        world=str(world),
        domains=_listed(domains),
        paint_out=_listed(paint_out),
        video=None if video is None else str(video),
        video_start_ms=None if video_start is None else moment_ms(video_start),
        **asked,
    )
    with counter(f"{request.world} / {request.split}") as report:
        made = make(request, folder, workers=workers, progress=report, home=home)
    return {
        "format": FORMAT,
        "world": request.world,
        "split": request.split,
        "form": request.form,
        "folder": str(folder),
        "clips": made.clips,
        "rendered": made.rendered,
        "left_out": made.left_out,
        "bytes": made.bytes,
        "scored": request.scored,
        "whole": request.scored and not (request.limit or request.domains or made.left_out),
        "list": str(Path(folder) / "clips.jsonl"),
        "truth": str(Path(folder) / "truth.jsonl") if (Path(folder) / "truth.jsonl").exists() else None,
    }


def preview(
    world: str,
    path: Path | None,
    *,
    split: str = "train",
    clips: Sequence[str] = (),
    count: int = 6,
    blind: bool = False,
    size: int = 168,
    home: Path | None = None,
) -> Path:
    """Write a contact sheet as PNG; returns where it is. A sealed split shows no truth."""
    origin = locate(world, home)
    if origin.process is None:
        raise UsageError(f"{world} was imported, its pictures are a recording: harness world render {world} --video")
    try:
        from reference.drawing.contact_sheet import contact_sheet
    except ModuleNotFoundError as error:
        raise UsageError(f"drawing needs {error.name}: pip install 'warehouse-harness[video]'") from None
    path = path or Path(f"{origin.process.name}-{split}.png")
    blind = blind or origin.seal is not None
    sheet = contact_sheet(origin.process, split, list(clips) or count, blind=blind, size=size)
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return path


def told(made: dict[str, Any]) -> list[str]:
    """The same for a reader: what is where, and what to do next."""
    here = made["clips"] - made["rendered"]
    lines = [
        f"{made['world']} / {made['split']}: {made['clips']:,} clips as {made['form']}, {made['bytes'] / 1e6:,.1f} MB"
        + (f" ({here:,} were there already)" if here else ""),
        f"  {made['list']}: clip id, paths, frame indices and times, prompt; a line a clip",
    ]
    if made["left_out"]:
        lines.append(f"  {made['left_out']:,} clips lie outside the video and were left out")
    if made["truth"]:
        lines.append(f"  {made['truth']}: what to learn from them")
    elif made["whole"]:
        lines.append("Next: answer each line with your model, one JSON object a line with its clip_id, and judge it:")
        lines.append(f"  harness score predictions.jsonl --world {made['world']} --split {made['split']}")
    elif made["scored"]:
        lines.append("  a part of the split: a score counts the clips that have no answer as wrong")
    else:
        lines.append("  not as the split is judged: every line is marked, use it for comparisons")
    return lines


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
