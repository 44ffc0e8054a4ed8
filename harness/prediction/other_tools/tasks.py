"""Write the clips of a split as a task of Inspect AI or lmms-eval: pictures, questions and clip ids, never a truth.

    clips.jsonl              a line a clip: clip_id, frames (paths, in order), prompt
    frames/CLIP_ID/017.jpg   the frame with index 17, as the rendering has it
    warehouse.py             of Inspect AI: the task, which reads clips.jsonl
    warehouse.yaml utils.py  of lmms-eval: the same

A folder appears whole or not at all, and needs neither this package nor the rendering that its pictures come from.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from harness.prediction.choices import Choices
from harness.prediction.predictor import Wants
from harness.prediction.questions import Pictures, make_rendering, open_rendering
from reference.files import new_folder
from reference.outside_files import read_bytes
from reference.rendering.artifacts import frame_name
from reference.rendering.lists import path_inside
from reference.rendering.shards import KEY, MEMBER_BYTES
from reference.resources import text
from reference.truth.catalog import locate
from reference.truth.sealed import CLIPS


class Tool(NamedTuple):
    """Another evaluation tool: its name, the files of a task of it, how it is started on them, and where it logs."""

    name: str
    files: tuple[str, ...]
    command: str  # with {folder}
    log: str


TOOLS = {
    "inspect": Tool(
        "Inspect AI",
        ("warehouse.py",),
        "inspect eval {folder}/warehouse.py --model openai/NAME --no-log-images --log-dir logs",
        "logs/*.eval",
    ),
    "lmms-eval": Tool(
        "lmms-eval",
        ("warehouse.yaml", "utils.py"),
        "lmms-eval eval --model openai --model_args model=NAME --tasks warehouse "
        "--include_path {folder} --log_samples --output_path logs",
        "logs/*/*_samples_warehouse.jsonl",
    ),
}


class WrittenTask(NamedTuple):
    """Outcome of an export: the clips of the task, and those of the split, which a score expects answers for."""

    clips: int
    expected: int


def write_task(tool: str, folder: str | Path, **choices: Any) -> WrittenTask:
    """Write the clips of a split as a task of `tool`, one of TOOLS, into a new folder.

    `choices`: fields of Choices: world, split, frames (a rendering with pictures; without it the split is drawn into
    the cache, as `predict` draws it for an endpoint), workers, home, truth, say. Raises UsageError where the folder is
    not empty, and where the rendering does not show the split as it is judged.
    """
    folder, chosen = Path(folder), Choices.of(**choices)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is there already; choose another folder, or delete it")
    pictures, expected = _pictures(chosen)
    with new_folder(folder) as fresh:
        lines = [_written(pictures, clip_id, fresh) for clip_id in pictures.clips]
        (fresh / CLIPS).write_text("".join(lines), encoding="utf-8")
        for name in TOOLS[tool].files:
            (fresh / name).write_text(text(__package__, "templates", tool, f"{name}.txt"), encoding="utf-8")
    return WrittenTask(len(lines), expected)


def _pictures(choices: Choices) -> tuple[Pictures, int]:
    """Return the rendering that the user names, the published one of a sealed split, or one that is drawn.

    Also returns the number of clips of the split.
    """
    published = locate(choices.world, choices.home).published
    with choices.open() as truth:
        found = truth.connection.execute("SELECT clip_id FROM truth.clips ORDER BY clip_id").fetchall()
        known = tuple(clip_id for (clip_id,) in found)
        if folder := choices.frames or (published.folder if published else None):
            return open_rendering(folder, truth, known, None, choices), len(known)
        return make_rendering(truth, known, Wants(), choices).whole(), len(known)


def _written(pictures: Pictures, clip_id: str, folder: Path) -> str:
    """Copy the pictures of a clip into a folder; return its line of clips.jsonl. Raises UsageError for other files."""
    row = pictures.row(clip_id)
    if "frames" not in row:
        raise UsageError(f"{pictures.folder}: clip {clip_id} has no pictures of its own; render it with --as frames")
    if not KEY.fullmatch(clip_id):
        raise UsageError(f"clip id {clip_id!r} cannot name a folder: up to 80 of A-Z a-z 0-9 _ -")
    names = []
    for index, name in zip(row["indices"], row["frames"], strict=True):
        path = path_inside(pictures.folder, name)
        names.append(f"frames/{clip_id}/{frame_name(index, path.suffix[1:])}")
        copy = folder / names[-1]
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(read_bytes(path, UsageError, MEMBER_BYTES))
    return json.dumps({"clip_id": clip_id, "frames": names, "prompt": row["prompt"]}, ensure_ascii=False) + "\n"


def next_steps(tool: str, folder: Path, chosen: str) -> list[str]:
    """Return the lines that say what to do with a task: how the tool asks a model, and how its log is scored.

    `chosen`: the options of `harness score` that choose the split, each after a space.
    """
    of, here = TOOLS[tool], os.path.relpath(folder)  # Inspect takes no absolute path of a task
    return [
        f"Next: ask any model that {of.name} can call, and score the log that it writes:",
        f"  {of.command.format(folder=shlex.quote(here))}",
        f"  harness score {of.log}{chosen}",
    ]
