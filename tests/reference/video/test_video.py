"""Videos: what is written, that all decoders agree, and that no file can do harm (numbers: the list of bad inputs)."""

from __future__ import annotations

import importlib
import os
import re
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.support import ROOT

pytest.importorskip("av", reason="PyAV is not installed")
import av

from reference import video
from reference.errors import VideoError
from reference.video import encode, instants, read, sandbox
from reference.video.decoders import DECODERS, LIMITS, Limits, inspect, shown_seconds
from reference.video.encode import pixel_digest, write_video
from reference.video.read import frames
from reference.video.samplers import SAMPLERS

SIDE = 64
MODULES = {"pyav": "av", "decord": "decord", "opencv": "cv2"}


def square(index: int, side: int = SIDE) -> np.ndarray:
    """A coloured square that moves and grows over a striped ground."""
    picture = np.zeros((side, side, 3), np.uint8)
    picture[::8] = (90, 60, 30)
    size, at = 8 + index // 8, index * (side - 24) // 125
    picture[at : at + size, at : at + size] = (200, 40, 120)
    return picture


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    write_video(path, (square(index) for index in range(125)), SIDE)
    return path


def decoder(name: str):
    missing = find_spec(MODULES[name]) is None
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=f"{MODULES[name]} is not installed"))


def bare(path: Path, indices) -> np.ndarray:
    with av.open(str(path)) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    return np.stack([pictures[index] for index in indices])


def test_files_hold_pictures_and_nothing_else(clip, tmp_path):
    content = clip.read_bytes()
    for trace in (b"x264", b"Lavf", b"Lavc", b"Lavs", "©too".encode("latin-1"), b"crf"):
        assert trace not in content
    movie = content.index(b"mvhd")
    assert struct.unpack(">II", content[movie + 8 : movie + 16]) == (0, 0), "no time of creation or change"
    with av.open(str(clip)) as container:
        assert set(container.metadata) == {"major_brand", "minor_version", "compatible_brands"}
        assert set(container.streams.video[0].metadata) == {"language", "handler_name"}
    again = tmp_path / "a folder" / "other name.mp4"
    write_video(again, (square(index) for index in range(125)), SIDE)
    assert again.read_bytes() == content and pixel_digest(again) == pixel_digest(clip)
    assert content.index(b"moov") < content.index(b"mdat"), "can be played while it is fetched"


WIDE = (336, 144)  # 21 macroblocks a row; x264's AVX-512 code takes 8 at a time


def rolling(seed: int = 20261124) -> list[np.ndarray]:
    """Large patches and fine grain that wander: x264 finds motion, and rates what later pictures are made of."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (WIDE[1] // 8, WIDE[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    picture = patches // 4 * 3 + rng.integers(0, 64, patches.shape, np.uint8)
    return [np.roll(picture, (index, -3 * index), (0, 1)) for index in range(40)]


def written(path: Path, **environment: str) -> bytes:
    """The pictures as another process, in that environment, writes them."""
    script = (
        "import sys; from reference.video.encode import write_video; "
        "from tests.reference.video.test_video import WIDE, rolling; "
        "write_video(sys.argv[1], rolling(), WIDE)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, path],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    return path.read_bytes()


def test_bytes_do_not_depend_on_what_memory_held(tmp_path):
    """glibc fills what malloc hands out; elsewhere, or without AVX-512, this proves less."""
    expected = written(tmp_path / "v.mp4")
    for filling in ("1", "77"):
        assert written(tmp_path / f"{filling}.mp4", MALLOC_PERTURB_=filling) == expected


@pytest.mark.parametrize("level", ["sse2", "ssse3", "avx2", "0"])
def test_bytes_do_not_depend_on_the_processor(tmp_path, monkeypatch, level):
    """x264 told to do without newer instructions writes what it writes with all of them."""
    write_video(tmp_path / "all.mp4", rolling(), WIDE)
    told = f"{encode.X264.get('x264-params', '')}:asm={level}".removeprefix(":")
    monkeypatch.setattr(encode, "X264", encode.X264 | {"x264-params": told})
    write_video(tmp_path / "fewer.mp4", rolling(), WIDE)
    assert (tmp_path / "fewer.mp4").read_bytes() == (tmp_path / "all.mp4").read_bytes()


def test_pictures_survive(clip):
    found, indices = frames(clip, 5)
    assert indices.tolist() == [0, 31, 62, 93, 124]
    for picture, index in zip(found, indices, strict=True):
        assert np.abs(picture.astype(int) - square(int(index))).mean() < 8


@pytest.mark.parametrize("name", [decoder(name) for name in DECODERS])
@pytest.mark.parametrize("trusted", [True, False])
def test_decoders_agree(clip, name, trusted):
    assert DECODERS[name].count(clip) == inspect(clip).frames == 125
    for sampler in SAMPLERS:
        found, indices = frames(clip, 8, sampler, name, trusted=trusted)
        expected, at = frames(clip, 8, sampler, trusted=True)
        assert found.dtype == np.uint8 and found.shape == (8, SIDE, SIDE, 3)
        assert indices.tolist() == at.tolist() and (found == expected).all()
        assert (found == bare(clip, indices.tolist())).all()
    assert (frames(clip, indices=[3, 64], decoder=name)[0] == bare(clip, [3, 64])).all()


@pytest.mark.parametrize("name", [decoder(name) for name in DECODERS])
@pytest.mark.parametrize(("fps", "size"), [(15, (96, 48)), (30, (64, 96))])
def test_decoders_agree_on_other_rates_and_shapes(tmp_path, name, fps, size):
    path = tmp_path / "v.mp4"
    pictures = [np.full((size[1], size[0], 3), 2 * index, np.uint8) for index in range(40)]
    write_video(path, pictures, size, fps=fps)
    found, indices = frames(path, 8, decoder=name)
    assert indices.tolist() == [0, 5, 11, 16, 22, 27, 33, 39]
    assert (found == bare(path, indices.tolist())).all()


def test_a_sampler_looks_at_larger_videos_twice(clip, monkeypatch):
    monkeypatch.setattr("reference.video.decoders.HELD_BYTES", 1000)
    found, indices = frames(clip, 4, "motion", trusted=True)
    assert (found == bare(clip, indices.tolist())).all()


def test_a_fragmented_file_counts_its_frames(tmp_path):
    path = tmp_path / "fragments.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = SIDE
        for index in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(square(index), format="rgb24")))
        container.mux(stream.encode())
    assert frames(path, 3)[1].tolist() == [0, 14, 29]
    assert (frames(path, 3)[0] == bare(path, [0, 14, 29])).all()


def with_matrix(path: Path, *numbers: float) -> Path:
    """The video with another display matrix in its track's header."""
    matrix = [*numbers[:2], 0, *numbers[2:], 0, 0, 0]
    fixed = struct.pack(">9i", *(round(number * (1 << 16)) for number in matrix), 1 << 30)
    turned = path.with_name("turned.mp4")
    turned.write_bytes(patched(path.read_bytes(), b"tkhd", 40, fixed))
    return turned


