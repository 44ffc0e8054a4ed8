"""What is said before a long rendering: right within the spread of its clips, and nothing for a short one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")

from harness.worlds.rendering import announcement
from reference.errors import RenderError
from reference.rendering import estimate as estimating
from reference.rendering.estimate import FEW_CLIPS, Estimate, check_room, estimate
from reference.rendering.render_split import render, source_of
from reference.rendering.request import Request
from reference.rendering.writers import Writer
from tests.reference.rendering.test_render_split import paint


def planned(folder: Path, **changes) -> Estimate | None:
    request = Request(**{"size": 64, **changes})
    return estimate(Writer(folder, request, source_of(request, draw=paint)))


@pytest.mark.parametrize(("form", "tolerance"), [("frames", 0.1), ("video", 0.3)])
def test_an_estimate_is_the_size_of_the_rendering(tmp_path, form, tolerance):
    request = Request(form=form, size=64, limit=FEW_CLIPS + 16, split="validation")
    before = []
    made = render(request, tmp_path / "out", draw=paint, announce=lambda *said: before.append(said))
    [(said, free)] = before
    assert said.clips == made.clips == FEW_CLIPS + 16 and free > said.bytes
    assert said.pictures == (made.clips * 8 if form == "frames" else 0)
    assert said.bytes == pytest.approx(made.bytes, rel=tolerance)
    again = []
    render(request, tmp_path / "out", draw=paint, announce=lambda *said: again.append(said))
    assert not again, "a resumed rendering needs what is missing, and says its progress"


def test_a_short_rendering_says_nothing(tmp_path):
    assert planned(tmp_path, limit=FEW_CLIPS) is None
    assert planned(tmp_path, limit=FEW_CLIPS + 1) is not None


def test_a_full_disk_is_found_before_the_first_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(estimating.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(
        RenderError, match=r"out: the rendering takes about .* GB are free there; choose another folder"
    ):
        render(Request(size=64), tmp_path / "out", draw=paint, announce=lambda *said: None)
    assert not (tmp_path / "out").exists()
    assert check_room(tmp_path / "new" / "folder", Estimate(1, 8, 1000, 1.0, 1)) == 1000


def test_the_sentence():
    request = Request(split="train")
    said = announcement(request, 2, Estimate(5760, 46080, 2_040_000_000, 340.0, 9), 91_300_000_000)
    assert said.startswith(
        "warehouse-v2 / train: 5,760 clips as frames, 46,080 pictures of 336 x 336: about 2.0 GB and "
    )
    assert said.endswith(" with 2 workers, judged by 9 of the clips; 91.3 GB are free there")
