"""Shards of a rendering: merged they are the files of one process, byte for byte, and what is damaged is refused."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")

from harness.errors import HarnessError
from harness.prediction.sharding.merge import merge
from reference.errors import RenderError
from reference.rendering.render_split import render
from tests.reference.rendering.test_render_split import paint, rows, small, tree

CASES = {
    "frames": {"limit": 20},
    "shards to learn from": {"limit": 130, "form": "shards", "frames": 1, "size": 16, "split": "train"},
}


def shards(folder, total=3, **choices):
    """Render the shards, the last one first, and return their folders in order."""
    for number in range(total, 0, -1):
        render(small(**choices, shard=f"{number}/{total}"), folder / str(number), draw=paint)
    return [folder / str(number) for number in range(1, total + 1)]


@pytest.mark.parametrize("case", CASES)
def test_three_shards_are_one_rendering(tmp_path, case):
    render(small(**CASES[case]), tmp_path / "one", draw=paint)
    merged = merge(*shards(tmp_path / "shards", **CASES[case])[::-1], output=tmp_path / "merged")
    assert tree(tmp_path / "merged") == tree(tmp_path / "one")
    assert (merged.shards, merged.clips) == (3, CASES[case]["limit"])
    again = render(small(**CASES[case]), tmp_path / "merged", draw=paint)
    assert again.rendered == 0, "it is taken for what one process made"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return shards(tmp_path_factory.mktemp("parts"), limit=20)


def test_chosen_clips_alone_are_drawn(tmp_path, parts):
    chosen = tuple(row["clip_id"] for row in rows(parts[1]))
    render(small(limit=None, clips=chosen), tmp_path / "chosen", draw=paint)
    assert rows(tmp_path / "chosen") == rows(parts[1])


def test_a_shard_says_that_it_is_one(tmp_path, parts):
    assert json.loads((parts[1] / "render.json").read_text())["request"]["shard"] == "2/3"
    with pytest.raises(RenderError, match="holds another rendering"):
        render(small(limit=20), shutil.copytree(parts[1], tmp_path / "2"), draw=paint)
    with pytest.raises(HarnessError, match="20 clips in 3 groups cannot be cut into 4 shards; choose 3 or fewer"):
        render(small(limit=20, shard="1/4"), tmp_path / "4", draw=paint)


def damage_index(folder):
    (folder / "index.json").unlink()


def damage_picture(folder):
    next(iter(folder.glob("frames/*/*.jpg"))).write_bytes(b"")


def damage_a_byte(folder):
    picture = next(iter(folder.glob("frames/*/*.jpg")))
    content = picture.read_bytes()
    picture.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def damage_folder(folder):
    shutil.rmtree(next(folder.glob("frames/*")))


def damage_list(folder):
    lines = (folder / "clips.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "clips.jsonl").write_bytes(b"".join(lines[1:]))


DAMAGES = [
    (damage_index, r"not finished yet: .*2 \(shard 2 of 3\); the command that began a shard resumes it"),
    (damage_picture, "bytes, index.json says .*; the command that rendered this shard repairs it"),
    (damage_a_byte, "was altered .*; delete it, and the command that rendered this shard repairs it"),
    (damage_folder, "is missing; the command that rendered this shard repairs it"),
    (damage_list, "index.json says another number; the command that rendered this shard repairs it"),
]


@pytest.mark.parametrize("damage, said", DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_damage_is_refused_and_leaves_nothing(tmp_path, parts, damage, said):
    copies = [shutil.copytree(part, tmp_path / part.name) for part in parts]
    damage(copies[1])
    with pytest.raises(HarnessError, match=said):
        merge(*copies, output=tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3"]


def test_shards_of_another_rendering_are_refused(tmp_path, parts):
    other = shards(tmp_path, limit=20, frames=2)
    with pytest.raises(HarnessError, match=r"is of another whole than .*frames 2, not 8"):
        merge(parts[0], other[1], parts[2], output=tmp_path / "merged")
    with pytest.raises(HarnessError, match="hold shard 2 of 3 with different contents"):
        changed = shutil.copytree(parts[1], tmp_path / "changed")
        index = json.loads((changed / "index.json").read_text())
        index["files"][0]["sha256"] = "0" * 64
        (changed / "index.json").write_text(json.dumps(index))
        merge(*parts, changed, output=tmp_path / "merged")