MATRICES = [
    ("as it is", (1, 0, 0, 1), 0),
    ("a quarter to the right, as phones write it", (0, 1, -1, 0), -1),
    ("upside down", (-1, 0, 0, -1), 2),
    ("a quarter to the left", (0, -1, 1, 0), 1),
    ("mirrored", (-1, 0, 0, 1), None),
    ("tilted", (0.8, 0.6, -0.6, 0.8), None),
]


@pytest.mark.parametrize("name", [decoder(name) for name in DECODERS])
@pytest.mark.parametrize(("why", "matrix", "turns"), MATRICES, ids=[case[0] for case in MATRICES])
def test_turned_videos_are_upright_whoever_decodes_them(tmp_path, name, why, matrix, turns):
    """Phones record lying pictures and a display matrix that says how to turn them."""
    write_video(tmp_path / "v.mp4", [square(index)[:32] for index in range(12)], (64, 32))
    path = with_matrix(tmp_path / "v.mp4", *matrix)
    if turns is None:
        for sampler in ("uniform", "motion"):
            with pytest.raises(VideoError, match=r"turned\.mp4: is to be shown mirrored, tilted or stretched"):
                frames(path, 3, sampler, name)
        return
    for sampler in ("uniform", "motion"):
        found, indices = frames(path, 3, sampler, name)
        expected = np.rot90(bare(path, indices.tolist()), turns, axes=(1, 2))
        assert found.shape == (3, *((64, 32) if turns % 2 else (32, 64)), 3)
        assert (found == expected).all()


def test_squares_and_length_are_those_of_this_process_read_apart(tmp_path):
    """Whole and upright in a square, by the clock: frame 3 of 10 a second is on show from 0.3 to 0.4 s."""
    write_video(tmp_path / "v.mp4", [square(index)[:32] for index in range(12)], (64, 32), fps=10)
    path = with_matrix(tmp_path / "v.mp4", 0, 1, -1, 0)
    found = read.squares(path, [0, 300, 399, 5000], 32)
    assert found.shape == (4, 32, 32, 3) and (found == instants.squares(path, [0, 300, 399, 5000], 32, LIMITS)).all()
    assert (
        (found[1] == found[2]).all()
        and (found[0] != found[1]).any()
        and (found[:, :, [*range(8), *range(24, 32)]] == 0).all()
    )
    assert read.seconds(path) == shown_seconds(path) == pytest.approx(1.2)


