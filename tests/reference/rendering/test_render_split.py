"""Renderings: what a model sees and what it must not, the same bytes however they come about, and real recordings.

Pictures are a stand-in's where only their way is tested: `paint` draws the clip's seed, frame and domain as numbers.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")
import av

from reference.errors import HarnessError, RenderError
from reference.process.split import build_split, session_states
from reference.process.world import load_world
from reference.rendering import sources
from reference.rendering.artifacts import image_bytes, image_pixels
from reference.rendering.prompt import task_prompt
from reference.rendering.recordings import moment_ms
from reference.rendering.render_split import render, source_of
from reference.rendering.request import Request
from reference.rendering.sources import Scenes
from reference.task import OPERATIONS
from reference.truth.imported import import_world
from reference.video.decoders import shown_seconds
from reference.video.encode import write_video
from reference.video.instants import letterbox, pictures_at

SMALL = 64
FORMS = ("frames", "video", "shards")


def paint(world, state, seed, indices, size, paint_out=()) -> np.ndarray:
    """Ground by seed, a square where the frame index says, a bar for the domain."""
    frames = np.full((len(indices), size, size, 3), 40 + seed % 100, np.uint8)
    for frame, index in zip(frames, indices, strict=True):
        at = index * (size - size // 4) // 124
        frame[at : at + size // 4, at : at + size // 4] = (220, 60, 30)
        frame[: size // 8] = 255 if state.domain == "lens" else 0
    return frames


def small(**changes) -> Request:
    return Request(**{"size": SMALL, "limit": 12, **changes})


def rows(folder: Path, name: str = "clips.jsonl") -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def tree(folder: Path) -> dict[str, str]:
    """Every file with its digest; hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def sessions_are_made_once():
    """Keep the sessions of a split from one rendering to the next: making them takes longer than plain pictures."""
    made: dict[tuple, list] = {}

    def kept(world, split, index, as_domain=None, chosen=None):
        key = world.digest, world.key, split, index, as_domain
        whole = made.get(key) or made.setdefault(key, list(session_states(world, split, index, as_domain)))
        return whole if chosen is None else [each for each in whole if each[0].clip_id in chosen]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "session_states", kept)
        yield


@pytest.fixture(scope="module")
def test_clips() -> list:
    return list(build_split(load_world("warehouse-v2"), "test"))


@pytest.mark.parametrize("form", FORMS)
def test_the_lists_of_a_test_split(test_clips, tmp_path, form):
    made = render(small(form=form), tmp_path / "out", draw=paint)
    listed = rows(tmp_path / "out")
    ids = [row["clip_id"] for row in listed]
    assert (made.clips, made.rendered, len(ids)) == (12, 12, 12)
    assert ids == sorted(clip.clip_id for clip in test_clips)[:12], "by clip id, which tells nothing of when"
    paths = {"frames": {"frames"}, "video": {"video"}, "shards": {"shard"}}[form]
    assert all(set(row) == {"clip_id", "indices", "times_s", "prompt"} | paths for row in listed)
    assert listed[0]["indices"] == [0, 17, 35, 53, 70, 88, 106, 124]
    assert listed[0]["times_s"] == [0.0, 0.68, 1.4, 2.12, 2.8, 3.52, 4.24, 4.96]
    assert len({row["prompt"] for row in listed}) == 1, "it depends on the frames shown and nothing else"
    assert not (tmp_path / "out" / "truth.jsonl").exists()


@pytest.mark.parametrize("form", FORMS)
def test_train_comes_with_its_truth_by_session(tmp_path, form):
    render(small(form=form, split="train", limit=45), tmp_path / "out", draw=paint)
    world = load_world("warehouse-v2")
    expected = [clip for index in range(3) for clip, _ in session_states(world, "train", index)][:45]
    listed, truth = rows(tmp_path / "out"), rows(tmp_path / "out", "truth.jsonl")
    ids = [clip.clip_id for clip in expected]
    assert [row["clip_id"] for row in listed] == [row["clip_id"] for row in truth] == ids
    assert [(row["dominant_operation"], row["next_operation"], row["session"]) for row in truth] == [
        (clip.dominant_operation, clip.next_operation, clip.session) for clip in expected
    ]
    assert truth[0]["temporal_segment"] == expected[0].temporal_segment._asdict()
    assert not {"session", "dominant_operation", "next_operation"} & {key for row in listed for key in row}


