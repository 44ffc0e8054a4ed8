"""Shards merged beside one process, and shards and merges killed at random moments: `python -m tests.proof.shards`.

Three shards of a rendering are its files byte for byte. Three shards of a baseline about the whole default split, and
of a twin that has learned a little about validation clips, are its answers and its card, but for what a run measures.

Then a shard's command (`predict` of a slow model, `world render`), or `merge`, is ended by SIGKILL at a random moment
and run again. Nothing may be lost: what is merged in the end is what one process makes. Nothing may be repeated: no
clip is asked about again but those of the batch that was in flight. No merged folder may be there and not be whole, and
nothing temporary may be left. The table counts lost, repeated and other answers as disagreements, half a folder and
temporary files as torn.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import harness
from finetune.train import train
from harness.cards import PREDICTIONS, read_card
from tests.proof.table import Row, main, tries
from tests.proof.tally import Tally
from tests.support import ROOT, hand
from tests.support.finetune_material import TWIN, placed, renderings

PART = "shards"
TOTAL, CLIPS, KILLS, WORKERS, BATCH = 3, 240, 20, 2, 2
MEASURED = ("latency_ms", "wall_s", "predictions_sha256", "command", "name")
EARLIEST, LATEST = 0.2, 1.05
"""Moment of a kill as a share of the time that the command takes undisturbed."""
MODEL = """\
import json, time
from pathlib import Path

def answer(questions):
    with Path("asked.txt").open("a") as file:
        file.write("".join(question.clip_id + "\\n" for question in questions))
    time.sleep(0.1)
    segment = {"start_frame": 3, "end_frame": 90}
    one = {"dominant_operation": "Tape", "temporal_segment": segment, "next_operation": "Wrap"}
    return [json.dumps(one) for _ in questions]
"""


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each comparison, and one for each command that is killed."""
    with tempfile.TemporaryDirectory() as folder:
        work, clips = Path(folder), tries(CLIPS, scale)
        compared = [
            pictures(work / "pictures", clips),
            baseline(work / "baseline"),
            twin(work / "twin", max(clips, 48), seed),
        ]
        return [*compared, *killed(work / "killed", seed, tries(KILLS, scale))]


def pictures(work: Path, clips: int) -> Row:
    """Compare the files of renderings: frames to judge on, and tar files to learn from."""
    tally = Tally(PART, "files of renderings, three shards merged")
    for form, split in (("frames", "test"), ("shards", "train")):
        choices: dict[str, Any] = {"split": split, "form": form, "limit": max(clips, 130), "workers": WORKERS}
        harness.render("warehouse-v2", work / form / "one", **choices)
        for shard, folder in _shards(work / form):
            harness.render("warehouse-v2", folder, shard=shard, **choices)
        harness.merge(*(folder for _, folder in _shards(work / form)), output=work / form / "merged")
        one, merged = (_tree(work / form / name) for name in ("one", "merged"))
        for name in one.keys() | merged.keys():
            tally.tried += 1
            if one.get(name) != merged.get(name):
                tally.differs(name, "is another file, or missing")
    return tally.row()


def baseline(work: Path) -> Row:
    """Compare the answers of a baseline that draws numbers, about every clip of the default split."""
    tally = Tally(PART, "answers of a baseline, three shards merged")
    _ask_both(tally, "baseline:random", work, options={"seed": "7"})
    return tally.row()


def twin(work: Path, clips: int, seed: int) -> Row:
    """Compare the answers of a twin that has learned a little."""
    tally = Tally(PART, "answers of a twin, three shards merged")
    frames = renderings(work / "frames", train=2 * clips, validation=clips)
    config = placed(TWIN, frames, steps=clips // 4, lr=2e-3, seed=seed, threads=1, checkpoint_every=1000)
    train(config, work / "run")
    _ask_both(tally, f"finetune:{work / 'run'}", work, split="validation", frames=frames, limit=clips)
    return tally.row()


def _ask_both(tally: Tally, model: str, work: Path, **choices: Any) -> None:
    harness.predict(model, work / "one" / "mine", **choices)
    for shard, folder in _shards(work):
        harness.predict(model, folder, shard=shard, **choices)
    harness.merge(*(folder for _, folder in _shards(work)), output=work / "merged" / "mine")
    one, merged = (work / name / "mine" for name in ("one", "merged"))
    for line, other in zip(_lines(one), _lines(merged), strict=True):
        tally.tried += 1
        if line != other:
            tally.differs(line["clip_id"], f"{line}, merged {other}")
    if _card(one) != _card(merged):
        tally.differs("card", f"{_card(one)}, merged {_card(merged)}")


def _shards(work: Path) -> list[tuple[str, Path]]:
    return [(f"{number}/{TOTAL}", work / "shards" / str(number)) for number in range(1, TOTAL + 1)]


def _lines(folder: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / PREDICTIONS).read_text(encoding="utf-8").splitlines())
    return [{name: value for name, value in line.items() if name not in MEASURED} for line in lines]


def _card(folder: Path) -> dict[str, Any]:
    card = vars(read_card(folder))
    run = {name: value for name, value in card["run"].items() if name not in MEASURED}
    return {name: value for name, value in card.items() if name not in MEASURED} | {"run": run}


