"""Proof of the ladder: a thousand equally good files gain at most half a standard error on a sealed split.

No cap counts here, since the attack is on the decision. Each attack is repeated; a row says what it gains on average,
beside what it gains where two standard errors are all that is asked. Then some dozen files go through `harness.score`,
which must decide as the function does.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np

import harness
from harness.baselines.write import answers
from harness.rules import AA40
from harness.sealed import ladder
from harness.worlds import sealing
from reference.task import OPERATIONS
from reference.truth.store import open_truth
from tests.proof.table import Row, main, row, tries
from tests.proof.tally import Tally
from tests.support import hand, ladder_attack

PART = "ladder_attack"
FILES, REPEATS, MOST_GAIN = 1000, 30, 0.5
ROUNDED = 0.00051
THROUGH = 40
"""Files that go through `harness.score`."""


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each attack, and one for the files that were scored."""
    repeats = tries(REPEATS, scale)
    rows = []
    for what, choice in ladder_attack.strategies():
        found = [ladder_attack.attack(choice, seed + k, FILES) for k in range(repeats)]
        alone = [
            ladder_attack.attack(choice, seed + k, FILES, ladder_attack.two_errors_alone).gain
            for k in range(min(repeats, 10))
        ]
        gain = float(np.mean([outcome.gain for outcome in found]))
        text = f"luck of {what}: {gain:.2f} standard errors, by two errors alone {np.mean(alone):.2f}"
        rows.append(row(text, tried=FILES * repeats, disagreements=int(gain > MOST_GAIN)))
    return [*rows, scored(seed, tries(THROUGH, scale))]


def scored(seed: int, files: int) -> Row:
    """Score files of a small sealed split for an entrant, and compare each answer with the function's decision."""
    tally = Tally(PART, "files of an attack through harness.score")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = small_sealed(folder)
        for file, (moved, score) in enumerate(agreement(folder, world, seed, files)):
            with tally.one(str(file)):
                if moved[0] != moved[1]:
                    tally.differs(str(file), f"the function says {moved[0]}, the score {moved[1]}")
                if abs(score[0] - score[1]) > ROUNDED:
                    tally.differs(str(file), f"{score[1]} is shown and {score[0]} stands")
    return tally.row()


def small_sealed(folder: Path) -> str:
    """Seal ten sessions of eight clips, list one entrant without a cap that counts, and return the split's name."""
    (folder / "tiny.toml").write_text(hand.tiny_world(sessions=10, clips=8))
    sealing.seal(str(folder / "tiny.toml"), folder / "out", folder / "secret.json", home=folder, workers=1, size=16)
    (folder / "entrants.toml").write_text("[climber]\nattempts_per_day = 100000\n")
    return "tiny-sealed"


def agreement(folder: Path, world: str, seed: int, files: int):
    """Yield of each file whether it moved, as the function and as the score says, and both scores that stand.

    The sums are counted here, from the true lines, without the harness's SQL.
    """
    draw = random.Random(seed)
    with open_truth(world, "test", home=folder) as truth:
        lines = list(answers(truth, "truth-copy"))
        session_of = dict(truth.connection.execute("SELECT clip_id, session_index FROM truth.clips").fetchall())
    session = [session_of[line["clip_id"]] for line in lines]
    weight, standing, compared = AA40.integers(), None, 0
    clips = np.bincount(session) * sum(weight)
    current = [spoiled(line, 0.5, draw) for line in lines]
    for file in range(files):
        share = 0.5 / (1 + file)  # becomes better, so that some files move
        new = [
            spoiled(line, share, draw) if draw.random() < 0.5 else old for line, old in zip(lines, current, strict=True)
        ]
        points = [
            weight[0] * (mine["dominant_operation"] == true["dominant_operation"])
            + weight[1] * (mine["temporal_segment"] == true["temporal_segment"])
            + weight[2] * (mine["next_operation"] == true["next_operation"])
            for mine, true in zip(new, lines, strict=True)
        ]
        sums = np.bincount(session, points).astype(np.int64)
        moved = standing is None or ladder.is_better(sums, standing, clips, compared)
        compared = 0 if moved else compared + 1
        standing = sums if moved else standing
        current = new if moved else current
        path = hand.write(folder / "file.jsonl", new)
        record = harness.score(path, world=world, home=folder, entrant="climber").record
        stands = float(standing.sum() / clips.sum())
        yield (moved, record["moved"]), (stands, record["metrics"]["score"]["value"])


def spoiled(line: dict, share: float, draw: random.Random) -> dict:
    """Return a true line, with a wrong answer in each field by chance; a wrong segment is one frame long."""
    wrong = dict(line)
    for field in ("dominant_operation", "next_operation"):
        if draw.random() < share:
            others = [label for label in OPERATIONS if label not in (line[field], "Unknown")]
            wrong[field] = draw.choice(others)
    if draw.random() < share:
        start = line["temporal_segment"]["start_frame"]
        wrong["temporal_segment"] = {"start_frame": start, "end_frame": start + 1}
    return wrong


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