def test_frames_are_the_pictures_that_were_drawn(tmp_path):
    render(small(limit=2, frames=3), tmp_path / "out", draw=paint)
    source = Scenes(load_world("warehouse-v2"), "test", draw=paint)
    jobs = {job.clip_id: job for job in source.jobs()}
    for row in rows(tmp_path / "out"):
        assert row["frames"] == [f"frames/{row['clip_id']}/{index:03d}.jpg" for index in (0, 62, 124)]
        drawn = source.frames(jobs[row["clip_id"]], [0, 62, 124], SMALL)
        for path, picture in zip(row["frames"], drawn, strict=True):
            content = (tmp_path / "out" / path).read_bytes()
            assert np.abs(image_pixels(content, path).astype(int) - picture).mean() < 2


def test_index_gives_sizes_and_digests(tmp_path):
    made = render(small(form="shards", split="train", limit=70), tmp_path / "out", draw=paint)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [file["samples"] for file in index["files"]] == [60, 10], "three sessions a shard"
    assert (index["clips"], index["bytes"]) == (70, made.bytes)
    for file in index["files"]:
        content = (tmp_path / "out" / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        for key, offset in file["offsets"].items():
            assert content[offset : offset + 100].startswith(f"{key}.00.jpg".encode())


@pytest.mark.parametrize("form", FORMS)
def test_a_second_run_makes_nothing_and_changes_nothing(tmp_path, form):
    render(small(form=form), tmp_path / "out", draw=paint)
    before = tree(tmp_path / "out")
    assert render(small(form=form), tmp_path / "out", draw=paint).rendered == 0
    assert tree(tmp_path / "out") == before


SCRIPT = textwrap.dedent("""
    import sys, time
    import numpy as np
    from reference.rendering.render_split import Request, render
    def paint(world, state, seed, indices, size, paint_out=()):
        time.sleep(0.004)
        frames = np.full((len(indices), size, size, 3), seed % 256, np.uint8)
        frames[:, :8, :8] = np.array(indices, np.uint8)[:, None, None, None]
        return frames
    if __name__ == "__main__":
        request = Request(form=sys.argv[1], split="train", size=64, limit=int(sys.argv[4]))
        print(render(request, sys.argv[2], draw=paint, workers=int(sys.argv[3])).rendered)
""")


@pytest.mark.parametrize(("form", "clips"), [("frames", 60), ("video", 30), ("shards", 130)])
def test_killed_and_taken_up_again(tmp_path, form, clips):
    """Killed twice without warning; the last run makes only what was missing, and ends as an undisturbed one does."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, form]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert _rendered([*command, whole, "2", str(clips)]) == clips
    for _ in range(2):
        process = subprocess.Popen([*command, cut, "1", str(clips)])
        before = _made(cut)
        deadline = time.monotonic() + 30
        while _made(cut) <= before and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait()
    assert _made(cut) and not (cut / "index.json").exists() and not (cut / "clips.jsonl").exists()
    assert 0 < _rendered([*command, cut, "1", str(clips)]) < clips
    assert tree(cut) == tree(whole), "nothing is left over either, and one worker does as two"


def _rendered(command: list) -> int:
    return int(subprocess.run(command, capture_output=True, text=True, timeout=120).stdout)


def _made(folder: Path) -> int:
    return sum(1 for kind in ("frames", "videos", "shards") for _ in (folder / kind).glob("*"))


DAMAGE = [("frames", "frames/*/017.jpg", 1), ("video", "videos/*.mp4", 1), ("shards", "shards/*.tar", 12)]


@pytest.mark.parametrize(("form", "pattern", "again"), DAMAGE)
def test_damaged_files_are_made_again(tmp_path, form, pattern, again):
    render(small(form=form), tmp_path / "out", draw=paint)
    before = tree(tmp_path / "out")
    victim = min((tmp_path / "out").glob(pattern))
    victim.write_bytes(victim.read_bytes()[:-700])
    assert render(small(form=form), tmp_path / "out", draw=paint).rendered == again
    assert tree(tmp_path / "out") == before


def test_domains_are_a_filter(test_clips, tmp_path):
    render(small(domains=("lens", "glare"), limit=None, frames=1, size=16), tmp_path / "out", draw=paint)
    expected = {clip.clip_id for clip in test_clips if clip.domain in ("lens", "glare")}
    assert {row["clip_id"] for row in rows(tmp_path / "out")} == expected and len(expected) == 32 * 20


def test_as_domain_draws_the_same_clips_elsewhere_and_marks_them(tmp_path):
    seen = []

    def watch(world, state, seed, indices, size, paint_out=()):
        seen.append((state, paint_out))
        return paint(world, state, seed, indices, size)

    render(small(as_domain="lens", paint_out=("slip",), domains=("occlusion",)), tmp_path / "out", draw=watch)
    listed = rows(tmp_path / "out")
    assert {(row["as_domain"], tuple(row["paint_out"])) for row in listed} == {("lens", ("slip",))}
    assert {(state.domain, state.occluded, surfaces) for state, surfaces in seen} == {("lens", (), ("slip",))}
    items = [place for place, sign in enumerate(load_world("warehouse-v2").attributes) if sign.shown_by == "items"]
    known = [state.orders[run.order][place] for state, _ in seen for run in state.runs for place in items]
    assert known and None not in known, "what an occluder hid is there"
    render(small(domains=("occlusion",)), tmp_path / "own", draw=paint)
    assert [row["clip_id"] for row in rows(tmp_path / "own")] == [row["clip_id"] for row in listed]
    assert json.loads((tmp_path / "out" / "render.json").read_text())["scored"] is False
    assert json.loads((tmp_path / "own" / "render.json").read_text())["scored"] is True


def test_as_domain_leaves_out_what_would_show_more(tmp_path):
    """Drawn clean, a clip of occlusion would show what hides in its own pictures; drawn as occlusion it hides."""
    clips = list(build_split(load_world("warehouse-v2"), "validation"))
    request = small(split="validation", as_domain="clean", limit=None, frames=1, size=16)
    done = render(request, tmp_path / "out", draw=paint)
    expected = {clip.clip_id for clip in clips if clip.domain != "occlusion"}
    assert {row["clip_id"] for row in rows(tmp_path / "out")} == expected
    assert done.left_out == len(clips) - len(expected) > 0
    assert render(small(as_domain="occlusion"), tmp_path / "hidden", draw=paint).left_out == 0


def test_samplers_that_look(tmp_path):
    render(small(sampler="motion", limit=2), tmp_path / "out", draw=paint)
    render(small(sampler="motion", limit=2, form="video"), tmp_path / "video", draw=paint)
    assert [row["indices"] for row in rows(tmp_path / "out")] == [row["indices"] for row in rows(tmp_path / "video")]
    assert rows(tmp_path / "out")[0]["indices"] != [0, 17, 35, 53, 70, 88, 106, 124]


def test_webp(tmp_path):
    render(small(image="webp", limit=1), tmp_path / "out", draw=paint)
    path = rows(tmp_path / "out")[0]["frames"][0]
    assert path.endswith("/000.webp") and (tmp_path / "out" / path).read_bytes()[8:12] == b"WEBP"


REFUSED = [
    ({"size": 63}, "size 63: an even number"),
    ({"size": 8}, "size 8: an even number from 16"),
    ({"frames": 0}, "0 frames a clip"),
    ({"form": "film"}, "no form 'film'; there are frames, video, shards"),
    ({"sampler": "best"}, "no sampler 'best'"),
    ({"image": "png"}, "no image 'png'; there are jpg, webp"),
    ({"domains": ("fog",)}, "world warehouse-v2 has no domain 'fog'; it has clean, "),
    ({"as_domain": "fog"}, "world warehouse-v2 has no domain 'fog'"),
    ({"paint_out": ("table", "worker")}, "'worker' cannot be painted out; slip, items, table can"),
    ({"split": "exam"}, "world warehouse-v2 has no split 'exam'"),
    ({"split": "train", "domains": ("lens",)}, "split train has no session in lens"),
    ({"world": "nowhere"}, "no world 'nowhere'; there are canonical-v1, warehouse-v2, or give the path"),
    ({"video": "x.mp4"}, "a video needs its start"),
    ({"video": "x.mp4", "video_start_ms": 5}, "world warehouse-v2 draws its own pictures"),
    ({"video": "x.mp4", "video_start_ms": 5, "domains": ("clean",)}, "a recording has no domains"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_refused_requests_leave_no_folder(tmp_path, changes, message):
    with pytest.raises(HarnessError, match=message):
        render(small(**changes), tmp_path / "out", draw=paint)
    assert not (tmp_path / "out").exists()


def test_refused_folders(tmp_path):
    with pytest.raises(RenderError, match=r"test: is named after a split"):
        render(small(as_domain="lens"), tmp_path / "test", draw=paint)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(RenderError, match="mine: is not empty and holds no rendering"):
        render(small(), tmp_path / "mine", draw=paint)
    render(small(limit=1), tmp_path / "out", draw=paint)
    with pytest.raises(RenderError, match=r"out: holds another rendering \(size 64, not 32, limit 1, not 12\)"):
        render(small(size=32), tmp_path / "out", draw=paint)
    descriptor = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(RenderError, match="out: another process is rendering into it"):
        render(small(limit=1), tmp_path / "out", draw=paint)
    os.close(descriptor)


def test_nothing_of_this_machine_is_in_the_files(tmp_path):
    render(small(limit=2), tmp_path / "out", draw=paint)
    for name in ("render.json", "index.json", "clips.jsonl"):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text()


def test_a_world_with_a_secret_key(tmp_path):
    """Sealed splits: other clips, other ids, and nothing of the key in what is published."""
    secret = bytes(range(32))
    world = replace(load_world("warehouse-v2"), key=secret)
    render(small(), tmp_path / "out", source=Scenes(world, "test", draw=paint))
    render(small(), tmp_path / "public", draw=paint)
    sealed, public = ({row["clip_id"] for row in rows(tmp_path / name)} for name in ("out", "public"))
    assert not sealed & public
    assert all(secret.hex() not in (tmp_path / "out" / name).read_text() for name in ("render.json", "index.json"))


def test_prompt():
    prompt = task_prompt(OPERATIONS, [0, 62])
    assert "0 (at 0.00 s), 62 (at 2.48 s)." in prompt and "These are 2 frames" in prompt
    assert all(label in prompt for label in OPERATIONS[:-1]) and "Unknown" not in prompt
    fields = ("dominant_operation", "temporal_segment", "start_frame", "end_frame", "next_operation")
    assert all(field in prompt for field in fields)


def test_a_rendered_truth_is_the_exported_one(tmp_path):
    """A script that reads the one reads the other: equal keys and values, clip by clip, in files and in shards."""
    from harness.worlds import describe

    describe.export("warehouse-v2", "validation", tmp_path / "export.jsonl")
    exported = {row["clip_id"]: row for row in rows(tmp_path, "export.jsonl")}
    for form in ("frames", "shards"):
        render(small(form=form, split="validation", limit=25), tmp_path / form, draw=paint)
        rendered = rows(tmp_path / form, "truth.jsonl")
        assert len(rendered) == 25
        assert all(row == exported[row["clip_id"]] and list(row) == list(exported[row["clip_id"]]) for row in rendered)


def test_a_prompt_beside_a_video_speaks_of_a_video(tmp_path):
    """Whoever shows the mp4 asks about 125 frames; whoever reads frames of it here asks about these."""
    from reference.training.datasets import Clips

    render(small(form="video", limit=2), tmp_path / "out", draw=paint)
    prompt = rows(tmp_path / "out")[0]["prompt"]
    assert prompt.startswith("This is a video of one clip of a worker at a packing station. It lasts 5 seconds and has")
    assert "125 frames, numbered 0 to 124, at 25 frames per second" in prompt.splitlines()[0]
    assert "What you see" not in prompt and "These are" not in prompt
    assert all(line[-1] in ".?:}" or line.startswith("- ") for line in prompt.splitlines() if line), "whole sentences"
    sample = Clips(tmp_path / "out")[0]
    assert sample["prompt"] == task_prompt(OPERATIONS, sample["indices"].tolist())
    assert sample["prompt"].partition("\n\n")[2] == prompt.partition("\n\n")[2]


def test_unreadable_pictures():
    content = image_bytes(np.zeros((8, 8, 3), np.uint8), "jpg")
    for broken in (b"", b"text", content[:40], b"\x89PNG\r\n\x1a\n" + content):
        with pytest.raises(RenderError, match=r"x\.jpg: not a readable picture"):
            image_pixels(broken, "x.jpg")


@pytest.mark.skipif(find_spec("reference.drawing.frame") is None, reason="the renderer is not there")
def test_the_command_line(tmp_path):
    """Real pictures, one and two workers: the same bytes."""
    command = [sys.executable, "-m", "harness", "world", "render", "--limit", "8", "--size", "84", "--format", "json"]
    for workers in ("1", "2"):
        run = subprocess.run([*command, "-o", tmp_path / workers, "--workers", workers], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        made = json.loads(run.stdout)
        assert (made["clips"], made["rendered"], made["truth"], made["scored"]) == (8, 8, None, True)
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


# A recording. Its frames carry their number in 16 black and white squares, so that a picture tells where it came from.

ZERO = datetime(2031, 5, 6, 8, 0, 0, tzinfo=UTC)
STEPS = [
    (100, 4000),
    (300, 7000),
    (900, 3120),
    (500, 9000),
    (600, 2500),
    (700, 8000),
    (100, 6000),
    (300, 7000),
    (1000, 5500),
    (100, 9000),
    (200, 4700),
    (500, 3000),
    (800, 6000),
    (100, 5200),
    (300, 8000),
]
SESSION_MS = sum(length for _, length in STEPS)
OFFSET_MS = -1720
"""The video begins so long before the first annotation; at 15 and 30 fps this is no whole number of frames."""


def numbered(number: int) -> np.ndarray:
    bits = [(number >> bit) & 1 for bit in range(16)]
    return np.repeat(np.repeat(np.array(bits, np.uint8).reshape(4, 4) * 255, 16, 0), 16, 1)[..., None].repeat(3, 2)


def number_of(picture: np.ndarray) -> int:
    cell = picture.shape[0] // 4
    middle = [place * cell + cell // 2 for place in range(4)]
    squares = [picture[row, column].mean() for row in middle for column in middle]
    return sum((square > 127) << bit for bit, square in enumerate(squares))


@pytest.fixture(scope="module")
def openpack(home, tmp_path_factory) -> str:
    path = annotated(tmp_path_factory.mktemp("openpack") / "annotations.csv", "U0901", ZERO)
    return import_world([path], home, name="recorded", operation_map="openpack").name


def annotated(path: Path, user: str, at: datetime) -> Path:
    """OpenPack annotations of a session that begins at a time."""
    lines = ["uuid,user,session,box,id,operation,start,end,actions"]
    for place, (operation, length) in enumerate(STEPS):
        end = at + timedelta(milliseconds=length)
        lines.append(f"{place},{user},S0100,1,{operation},x,{at.isoformat()},{end.isoformat()},")
        at = end
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_prompt_says_what_the_annotations_mean(openpack, home, tmp_path):
    """ "Fill out Order" is not "Wrap: wrapped in paper": OpenPack's own words describe the labels."""
    video = tmp_path / "v.mp4"
    write_video(video, (numbered(number) for number in range(25 * 20)), 64)
    request = small(world=openpack, video=str(video), video_start_ms=int(ZERO.timestamp() * 1000), limit=1)
    render(request, tmp_path / "out", home=home)
    prompt = rows(tmp_path / "out")[0]["prompt"]
    lines = [line for line in prompt.splitlines() if line.startswith("- ")]
    assert lines[:3] == ["- Put Items: Picking or Insert Items", "- Relocate Item Label", "- Box Setup: Assemble Box"]
    assert "- Fill out Order" in lines and "paper" not in prompt and "Wrap" not in prompt


def test_a_train_session_is_rendered_with_its_truth(tmp_path):
    """An imported recording can be learned from: the rendering of train holds truth.jsonl, that of test does not."""
    from harness.worlds import describe
    from reference.training.datasets import Clips

    home, files = tmp_path / "home", []
    for user, zero in (("U0901", ZERO), ("U0902", ZERO + timedelta(hours=1))):
        files.append(annotated(tmp_path / f"{user}.csv", user, zero))
    made = import_world(files, home, name="two", train=["U0901-*"])
    assert made.splits["train"][1] == made.splits["test"][1] == 1
    video = tmp_path / "v.mp4"
    write_video(video, (numbered(number) for number in range(2400)), 64)
    for split, zero in (("train", ZERO), ("test", ZERO + timedelta(hours=1))):
        start_ms = int(zero.timestamp() * 1000)
        request = small(world="two", split=split, video=str(video), video_start_ms=start_ms, limit=None)
        render(request, tmp_path / split, home=home)
    describe.export("two", "train", tmp_path / "export.jsonl", home=home)
    assert rows(tmp_path / "train", "truth.jsonl") == rows(tmp_path, "export.jsonl")
    assert {row["session"] for row in rows(tmp_path / "train", "truth.jsonl")} == {"U0901-S0100"}
    assert all("truth" in sample for sample in Clips(tmp_path / "train"))
    assert not (tmp_path / "test" / "truth.jsonl").exists() and "truth" not in Clips(tmp_path / "test")[0]


def test_several_recordings_are_one_rendering(tmp_path):
    """Two workers, two cameras: each video shows its own session, and every picture comes from the right one."""
    from reference.training.datasets import Clips

    home, later = tmp_path / "home", ZERO + timedelta(hours=1)
    files = [annotated(tmp_path / "a.csv", "U0901", ZERO), annotated(tmp_path / "b.csv", "U0902", later)]
    import_world(files, home, name="two", train=["*"])
    for name, shift in (("a", 0), ("b", 4000)):
        write_video(tmp_path / f"{name}.mp4", (numbered(number + shift) for number in range(2400)), 64)
    videos = tuple(str(tmp_path / f"{name}.mp4") for name in "ab")
    starts = tuple(int(zero.timestamp() * 1000) for zero in (ZERO, later))
    request = small(world="two", split="train", video=videos, video_start_ms=starts, limit=None)
    made = render(request, tmp_path / "out", home=home, workers=2)
    truth = {row["clip_id"]: row for row in rows(tmp_path / "out", "truth.jsonl")}
    assert made.left_out == 0 and {row["session"] for row in truth.values()} == {"U0901-S0100", "U0902-S0100"}
    for sample in Clips(tmp_path / "out"):
        row = truth[sample["clip_id"]]
        shift = 4000 if row["session"].startswith("U0902") else 0
        assert number_of(sample["frames"][0]) == row["start_ms"] // 40 + shift
    assert json.loads((tmp_path / "out" / "render.json").read_text())["request"]["video"] == ["a.mp4", "b.mp4"]


UNPAIRED = [
    ({"video_start_ms": (0,)}, "a video needs its start: --video-start .* for each --video"),
    ({"video_start_ms": (0, 0, 0)}, "2 videos, 3 starts and 0 sessions: --video, --video-start and"),
    ({"video_start_ms": (0, 0), "session": ("x",)}, "2 videos, 2 starts and 1 sessions"),
    ({}, "clip .* is shown by .*a.mp4 and .*b.mp4; two cameras are two renderings"),
]


@pytest.mark.parametrize(("changes", "message"), UNPAIRED)
def test_recordings_that_do_not_fit_together(openpack, home, tmp_path, changes, message):
    start_ms = int(ZERO.timestamp() * 1000)
    for name in "ab":
        write_video(tmp_path / f"{name}.mp4", (numbered(number) for number in range(500)), 64)
    videos = tuple(str(tmp_path / f"{name}.mp4") for name in "ab")
    request = small(**{"world": openpack, "video": videos, "video_start_ms": (start_ms, start_ms), **changes})
    with pytest.raises(RenderError, match=message):
        render(request, tmp_path / "out", home=home)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A function that returns the session's video at a rate."""

    @cache
    def recorded(fps) -> Path:
        video = tmp_path_factory.mktemp("recording") / "kinect.mp4"
        count = int((SESSION_MS - OFFSET_MS) * fps / 1000) + 2
        write_video(video, (numbered(number) for number in range(count)), 64, fps=fps)
        return video

    return recorded


@pytest.mark.parametrize("fps", [15, 25, 30, Fraction(30000, 1001)], ids=str)
@pytest.mark.parametrize("form", ["frames", "shards"])
def test_a_recording_is_aligned_to_the_frame(openpack, home, tmp_path, recording, fps, form):
    video = recording(fps)
    start_ms = int(ZERO.timestamp() * 1000) + OFFSET_MS
    request = small(world=openpack, video=str(video), video_start_ms=start_ms, frames=25, form=form, limit=None)
    made = render(request, tmp_path / "out", home=home)
    starts = {job.clip_id: job.scene[1] for job in source_of(request, home=home).jobs()}
    assert made.clips == len(starts) >= 3 and made.left_out == 0
    from reference.training.datasets import Clips

    for sample in Clips(tmp_path / "out"):
        for picture, index in zip(sample["frames"], sample["indices"].tolist(), strict=True):
            assert number_of(picture) == int((starts[sample["clip_id"]] + 40 * index) * fps / 1000)


def test_start_of_a_recordings_clips_by_hand(openpack, home, tmp_path):
    """The first clip's start in the video is its start in the session less the offset."""
    from reference.truth.store import open_truth

    video = tmp_path / "v.mp4"
    write_video(video, (numbered(number) for number in range(2400)), 64)
    start_ms = int(ZERO.timestamp() * 1000) + OFFSET_MS
    request = small(world=openpack, video=str(video), video_start_ms=start_ms)
    with open_truth(openpack, home=home) as truth:
        expected = dict(truth.connection.execute("SELECT clip_id, start_ms + 1720 FROM truth.clips").fetchall())
    assert {job.clip_id: job.scene[1] for job in source_of(request, home=home).jobs()} == expected


def test_clips_outside_the_video_are_left_out(openpack, home, tmp_path):
    video = tmp_path / "short.mp4"
    write_video(video, (numbered(number) for number in range(25 * 20)), 64)  # its first 20 s
    request = small(world=openpack, video=str(video), video_start_ms=int(ZERO.timestamp() * 1000), limit=None)
    made = render(request, tmp_path / "out", home=home)
    assert made.clips >= 1 and made.left_out >= 1
    late = small(world=openpack, video=str(video), video_start_ms=int(ZERO.timestamp() * 1000) + 10**8)
    with pytest.raises(RenderError, match="shows no whole clip of recorded / test: by --video-start, clips begin -"):
        render(late, tmp_path / "late", home=home)
    with pytest.raises(RenderError, match="recorded was imported: it needs its recording, --video and --video-start"):
        render(small(world=openpack), tmp_path / "blind", home=home)
    with pytest.raises(RenderError, match="has no session 'S2'; it has U0901-S0100"):
        render(small(world=openpack, video=str(video), video_start_ms=0, session="S2"), tmp_path / "none", home=home)
    with pytest.raises(HarnessError, match="ffconcat"):
        video.write_text("ffconcat version 1.0\n")
        render(request, tmp_path / "text", home=home)


def test_wide_pictures_keep_their_proportions(tmp_path):
    video = tmp_path / "wide.mp4"
    write_video(video, [np.full((48, 96, 3), 200, np.uint8)] * 10, (96, 48))
    picture = letterbox(video, next(pictures_at(video, [Fraction(0)])), 32)
    assert picture.shape == (32, 32, 3)
    assert (picture[:8] == 0).all() and (picture[24:] == 0).all() and abs(int(picture[16, 16, 0]) - 200) < 4


def test_turned_recordings_are_rendered_upright(tmp_path):
    """A phone's recording: wide pictures, to be shown a quarter to the right, so that the left edge is on top."""
    from tests.reference.video.test_video import with_matrix

    picture = np.zeros((48, 96, 3), np.uint8)
    picture[:, :24] = 200
    write_video(tmp_path / "wide.mp4", [picture] * 10, (96, 48))
    video = with_matrix(tmp_path / "wide.mp4", 0, 1, -1, 0)
    shown = letterbox(video, next(pictures_at(video, [Fraction(0)])), 32)
    assert (shown[:, :8] == 0).all() and (shown[:, 24:] == 0).all(), "black at both sides"
    assert (shown[1:6, 10:22] > 150).all() and (shown[10:, 10:22] < 40).all()


def filmed(path: Path, seconds: float, sound_s: float, late_s: float = 0, fragmented: bool = False):
    """A numbered recording at 25 fps with sound; the pictures begin at `late_s`."""
    options = {"movflags": "frag_keyframe+empty_moov"} if fragmented else {}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        pictures = container.add_stream("libx264", rate=25, options={"preset": "superfast", "threads": "1", "g": "50"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("aac", rate=8000, layout="mono")
        for number in range(int(seconds * 25)):
            picture = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            picture.pts, picture.time_base = number + int(late_s * 25), Fraction(1, 25)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, int(8000 * sound_s)), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())


SPANS = [
    ("sound as long as the pictures", {"sound_s": 20}),
    ("sound that goes on", {"sound_s": 80}),
    ("no header with the length", {"sound_s": 80, "fragmented": True}),
    ("pictures that begin after the sound", {"sound_s": 80, "late_s": 6}),
]


@pytest.mark.parametrize(("why", "kind"), SPANS, ids=[case[0] for case in SPANS])
def test_a_recording_lasts_as_long_as_its_pictures(openpack, home, tmp_path, why, kind):
    """No clip is rendered from a picture that stands still after the camera stopped."""
    path = tmp_path / "v.mp4"
    filmed(path, 20, **kind)
    assert shown_seconds(path) == pytest.approx(20, abs=0.05)
    start_ms = int(ZERO.timestamp() * 1000)
    request = small(world=openpack, video=str(path), video_start_ms=start_ms, limit=None)
    made = render(request, tmp_path / "out", home=home)
    starts = {job.clip_id: job.scene[1] for job in source_of(request, home=home).jobs()}
    assert made.clips == len(starts) >= 1 and made.left_out >= 1
    assert max(starts.values()) + 124 * 40 < 20_000
    from reference.training.datasets import Clips

    for sample in Clips(tmp_path / "out"):
        numbers = [number_of(picture) for picture in sample["frames"]]
        assert numbers == [starts[sample["clip_id"]] // 40 + index for index in sample["indices"].tolist()]


MOMENTS = [
    ("1935788400000", 1935788400000, "Unix ms"),
    ("2031-05-06T08:00:00+09:00", 1935788400000, "ISO 8601"),
    ("2031-05-05T23:00:00.250Z", 1935788400250, "UTC, with a fraction"),
]


@pytest.mark.parametrize(("text", "expected", "why"), MOMENTS)
def test_moments(text, expected, why):
    assert moment_ms(text) == expected, why


NO_MOMENTS = [("noon", "is no time"), ("2031-05-06T08:00:00", "no offset from UTC"), ("-5", "is no time")]


@pytest.mark.parametrize(("text", "message"), NO_MOMENTS)
def test_no_moments(text, message):
    with pytest.raises(RenderError, match=message):
        moment_ms(text)