@pytest.mark.parametrize("ask", [lambda path: read.seconds(path), lambda path: read.squares(path, [0], 32)])
def test_files_that_break_limits_have_no_squares_and_no_length(tmp_path, ask):
    (tmp_path / "clip.mp4").write_text("what a nice clip")
    with pytest.raises(VideoError, match=r"clip\.mp4: not an MP4 or MOV video"):
        ask(tmp_path / "clip.mp4")


def test_limits_hold_for_squares_and_length(clip):
    for ask in (
        lambda: read.seconds(clip, limits=Limits(frames=9)),
        lambda: read.squares(clip, [0], 8, limits=Limits(9)),
    ):
        with pytest.raises(VideoError, match="its header says"):
            ask()


WRITING = [
    ("odd side", [square(0)[:63, :63]], 63, "63 x 63 pixels; H.264 in yuv420p needs even numbers"),
    ("another shape", [square(0), square(0)[:32]], SIDE, r"is uint8 \(32, 64, 3\), expected uint8 \(64, 64, 3\)"),
    ("floats", [square(0) / 255], SIDE, "a frame is float64"),
    ("nothing", [], SIDE, "no frame to write"),
]


@pytest.mark.parametrize(("why", "pictures", "size", "message"), WRITING, ids=[case[0] for case in WRITING])
def test_refused_pictures_leave_no_file(tmp_path, why, pictures, size, message):
    with pytest.raises(VideoError, match=message):
        write_video(tmp_path / "v.mp4", pictures, size)
    assert list(tmp_path.iterdir()) == []


def sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


def picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


NO_VIDEOS = [
    (57, "empty", lambda path: path.write_bytes(b""), "the file is empty"),
    (57, "text", lambda path: path.write_text("what a nice clip"), "not an MP4 or MOV video"),
    (57, "audio only", sound, "holds no video"),
    (57, "PNG named .mp4", picture, "a PNG picture, whatever its name"),
    (57, "missing", lambda path: None, "No such file"),
    (57, "a folder", lambda path: path.mkdir(), "not a regular file"),
    (57, "a pipe", lambda path: os.mkfifo(path), "not a regular file"),
    (57, "a box and nothing", lambda path: path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(12)), "cannot be decoded"),
    (58, "ffconcat", lambda path: path.write_text("ffconcat version 1.0\nfile secret.mp4\n"), "an ffconcat list"),
    (58, "HLS", lambda path: path.write_text("#EXTM3U\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n"), "an HLS playlist"),
]  # fmt: skip


@pytest.mark.parametrize("name", [decoder(name) for name in DECODERS])
@pytest.mark.parametrize(("number", "why", "make", "message"), NO_VIDEOS, ids=[case[1] for case in NO_VIDEOS])
def test_what_is_no_video_is_refused_by_name(tmp_path, number, why, make, message, name):
    """The file that the lists name is a pipe: whoever opened it would wait for ever."""
    os.mkfifo(tmp_path / "secret.mp4")
    make(tmp_path / "clip.mp4")
    for trusted in (True, False):
        with pytest.raises(VideoError, match=rf"clip\.mp4: .*{message}"):
            frames(tmp_path / "clip.mp4", decoder=name, trusted=trusted, timeout=20)


def patched(content: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    place = content.index(box) + 4 + offset
    return content[:place] + value + content[place + len(value) :]


def test_59_limits_are_read_from_the_header(clip, tmp_path):
    path = tmp_path / "many.mp4"
    many = struct.pack(">II", 1, 200_000)  # every sample one byte long, 200,000 of them
    path.write_bytes(patched(patched(clip.read_bytes(), b"stsz", 4, many), b"stts", 4, struct.pack(">II", 1, 200_000)))
    with pytest.raises(VideoError, match=r"many\.mp4: its header says 200,000 frames; 1 to 10,000 are read"):
        frames(path)
    wide = tmp_path / "wide.mp4"
    write_video(wide, [np.zeros((32, 4128, 3), np.uint8)] * 2, (4128, 32))
    with pytest.raises(VideoError, match=r"wide\.mp4: its header says 4128 x 32 pixels, at most 4096 a side"):
        frames(wide, 1)
    assert frames(wide, 1, limits=Limits(side=8192))[0].shape == (1, 32, 4128, 3)
    with pytest.raises(VideoError, match=r"clip\.mp4: its header says 5 s, at most 3 s are read"):
        frames(clip, limits=Limits(seconds=3))


def test_59_a_picture_of_8192_x_8192(tmp_path):
    """Encoded for real: one grey frame, as another program might."""
    path = tmp_path / "huge.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "threads": "1"})
        stream.width = stream.height = 8192
        container.mux(stream.encode(av.VideoFrame(8192, 8192, "yuv420p")))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match=r"huge\.mp4: its header says 8192 x 8192 pixels"):
        frames(path, 1)


