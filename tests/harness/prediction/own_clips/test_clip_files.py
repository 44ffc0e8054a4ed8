"""A folder of somebody's files -> clips: which there are, how they are called, what each shows, what is left out."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed")
from PIL import Image

from harness.errors import UsageError
from harness.prediction.own_clips.clip_files import PictureFolder, find_clips, natural, picture_square
from reference.errors import RenderError
from reference.video.encode import write_video

SIDE = 32


def grey(value: int, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    return np.full((size[1], size[0], 3), value, np.uint8)


def video(path, seconds: float, fps: int = 25, size: tuple[int, int] = (SIDE, SIDE)):
    """A video that gets brighter by one level each tenth of a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, (grey(20 + frame * 10 // fps, size) for frame in range(round(seconds * fps))), size, fps=fps)
    return path


def pictures(folder, names, value=lambda place: 10 * place):
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        Image.fromarray(grey(value(place))).save(folder / name)


def find(folder, fps=None):
    return find_clips(folder, fps, lambda done, expected: None)


def shown(clip, second: float) -> float:
    return float(clip.source.squares([clip.start_ms + round(second * 1000)], SIDE).mean())


LENGTHS = [
    (5.0, 25, ["v"], None, "a clip"),
    (4.6, 25, ["v"], None, "a clip that lacks less than half a second"),
    (4.96, 25, ["v"], None, "a clip that lacks its last frame"),
    (5.4, 30, ["v"], None, "a clip and next to nothing"),
    (7.0, 25, ["v"], 2.0, "a clip and a rest"),
    (9.6, 15, ["v/000000", "v/000005"], None, "two clips, the second of which lacks its end"),
    (12.0, 10, ["v/000000", "v/000005"], 2.0, "two clips and a rest"),
]


@pytest.mark.parametrize(("seconds", "fps", "ids", "rest", "why"), LENGTHS, ids=[case[4] for case in LENGTHS])
def test_videos_are_cut_into_clips_of_five_seconds(seconds, fps, ids, rest, why, tmp_path):
    video(tmp_path / "v.mp4", seconds, fps)
    found = find(tmp_path)
    assert list(found.clips) == ids and found.rests == ({"v.mp4": rest} if rest else {})
    for place, clip in enumerate(found.clips.values()):
        for second in (0, 1.5, 4.96):
            at = min(place * 5 + second, seconds - 1 / fps)
            assert shown(clip, second) == pytest.approx(20 + 10 * at, abs=2), "the last picture stays to the end"


def test_names(tmp_path):
    for name in ("cam 2/10.mp4", "cam 2/9.MOV", "same.mp4", "same.mov", "übung.m4v", ".hidden.mp4", ".trash/x.mp4"):
        video(tmp_path / "monday" / name, 5, 5).rename(tmp_path / "monday" / name)
    pictures(tmp_path / "monday" / "frames" / "a", ["1.jpg", "2.jpg"])
    pictures(tmp_path / "monday" / "cam 2", ["preview.jpg"])
    (tmp_path / "monday" / "notes.txt").write_text("x")
    found = find(tmp_path / "monday")
    assert list(found.clips) == ["cam 2/9", "cam 2/10", "frames/a", "same.mov", "same.mp4", "übung"]
    assert (found.left_out, found.others) == ({}, 2), "the notes, and the preview beside videos"
    assert list(find(tmp_path / "monday" / "frames").clips) == ["a"]
    assert list(find(tmp_path / "monday" / "frames" / "a").clips) == ["a"], "pictures alone are called as their folder"


def test_what_cannot_be_read_is_left_out_with_the_reason(tmp_path):
    video(tmp_path / "good.mp4", 5, 5)
    video(tmp_path / "short.mp4", 2, 5)
    (tmp_path / "old.avi").write_bytes(b"RIFF....AVI ")
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    video(tmp_path / "new\nline.mp4", 5, 5)
    video(tmp_path / f"{'n' * 130}.mp4", 5, 5)
    pictures(tmp_path / "one", ["1.png"])
    found = find(tmp_path)
    assert list(found.clips) == ["good"]
    assert {name: reason[:30] for name, reason in found.left_out.items()} == {
        "short.mp4": "lasts 2.0 s, a clip 5 s",
        "old.avi": "not an MP4 or MOV video but a ",
        "empty.mp4": "the file is empty",
        "pipe.mp4": "not a regular file",
        "new\nline.mp4": "its name is no clip's: at most",
        f"{'n' * 130}.mp4": "its name is no clip's: at most",
        "one": "holds 1 picture, 2 to 600 are ",
    }
    assert len(found.remarks()) == 1 and "2 more" in found.remarks()[0]


EMPTY = [
    (lambda folder: None, "no such folder of clips", "nothing there"),
    (lambda folder: folder.mkdir(), "holds no video and no folder of pictures; expected", "empty"),
    (lambda folder: pictures(folder, ["1.bmp"]), "no video and no folder of pictures, among 1 files", "other pictures"),
    (lambda folder: video(folder / "a.mp4", 1), "holds no clip that can be read: a.mp4: lasts 1.0 s", "too short"),
]


@pytest.mark.parametrize(("make", "message", "why"), EMPTY, ids=[case[2] for case in EMPTY])
def test_a_folder_without_clips_is_refused(make, message, why, tmp_path):
    make(tmp_path / "monday")
    with pytest.raises(UsageError, match=message):
        find(tmp_path / "monday")


def test_pictures_are_spread_over_a_clip_in_natural_order(tmp_path):
    pictures(tmp_path / "a", [f"frame{place}.png" for place in range(11)])
    [clip] = find(tmp_path).clips.values()
    at = [0, 0.4, 0.5, 4.0, 4.96]
    assert [shown(clip, second) for second in at] == [0, 0, 10, 80, 100]


def test_pictures_with_a_rate_are_a_recording(tmp_path):
    pictures(tmp_path / "a", [f"{place}.png" for place in range(24)])
    found = find(tmp_path, 2)
    assert list(found.clips) == ["a/000000", "a/000005"] and found.rests == {"a": 2.0}
    assert [shown(found.clips["a/000005"], second) for second in (0, 0.49, 0.5, 4.99)] == [100, 100, 110, 190]
    with pytest.raises(UsageError, match="--clips-fps 0: expected a rate above 0"):
        find(tmp_path, 0)


def test_many_pictures_need_a_rate(tmp_path):
    (tmp_path / "a").mkdir()
    for place in range(601):
        (tmp_path / "a" / f"{place}.jpg").touch()
    with pytest.raises(UsageError, match="a: holds 601 pictures, 2 to 600 are a clip; --clips-fps cuts a longer"):
        find(tmp_path)


def saved(picture, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, **options)
    return file.getvalue()


def test_pictures_of_phones_are_upright_and_whole(tmp_path):
    lying = grey(0, (64, 16))
    lying[:, :32] = 250
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right brings it upright
    (tmp_path / "p.jpg").write_bytes(saved(lying, format="JPEG", exif=turned, quality=95))
    square = picture_square(tmp_path / "p.jpg", 32)
    assert square.shape == (32, 32, 3) and square[:, :11].max() < 20 and square[:, -11:].max() < 20, "padded"
    assert square[2:14, 13:19].min() > 230 and square[18:30, 13:19].max() < 20


CUT, BITMAP = saved(grey(9), format="PNG")[:60], saved(grey(9), format="BMP")


@pytest.mark.parametrize("content", [b"", b"no picture", CUT, BITMAP], ids=["empty", "text", "cut off", "BMP"])
def test_damaged_pictures_are_refused_by_name(content, tmp_path):
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(RenderError, match=r"p\.png: not a readable picture"):
        picture_square(tmp_path / "p.png", 32)


def test_a_huge_picture_is_not_decoded(tmp_path):
    Image.new("1", (9000, 8)).save(tmp_path / "p.png")
    with pytest.raises(RenderError, match="has 9000 x 8 pixels, at most 8192 a side"):
        picture_square(tmp_path / "p.png", 32)


def test_a_picture_is_decoded_once_a_call(tmp_path, monkeypatch):
    pictures(tmp_path / "a", ["0.png", "1.png"])
    [clip] = find(tmp_path).clips.values()
    decoded = []
    module = "harness.prediction.own_clips.clip_files.picture_square"
    monkeypatch.setattr(module, lambda path, size: decoded.append(path.name) or grey(0))
    assert isinstance(clip.source, PictureFolder)
    assert clip.source.squares([0, 1000, 2000, 3000, 4000], SIDE).shape == (5, SIDE, SIDE, 3)
    assert decoded == ["0.png", "1.png"]


def test_a_digest_tells_folders_apart(tmp_path):
    pictures(tmp_path / "a" / "x", ["0.png", "1.png"])
    pictures(tmp_path / "b" / "x", ["0.png", "1.png"])
    pictures(tmp_path / "c" / "x", ["0.png", "1.png"], lambda place: 10 * place + 1)
    pictures(tmp_path / "d" / "y", ["0.png", "1.png"])
    a, b, c, d = (find(tmp_path / name).digest for name in "abcd")
    assert a == b and len({a, c, d}) == 3


def test_natural_order():
    names = ["b10", "b9", "B1", "a", "b09", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "a", "B1", "b09", "b9", "b10"]
