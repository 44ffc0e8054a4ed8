"""What the lists of a rendering from elsewhere may say, by hand: each fault is named with file and line or member."""

from __future__ import annotations

import io
import json
import os
import shutil

import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")

from PIL import Image

from reference.errors import HarnessError, RenderError, ShardError
from reference.rendering.artifacts import image_pixels
from reference.rendering.picture_size import picture_size
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.rendering.shards import members_of, read_shard, write_shard
from reference.training.datasets import Clips, stream
from tests.reference.training.test_datasets import paint


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for form in ("frames", "shards"):
        render(Request(form=form, split="train", size=32, frames=4, limit=2), folder / form, draw=paint)
    return folder


@pytest.fixture
def folder(good, tmp_path):
    shutil.copytree(good / "frames", tmp_path / "frames")
    return tmp_path / "frames"


@pytest.fixture
def shards(good, tmp_path):
    shutil.copytree(good / "shards", tmp_path / "shards")
    return tmp_path / "shards"


def rewrite(path, change, line=0):
    lines = path.read_text().splitlines()
    row = json.loads(lines[line])
    lines[line] = json.dumps(change(row))
    path.write_text("\n".join(lines) + "\n")


def read(folder):
    clips = Clips(folder)
    return [clips[number] for number in range(len(clips))] + list(stream(folder))


ROWS = [
    ({"frames": "\0"}, 'frames is "', "a text as frames"),
    ({"frames": [1, 2, 3, 4]}, r"frames\[0\] is 1", "numbers as frames"),
    ({"frames": None}, "frames is null", "null as frames"),
    ({"frames": []}, "expected an array of 1 to 125", "no frames"),
    ({"frames": ["a", "b", "c"]}, "frames has 3 values, indices 4", "a frame fewer"),
    ({"frames": ["a\0", "b", "c", "d"]}, "expected a path within the folder", "NUL in a path"),
    ({"frames": ["a", "a", "b", "c"]}, "frames names a file twice", "a picture twice"),
    ({"frames": ["../a", "b", "c", "d"]}, "leads out of the folder", "a path out"),
    ({"frames": ["/etc/passwd", "b", "c", "d"]}, "leads out of the folder", "an absolute path"),
    ({"frames": ["x" * 300, "b", "c", "d"]}, "File name too long|leads out", "a name too long"),
    ({"video": 7}, "video is 7", "a number as a video"),
    ({"clip_id": 7}, "clip_id is 7", "a number as a clip"),
    ({"clip_id": ""}, "clip_id is", "no clip"),
    ({"clip_id": "\ud800"}, "clip_id is", "half a surrogate pair"),
    ({"indices": [0, 1, 2, 125]}, r"indices\[3\] is 125", "a frame behind the clip"),
    ({"indices": [0, 1, 1, 2]}, "indices do not rise", "indices that do not rise"),
    ({"indices": [0, 1.5, 2, 3]}, r"indices\[1\] is 1.5", "half a frame"),
    ({"indices": {}}, "indices is an object", "an object as indices"),
    ({"times_s": [0, 1]}, "times_s has 2 values", "times fewer"),
    ({"times_s": [9, 9, 9, 9]}, "the frame with index 0 is at 0.0", "times of other frames"),
    ({"times_s": [None] * 4}, r"times_s\[0\] is null", "null as a time"),
    ({"times_s": ["0"] * 4}, r"times_s\[0\] is ", "texts as times"),
    ({"prompt": None}, "prompt is null", "no prompt"),
    ({"prompt": ["p"]}, "prompt is an array", "a list as a prompt"),
    ({"paint_out": "slip"}, "paint_out is", "a text as surfaces"),
    ({"indices": [0, 62, 124], "times_s": [0, 2.48, 4.96]}, "has 3 frames, render.json says 4", "fewer than promised"),
]