def _tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# Kills

MINE = ("--model", "python:slow:answer", "--option", f"batch={BATCH}", "--world", "tiny.toml", "--no-score")
DRAWN = ("tiny.toml", "--size", "64", "--workers", "1")
STAGES = {
    "predict": ("predict", *MINE, "--shard", "2/3", "-o", "answers/2"),
    "render": ("world", "render", *DRAWN, "--shard", "2/3", "-o", "drawn/2"),
    "merge of answers": ("merge", "answers/1", "answers/2", "answers/3", "-o", "mine"),
    "merge of pictures": ("merge", "drawn/1", "drawn/2", "drawn/3", "-o", "test"),
}
"""Commands that are killed; a shard's are followed by the merge of its kind."""


def killed(work: Path, seed: int, count: int) -> Iterator[Row]:
    """Yield a row for each command, killed at its part of `count` random moments."""
    template = _template(work / "template")
    took = {name: _undisturbed(name, template, work) for name in STAGES}
    draw, tallies = random.Random(seed), {name: Tally(PART, f"kills of {name} in shards") for name in STAGES}
    names = [list(STAGES)[number % len(STAGES)] for number in range(count)]
    moments = [draw.uniform(EARLIEST, LATEST) * took[name] for name in names]

    def one(number: int) -> None:
        _kill(tallies[names[number]], names[number], shutil.copytree(template, work / str(number)), moments[number])

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, range(count)))
    yield from (tally.row() for name, tally in tallies.items() if name in names)


def _template(folder: Path) -> Path:
    """Fill a folder with one process's answers and pictures, and with all shards."""
    folder.mkdir(parents=True)
    (folder / "tiny.toml").write_text(hand.tiny_world(), encoding="utf-8")
    (folder / "slow.py").write_text(MODEL, encoding="utf-8")
    commands = [("predict", *MINE, "-o", "one/mine"), ("world", "render", *DRAWN, "-o", "one/test")]
    for number in range(1, TOTAL + 1):
        shard = ("--shard", f"{number}/{TOTAL}", "-o")
        commands.append(("predict", *MINE, *shard, f"answers/{number}"))
        commands.append(("world", "render", *DRAWN, *shard, f"drawn/{number}"))
    for words in commands:
        process = _start(words, folder)
        said = process.communicate()[0]
        if process.returncode:
            raise RuntimeError(f"{words} ends with {process.returncode}: {said}")
    (folder / "asked.txt").unlink()
    return folder


def _start(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"HARNESS_HOME": "home", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _finish(words: Sequence[str], folder: Path) -> str:
    """Run a command to its end; return what is wrong with it, "" where nothing is."""
    process = _start(words, folder)
    said = process.communicate()[0]
    is_whole = (process.returncode == 2 and "holds something already" in said) or "holds an entry already" in said
    return "" if process.returncode == 0 or is_whole else f"ends with {process.returncode}: {said[-1000:]}"


def _made(name: str, folder: Path) -> Path:
    """Return the folder that a command makes; for a shard's it is removed, so that the command begins."""
    made = folder / STAGES[name][-1]
    shutil.rmtree(made, ignore_errors=True)
    return made


def _undisturbed(name: str, template: Path, work: Path) -> float:
    """Return the seconds that a command takes."""
    folder = shutil.copytree(template, work / f"whole {name}")
    _made(name, folder)
    begun = time.monotonic()
    if fault := _finish(STAGES[name], folder):
        raise RuntimeError(f"{name} {fault}")
    return time.monotonic() - begun


def _kill(tally: Tally, name: str, folder: Path, moment: float) -> None:
    """Kill a command `moment` seconds after its start, look, run it again, merge and compare."""
    tally.tried += 1
    made, is_merge = _made(name, folder), name.startswith("merge")
    process = _start(STAGES[name], folder)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    if is_merge and made.exists() and (fault := _difference(made, folder)):
        tally.tears(name, f"after the kill {fault}")
    asked = Counter(_asked(folder))
    kind = "answers" if "answers" in name or name == "predict" else "pictures"
    for words in dict.fromkeys((STAGES[name], STAGES[f"merge of {kind}"])):
        if fault := _finish(words, folder):
            tally.fails(name, fault)
            return
    if fault := _difference(folder / STAGES[f"merge of {kind}"][-1], folder):
        tally.differs(name, fault)
    again = Counter(_asked(folder)) - asked
    repeated = sum((again & asked).values())
    if repeated > BATCH:
        tally.differs(name, f"{repeated} clips are asked about again, the batch in flight has {BATCH}")
    if left := [path.name for path in folder.rglob("*") if path.name.startswith((".new-", ".partial"))]:
        tally.tears(name, f"{', '.join(left)} left")
    shutil.rmtree(folder)


def _asked(folder: Path) -> list[str]:
    path = folder / "asked.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def _difference(made: Path, folder: Path) -> str:
    """Return in what a merged folder is not what one process made, "" where it is."""
    one = folder / "one" / made.name
    if made.name == "test":
        return "" if _tree(made) == _tree(one) else "files differ from those of one process"
    if not (made / "card.toml").exists():
        return "the card is missing"
    return "" if (_lines(made), _card(made)) == (_lines(one), _card(one)) else "answers differ from one process's"


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
