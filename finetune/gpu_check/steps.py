"""Table of the check's steps, and the aims that its numbers are held against."""

from __future__ import annotations

from typing import NamedTuple

from finetune.base_models import BASES

SECONDS = 480
"""Of the whole check: what has not begun by then is not run."""
CAP_GIB = 14.7
"""Memory of the card that a step may use: what torch can allocate on a T4."""


class Step(NamedTuple):
    """A step: a process that runs `function` of a module of this room and says its numbers as they are known."""

    name: str
    function: str  # MODULE:NAME
    limit_s: int
    needs: tuple[str, ...] = ()  # steps without whose results it cannot run
    argument: str = ""


MAIN, *OTHERS = BASES
PREPARED = ("base", "frames")
GROUPS: tuple[tuple[Step, ...], ...] = (
    (
        Step("base", "random_base:make_main", 60),
        Step("other bases", "random_base:make_others", 120),
        Step("frames", "setup:draw_frames", 90),
    ),
    (Step("passes", "passes:measure_passes", 120, PREPARED),),
    (Step("loop", "training:measure_loop", 120, PREPARED),),
    (Step("asking fp16", "asking:measure_answers", 75, ("passes",), "fp16"),),
    (Step("asking 4bit", "asking:measure_answers", 75, ("passes",), "4bit"),),
    (
        Step("resume", "training:survive_kill", 150, PREPARED),
        Step("out of memory", "training:lower_batch", 120, PREPARED),
        Step("plan", "plans:plan_figures", 120),
        *(Step(f"base {kind}", "training:train_other", 120, ("other bases", "frames"), kind) for kind in OTHERS),
    ),
)
"""Steps of a group run at the same time where the card has room for all; a step that is timed is a group of its own."""

WALL, KERNELS = "wall, s a clip", "kernels, s a clip"
COMPUTED, KEPT = "update, s a clip", "update with kept vision, s a clip"
ONE, SIXTEEN = "batch 1, median s", "batch 16, s a clip"
AIMS = {
    ("loop", COMPUTED): 0.12,
    ("loop", KEPT): 0.08,
    ("asking fp16", ONE): 0.45,
    ("asking fp16", SIXTEEN): 0.05,
}
"""At most so many seconds on an H100, in fp16 under CAP_GIB."""


def pass_name(batch: int, t4_kernels: bool) -> str:
    """Return the row of a pass: its batch, and whether it runs on the attention kernels of a T4."""
    return f"pass of {batch}{', T4 kernels' * t4_kernels}"