@pytest.mark.parametrize(("change", "message", "why"), ROWS, ids=[case[-1] for case in ROWS])
def test_a_line_of_the_list(change, message, why, folder):
    rewrite(folder / "clips.jsonl", lambda row: row | change)
    with pytest.raises(RenderError, match=rf"clips\.jsonl.*({message})"):
        read(folder)


FILES = [
    ("clips.jsonl", b"[" * 100_000 + b"\n", r"clips\.jsonl:1: nested deeper than 64", "deep nesting"),
    ("clips.jsonl", b"\xff\n", r"clips\.jsonl:1: not UTF-8", "no UTF-8"),
    ("clips.jsonl", b"1\n", r"clips\.jsonl:1: it is 1, expected an object", "a number as a line"),
    ("clips.jsonl", b"x" * (2 << 20), r"clips\.jsonl:1: has more than", "a line too long"),
    ("render.json", b"[" * 100_000, r"render\.json: nested deeper", "a deep request"),
    ("render.json", b"[]", r"render\.json: it is an array", "no request"),
    ("render.json", b'{"request": {"size": 100000}}', r"render\.json: world_digest is missing", "half a request"),
    ("truth.jsonl", b"{}\n", r"truth\.jsonl:1: clip_id is missing", "planted truth"),
    ("truth.jsonl", b"[[[[", r"truth\.jsonl:1: not JSON", "planted garbage"),
    ("truth.jsonl", b'{"clip_id": NaN}', r"truth\.jsonl:1: not JSON", "NaN"),
]


@pytest.mark.parametrize(("name", "content", "message", "why"), FILES, ids=[case[-1] for case in FILES])
def test_a_list_that_is_none(name, content, message, why, folder):
    (folder / name).write_bytes(content)
    with pytest.raises(RenderError, match=message):
        read(folder)


@pytest.mark.parametrize("name", ["clips.jsonl", "truth.jsonl", "render.json", "a picture"])
def test_a_pipe_does_not_hang(name, folder):
    path = next((folder / "frames").rglob("*.jpg")) if name == "a picture" else folder / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RenderError, match="not a regular file"):
        read(folder)


def picture(side, kind="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", side).save(buffer, kind)
    return buffer.getvalue()


def huge(width, height):
    """A JPEG whose header promises these sides and whose data hold 16 x 16 pixels."""
    content = bytearray(picture((16, 16)))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(content)


PICTURES = [
    (picture((32, 16)), "has 32 x 16 pixels, expected 32 x 32", "another shape"),
    (picture((64, 64), "WEBP"), "has 64 x 64 pixels, expected 32 x 32", "another size as WebP"),
    (huge(16_000, 8_000), "has 16000 x 8000 pixels, expected 32 x 32", "128 megapixels"),
    (picture((32, 32), "PNG"), "no header of a JPEG or WebP", "another format"),
    (picture((32, 32))[:300], "not a readable picture", "a cut picture"),
    (b"", "not a readable picture", "nothing"),
]


@pytest.mark.parametrize(("content", "message", "why"), PICTURES, ids=[case[-1] for case in PICTURES])
def test_a_picture_is_what_was_promised(content, message, why, folder):
    """The header is read before the picture is decoded, so that no picture takes more memory than was promised."""
    next((folder / "frames").rglob("*.jpg")).write_bytes(content)
    with pytest.raises(RenderError, match=message):
        read(folder)


WEBP = [{"lossless": True}, {"quality": 50}, {"quality": 50, "exif": b"Exif\0\0x"}]


@pytest.mark.parametrize("options", WEBP, ids=["lossless", "lossy", "extended"])
def test_sizes_in_headers(options):
    buffer = io.BytesIO()
    Image.effect_noise((30, 20), 50).convert("RGB").save(buffer, "WEBP", **options)
    assert picture_size(buffer.getvalue()) == (30, 20) and image_pixels(buffer.getvalue(), "x").shape == (20, 30, 3)
    assert picture_size(picture((30, 20))) == (30, 20)