def child() -> int:
    assert sandbox._child is not None
    return sandbox._child.process.pid


def test_60_a_decoder_that_hangs_is_stopped(clip):
    expected, _ = frames(clip, 2)
    hung = child()
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(VideoError, match=r"clip\.mp4: the decoder pyav gave no answer in 0\.3 s and was stopped"):
        frames(clip, 2, timeout=0.3)
    assert (frames(clip, 2)[0] == expected).all(), "the next request has a child of its own"
    assert child() != hung


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_60_a_decoder_that_crashes_is_reported(clip, number):
    frames(clip, 2)
    crashing = child()
    os.kill(crashing, signal.SIGSTOP)  # so that it dies in the middle of a request
    timer = threading.Timer(0.2, lambda: (os.kill(crashing, number), os.kill(crashing, signal.SIGCONT)))
    timer.start()
    with pytest.raises(VideoError, match=rf"clip\.mp4: the decoder pyav crashed on it \(signal {int(number)}\)"):
        frames(clip, 2)
    timer.join()
    assert frames(clip, 2)[1].tolist() == [0, 124]


def test_60_a_child_that_died_unasked_is_replaced(clip):
    frames(clip, 2)
    os.kill(child(), signal.SIGKILL)
    time.sleep(0.1)
    assert frames(clip, 2)[1].tolist() == [0, 124]


def test_damaged_files_give_frames_or_an_error(clip, tmp_path):
    content, rng = clip.read_bytes(), np.random.default_rng(3)
    path = tmp_path / "damaged.mp4"
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 30)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged[: rng.integers(len(content) // 4, len(content))] if rng.random() < 0.3 else damaged)
        try:
            found, indices = frames(path, 8, timeout=20)
            assert len(found) == len(indices) == 8
        except VideoError as error:
            assert "damaged.mp4" in str(error)
    assert len(frames(clip)[1]) == 8


def test_a_file_that_stops_early_says_so(clip, tmp_path):
    content = clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(VideoError, match=r"cut\.mp4: (frame \d+ is not there|cannot be decoded)"):
        frames(path)


ASKED = [
    ({"n": 126}, "has 125 frames, 126 were requested"),
    ({"n": 0}, "has 125 frames, 0 were requested"),
    ({"indices": [3, 3]}, "must be sorted and different"),
    ({"indices": [5, 125]}, r"has the frames 0 to 124"),
    ({"indices": [-1]}, r"has the frames 0 to 124"),
    ({"sampler": "best"}, "no sampler 'best'; there are uniform, motion, entropy, boundary"),
    ({"decoder": "vlc"}, "no decoder 'vlc'; there are pyav, decord, opencv"),
]


@pytest.mark.parametrize(("asked", "message"), ASKED)
def test_impossible_requests(clip, asked, message):
    with pytest.raises(VideoError, match=message):
        frames(clip, **asked)


def test_a_path_is_no_protocol(clip, tmp_path, monkeypatch):
    """A name with a colon is a file, not a list of files or an address."""
    monkeypatch.chdir(tmp_path)
    name = "concat:a.mp4|b.mp4"
    Path(name).write_bytes(clip.read_bytes())
    assert frames(name)[1].tolist() == frames(clip)[1].tolist()


def test_scripts_need_no_main_guard(clip, tmp_path):
    """A plain script, run from another folder, with a module in its way that must not be run."""
    (tmp_path / "av.py").write_text("raise SystemExit('a stranger')")
    script = tmp_path / "code" / "script.py"
    script.parent.mkdir()
    script.write_text(
        textwrap.dedent("""
        import sys
        from reference.video.read import frames
        print(frames(sys.argv[1])[1].tolist())
    """)
    )
    run = subprocess.run([sys.executable, script, clip], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[0, 17, 35, 53, 70, 88, 106, 124]", run.stderr


def test_after_a_fork_each_process_has_its_own_child(clip):
    frames(clip, 2)
    before = child()
    pid = os.fork()
    if pid == 0:
        good = frames(clip, 2)[1].tolist() == [0, 124] and child() != before
        sandbox.stop()
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
    frames(clip, 2)
    assert child() == before


def test_the_child_ends_with_its_parent(clip):
    script = (
        "import sys; from reference.video import read, sandbox; read.frames(sys.argv[1]); "
        "print(sandbox._child.process.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    )
    run = subprocess.run([sys.executable, "-c", script, clip], capture_output=True, text=True, timeout=60)
    for _ in range(100):
        if not _alive(int(run.stdout)):
            return
        time.sleep(0.05)
    pytest.fail("still there")


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_public_names():
    """The names that the package's header promises."""
    promised = re.findall(r"`(\w+)\.(\w+)", video.__doc__)
    assert ("read", "frames") in promised
    for module, name in promised:
        assert hasattr(importlib.import_module(f"reference.video.{module}"), name), name
