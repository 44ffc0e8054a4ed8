"""Renderings as the command line and `import harness` ask for them; `reference.rendering.render_split` makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import UsageError
from reference.files import write_atomically

if TYPE_CHECKING:
    from reference.training.datasets import Clips

FORMAT = "warehouse-harness/rendered-1"


def render(
    world: str, folder: str | Path, *, workers: int = 2, domains: str | None = None, paint_out: str | None = None,
    video: str | Path | None = None, video_start: str | None = None, home: Path | None = None, **asked: Any,
) -> dict[str, Any]:  # fmt: skip
    """Render and say what came of it. Lists are texts with commas; further options: reference.rendering.request."""
    from harness.progress import counter
    from reference.rendering.recordings import moment_ms
    from reference.rendering.render_split import render as make
    from reference.rendering.request import Request

    request = Request(
        world=str(world), domains=_listed(domains), paint_out=_listed(paint_out),
        video=None if video is None else str(video),
        video_start_ms=None if video_start is None else moment_ms(video_start), **asked,
    )  # fmt: skip
    with counter(f"{request.world} / {request.split}") as report:
        made = make(request, folder, workers=workers, progress=report, home=home)
    return {
        "format": FORMAT, "world": request.world, "split": request.split, "form": request.form, "folder": str(folder),
        "clips": made.clips, "rendered": made.rendered, "left_out": made.left_out, "bytes": made.bytes,
        "scored": request.scored, "whole": request.scored and not (request.limit or request.domains or made.left_out),
        "list": str(Path(folder) / "clips.jsonl"),
        "truth": str(Path(folder) / "truth.jsonl") if (Path(folder) / "truth.jsonl").exists() else None,
    }  # fmt: skip


def preview(
    world: str, path: Path | None, *, split: str = "train", clips: Sequence[str] = (), count: int = 6,
    blind: bool = False, size: int = 168, home: Path | None = None,
) -> Path:  # fmt: skip
    """Write a contact sheet as PNG; returns where it is. A sealed split shows no truth."""
    from reference.home import cache_home
    from reference.process.world import load_world
    from reference.truth.imported import find
    from reference.truth.sealed import registered

    seal = registered(world, cache_home(home))
    if find(world, cache_home(home)) is not None:
        raise UsageError(f"{world} was imported, its pictures are a recording: harness world render {world} --video")
    try:
        from reference.drawing.contact_sheet import contact_sheet
    except ModuleNotFoundError as error:
        raise UsageError(f"drawing needs {error.name}: pip install 'warehouse-harness[video]'") from None
    found = seal.world() if seal else load_world(world)
    path = path or Path(f"{found.name}-{split}.png")
    sheet = contact_sheet(found, split, list(clips) or count, blind=blind or seal is not None, size=size)
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))
    return path


def probe(frames: Path, path: str | Path, *, split: str = "test", seed: int = 0) -> int:
    """Train the probe on the rendering `frames/train`, answer the one in `frames/SPLIT`; returns the number of lines.

    Raises UsageError where a rendering is missing, or scikit-learn is.
    """
    from harness.baselines import write_lines

    learned, asked = (_Rendering.at(frames / name) for name in ("train", split))
    truths = {row["clip_id"]: row for row in _json_lines(frames / "train" / "truth.jsonl")}
    try:
        from harness.probe import train

        made = train(learned.frames(), [truths[clip_id] for clip_id in learned.names], learned.indices, seed)
    except ModuleNotFoundError as error:
        raise UsageError(f"the probe needs {error.name}: pip install 'warehouse-harness[video]'") from None
    return write_lines(path, made.predict(asked.frames(), asked.indices).lines(asked.names))


class _Rendering(NamedTuple):
    """What lies in a rendered folder, in the order of its clips.jsonl; pictures are read one clip at a time."""

    clips: Clips
    names: list[str]
    indices: list[list[int]]

    @classmethod
    def at(cls, folder: Path) -> _Rendering:
        from reference.training.datasets import Clips

        if not (folder / "index.json").is_file():
            command = f"harness world render -o {folder} --split {folder.name}"
            raise UsageError(f"{folder}: holds no whole rendering; {command}")
        rows = _json_lines(folder / "clips.jsonl")
        return cls(Clips(folder, trusted=True), [row["clip_id"] for row in rows], [row["indices"] for row in rows])

    def frames(self) -> Iterator[Any]:
        return (self.clips[place]["frames"] for place in range(len(self.names)))


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


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
