"""Answers about clips of the user's own, which are no entry, because nothing is known that could judge them.

`answers.json` stands in the card's place, and commands that score say so (`refuse_own_answers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.cards import ANSWERS, ANSWERS_PAGE, CARD, CLIP_MAP, PREDICTIONS, TRAINING
from harness.errors import UsageError
from reference.files import sha256, write_atomically, write_json
from reference.outside_files import read_json
from reference.task import DEFAULT_WORLD

ANSWERS_FORMAT = "warehouse-harness/answers-1"


def write_own_answers(
    folder: Path,
    facts: Mapping[str, Any],
    write: Callable[[Path], object],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write answers about own clips: predictions by calling `write` with a path, training record, answers.json.

    Each appears whole or not at all, answers.json last. What makes an entry of the folder is removed.
    """
    for name in (CARD, CLIP_MAP, ANSWERS_PAGE, *([] if training else [TRAINING])):
        (folder / name).unlink(missing_ok=True)
    write_atomically(folder / PREDICTIONS, write)
    if training is not None:
        write_json(folder / TRAINING, dict(training))
    digest = sha256(folder / PREDICTIONS)
    write_json(folder / ANSWERS, {"format": ANSWERS_FORMAT, **facts, "predictions_sha256": digest})


def own_answers(folder: Path) -> dict[str, Any] | None:
    """Return what answers.json in a folder says; None where there is none, and where a card makes an entry of it."""
    if (folder / CARD).exists() or not (folder / ANSWERS).is_file():
        return None
    facts = read_json(folder / ANSWERS, UsageError)
    if not isinstance(facts, dict) or facts.get("format") != ANSWERS_FORMAT:
        raise UsageError(f"{folder / ANSWERS}: does not say what was asked, as harness predict --clips writes it")
    return facts


def refuse_own_answers(path: Path, world: str, split: str) -> None:
    """Raise UsageError for answers about own clips that the default world, which has no such clips, is to judge.

    Another world may be their truth, imported since; and the clips of a rendering have one where they were drawn.
    """
    folder = path if path.is_dir() else path.parent
    if world != DEFAULT_WORLD or (path != folder and path.name != PREDICTIONS):
        return
    facts = own_answers(folder)
    if facts is not None and facts.get("rendering") != [world, split]:
        raise UsageError(
            f"{path}: answers about clips without a truth (harness predict --clips), so there is nothing to judge them "
            f"by; {folder / ANSWERS_PAGE} shows them. Once their truth is a world (harness world import), --world NAME "
            "judges them"
        )