def test_without_a_promise_sides_are_limited_and_alike(folder):
    (folder / "render.json").unlink()
    assert len(read(folder)) == 4
    first = next((folder / "frames").rglob("*.jpg"))
    first.write_bytes(picture((16, 16)))
    with pytest.raises(RenderError, match="another size than the clip's first picture"):
        read(folder)
    first.write_bytes(huge(4000, 16))
    with pytest.raises(RenderError, match="sides of at most 2048 are read"):
        read(folder)


def reshard(folder, change):
    """Write the shard again, `change` applied to the members of each sample; the index is kept."""
    path = next((folder / "shards").glob("*.tar"))
    samples = [(sample.key, change(dict(sample.members))) for sample in read_shard(path)]
    write_shard(path, samples)


def fact(**changes):
    return lambda members: members | {"json": json.dumps(json.loads(members["json"]) | changes).encode()}


MEMBERS = [
    (fact(clip_id="other"), r'json calls its clip "other"', "another clip"),
    (fact(indices=[]), "indices is an array of 0", "no indices"),
    (fact(prompt=None), "prompt is null", "no prompt"),
    (lambda members: members | {"json": b"[" * 9999}, "json: nested deeper than 64", "deep nesting"),
    (lambda members: members | {"json": b"\xff"}, "json: not UTF-8", "no UTF-8"),
    (lambda members: members | {"truth.json": b"{}"}, "truth.json: dominant_operation is missing", "no truth"),
    (lambda members: {k: v for k, v in members.items() if k != "json"}, "json is missing", "no json"),
    (lambda members: {k: v for k, v in members.items() if k[:2] != "01"}, "has the pictures 00, 02, 03", "a gap"),
    (lambda members: members | members_of({}, [b""] * 5, "jpg", None) | {"json": members["json"]}, "04", "one more"),
]


@pytest.mark.parametrize(("change", "message", "why"), MEMBERS, ids=[case[-1] for case in MEMBERS])
def test_a_member_of_a_shard(change, message, why, shards):
    """Each change is made to the first clip, whose place in the index stays."""
    reshard(shards, change)
    with pytest.raises(ShardError, match=rf"\.tar: .*{message}"):
        read(shards)


INDEX = [
    (lambda index: {}, "files is missing", "no files"),
    (lambda index: {"files": [{"path": 1, "offsets": {}}]}, r"files\[0\].path is 1", "a number as a path"),
    (lambda index: {"files": [index["files"][0] | {"offsets": {"x": 1}}]}, "does not say where clip", "another clip"),
    (lambda index: {"files": [index["files"][0] | {"offsets": {"x": -1}}]}, r"offsets.x is -1", "a negative place"),
]


@pytest.mark.parametrize(("change", "message", "why"), INDEX, ids=[case[-1] for case in INDEX])
def test_an_index(change, message, why, shards):
    path = shards / "index.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(RenderError, match=rf"index\.json.*{message}"):
        read(shards)


def test_a_shard_gives_only_the_clips_that_the_list_names_there(shards):
    """By index a place of another clip is noticed, as a stream a clip that no line names."""
    index = json.loads((shards / "index.json").read_text())
    offsets = index["files"][0]["offsets"]
    first, second = offsets
    index["files"][0]["offsets"] = {first: offsets[second], second: offsets[first]}
    (shards / "index.json").write_text(json.dumps(index))
    with pytest.raises(RenderError, match=f"clip {first} begins elsewhere, there is {second}"):
        Clips(shards)[0]
    lines = (shards / "clips.jsonl").read_text().splitlines()
    (shards / "clips.jsonl").write_text(lines[0] + "\n")
    with pytest.raises(ShardError, match=rf"holds clip {second}, which clips\.jsonl does not name there"):
        list(stream(shards))


def test_every_refusal_is_one_of_ours(folder):
    rewrite(folder / "clips.jsonl", lambda row: row | {"clip_id": "x\ny"})
    with pytest.raises(HarnessError):
        read(folder)
