"""What an endpoint is sent, against the documentation of OpenAI (images, structured outputs) and vLLM (video)."""

from __future__ import annotations

import base64
import io
import json

import av
import numpy as np
import pytest
from PIL import Image

from harness.askers.chat import load
from harness.askers.messages import content, rate, response_format
from harness.errors import UsageError
from harness.prediction.predictor import Question

OPERATIONS = ("Pack", "Tape")


def question(frames=2, size=32):
    pixels = np.zeros((frames, size, size, 3), np.uint8)
    pixels[1:, :, :] = (255, 0, 0)
    indices = np.linspace(0, 124, frames).round().astype(np.int64)
    return Question("c", pixels, indices, indices / 25, "the published prompt")


def body(monkeypatch, asked=None, **options):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    chat = load("m", options)
    chat._operations = OPERATIONS
    chat.agreed = {"json": "schema" if chat.json_mode == "auto" else chat.json_mode}
    return json.loads(chat.body(asked or question(), chat.agreed["json"]))


def picture_in(part):
    assert part.keys() == {"type", "image_url"} and part["type"] == "image_url" and part["image_url"].keys() == {"url"}
    head, _, data = part["image_url"]["url"].partition(",")
    return head, Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def test_a_time_stands_before_each_picture(monkeypatch):
    """Endpoints number pictures, if at all; what lmms-eval calls the `qwen3_vl` format is the text of the time."""
    parts = body(monkeypatch)["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "image_url", "text"]
    assert [part["text"] for part in parts[::2]] == ["<0.00 seconds>", "<4.96 seconds>", "the published prompt"]
    head, picture = picture_in(parts[3])
    assert head == "data:image/jpeg;base64" and picture.size == (32, 32)
    assert np.abs(np.asarray(picture, int) - (254, 0, 0)).max() <= 2


def test_frames_alone_are_pictures_and_the_prompt_and_png_keeps_every_pixel(monkeypatch):
    parts = body(monkeypatch, show="frames", image="png")["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]
    head, picture = picture_in(parts[1])
    assert head == "data:image/png;base64" and (np.asarray(picture) == question().frames[1]).all()


def test_a_video_is_one_mp4_with_its_rate_and_is_not_sampled_again(monkeypatch):
    """Fields of vLLM's documentation: `video_url`, `mm_processor_kwargs`, `media_io_kwargs`."""
    sent = body(monkeypatch, question(8), show="video")
    video, text = sent["messages"][0]["content"]
    assert text == {"type": "text", "text": "the published prompt"}
    assert sent["mm_processor_kwargs"] == {"fps": 1.4113, "do_sample_frames": False}  # 7 frames in 4.96 s
    assert sent["media_io_kwargs"] == {"video": {"num_frames": -1}}
    head, _, data = video["video_url"]["url"].partition(",")
    assert head == "data:video/mp4;base64"
    with av.open(io.BytesIO(base64.b64decode(data))) as container:
        assert len(list(container.decode(video=0))) == 8
        assert float(container.streams.video[0].average_rate) == pytest.approx(7 / 4.96, rel=1e-3)


def test_one_frame_has_a_rate_too():
    assert rate(np.array([2.0])) == 1


def test_the_schema_has_operations_as_an_enumeration_and_frames_as_integers():
    """As OpenAI's strict structured outputs want it: every property required, none besides."""
    assert response_format("schema", OPERATIONS) == {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {
                    "dominant_operation": {"type": "string", "enum": ["Pack", "Tape"]},
                    "temporal_segment": {
                        "type": "object",
                        "properties": {"start_frame": {"type": "integer"}, "end_frame": {"type": "integer"}},
                        "required": ["start_frame", "end_frame"],
                        "additionalProperties": False,
                    },
                    "next_operation": {"type": "string", "enum": ["Pack", "Tape"]},
                },
                "required": ["dominant_operation", "temporal_segment", "next_operation"],
                "additionalProperties": False,
            },
        },
    }
    assert response_format("object", OPERATIONS) == {"type": "json_object"}


def test_sampling_is_sent_as_it_was_asked_for(monkeypatch):
    sent = body(monkeypatch, json="none", seed="7", temperature="0.5", max_tokens="300")
    assert {name: value for name, value in sent.items() if name != "messages"} == {
        "model": "m",
        "max_tokens": 300,
        "temperature": 0.5,
        "seed": 7,
    }


def test_a_template_has_prompt_frames_and_operations(monkeypatch, tmp_path):
    file = tmp_path / "prompt.j2"
    file.write_text("{{ operations | join('/') }} {% for f in frames %}{{ f.index }}@{{ f.seconds }} {% endfor %}")
    parts = body(monkeypatch, prompt=str(file), show="frames")["messages"][0]["content"]
    assert parts[-1]["text"] == "Pack/Tape 0@0.0 124@4.96 "


@pytest.mark.parametrize(
    "template",
    ["{{ ''.__class__.__mro__ }}", "{{ unknown }}", "{% for", "{{ operations.append('x') }}", "{% include 'x' %}"],
    ids=["reaches into Python", "an unknown name", "is cut off", "changes what it is given", "reads another file"],
)
def test_a_template_that_does_what_it_may_not_is_refused(monkeypatch, tmp_path, template):
    (tmp_path / "prompt.j2").write_text(template)
    with pytest.raises(UsageError, match="--prompt"):
        body(monkeypatch, prompt=str(tmp_path / "prompt.j2"))


def test_a_template_that_is_missing_or_no_text_is_refused(monkeypatch, tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("x" * 70_000)
    for name in ("missing", "bytes", "long", "."):
        with pytest.raises(UsageError, match="--prompt"):
            body(monkeypatch, prompt=str(tmp_path / name))


def test_pictures_keep_their_order():
    parts = content(question(3), "", "frames", "png")
    levels = [np.asarray(picture_in(part)[1])[0, 0, 0] for part in parts[:3]]
    assert levels == [0, 255, 255]
