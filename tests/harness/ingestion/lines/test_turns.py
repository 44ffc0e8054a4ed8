"""What a model said in a text: its own turn, whatever template wrote it, and none of its thoughts."""

import pytest

from harness.ingestion.lines.turns import said_in
from harness.prediction.floors import NoFloors
from harness.prediction.replies import FALLBACK, MODEL, Reader
from reference.task import OPERATIONS

OWN = '{"dominant_operation": "Tape", "temporal_segment": [14, 98], "next_operation": "Put Items"}'
OTHER = OWN.replace("Tape", "Idle")

TURNS = [
    # a text in which OWN is the model's answer and OTHER is not
    f"{OWN}<|im_end|>\n<|im_start|>user\nNext clip.<|im_end|>\n<|im_start|>assistant\n{OTHER}",
    f"{OWN}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{OTHER}",
    f"{OWN}<end_of_turn>\n<start_of_turn>user\nNext.<end_of_turn>\n<start_of_turn>model\n{OTHER}",
    f"{OWN}</s>{OTHER}",
    f"<s>{OWN}</s>{OTHER}",
    f"So {OWN}<|endoftext|>{OTHER}",
    f"```json\n{OWN}\n```<|end|><|assistant|>{OTHER}",
    f"{OWN}[INST] Next. [/INST]{OTHER}",
    f"{OWN}<｜end▁of▁sentence｜><｜User｜>Next.<｜Assistant｜>{OTHER}",
    f"{OWN}\nUSER: Next clip.\nASSISTANT: {OTHER}",
    f"{OWN}\n\nHuman: Next clip.\n\nAssistant: {OTHER}",
    f"{OWN}\n### Instruction:\nNext.\n### Response:\n{OTHER}",
    f"{OWN}\nuser\nNext clip.\nassistant\n{OTHER}",
    f"{OWN}assistant\n\n{OTHER}",
    f"You see tape. {OWN}</s>{OTHER}",
    f"{OWN}<pad><pad>{OTHER}",
    f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{OWN}<|return|>"
    f"<|start|>user<|message|>Next.<|end|><|start|>assistant<|channel|>final<|message|>{OTHER}",
    # a text that begins with the question
    f"<|im_start|>user\n{OTHER}<|im_end|>\n<|im_start|>assistant\n{OWN}<|im_end|>\n<|im_start|>user\n{OTHER}",
    f"<s>[INST] {OTHER} [/INST] {OWN}</s>",
    f"A chat between a user and an assistant. \nUSER: {OTHER}\nASSISTANT: {OWN}</s>",
    f"Answer such as {OTHER}<|assistant|>\n{OWN}",
    f"<image>\nUSER: Answer such as {OTHER}\nASSISTANT: {OWN}",
    f"[gMASK]<sop><|user|>\n{OTHER}<|assistant|>\n{OWN}",
    f"user\nAnswer such as {OTHER}\nassistant\n{OWN}",
    f"user\nAnswer such as {OTHER}\nmodel\n{OWN}",
    f"system\n\nBe brief.user\n\n{OTHER}assistant\n\n{OWN}",
    # no question at all
    f"Human: grips the box.\n{OWN}",
    f"</s>{OWN}</s>",
]
THOUGHTS = [
    # how a thought begins, how it ends
    ("<think>", "</think>"),
    ('<think time="3">', "</think>"),
    ("&lt;think&gt;", "&lt;/think&gt;"),
    ("<seed:think>", "</seed:think>"),
    ("<analysis>", "</analysis>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel>thought\n", "<channel|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ('<details type="reasoning" done="true">\n', "\n</details>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("analysisWe see ", "assistantfinal"),
]


@pytest.mark.parametrize("text", TURNS)
def test_a_turn_that_the_model_made_up_is_no_answer(text):
    said = said_in(text)
    assert OWN in said and OTHER not in said


@pytest.mark.parametrize("begin, end", THOUGHTS)
def test_no_draft_in_a_thought_is_an_answer(begin, end):
    closed = said_in(f"{begin}Perhaps {OTHER}? No.{end}{OWN}")
    assert OWN in closed and OTHER not in closed
    assert OTHER not in said_in(f"{begin}Perhaps {OTHER}"), "cut off"


@pytest.mark.parametrize("text, source", [(TURNS[0], MODEL), (f"[THINK]{OTHER}[/THINK]{OWN}", MODEL)])
def test_a_reply_is_read_as_the_line_of_a_file(text, source):
    line = Reader(NoFloors([], OPERATIONS)).line("c", text, None)
    assert (line["dominant_operation"], line["source"]) == ("Tape", source)
    cut_off = Reader(NoFloors([], OPERATIONS)).line("c", f"[THINK]{OWN}", None)
    assert (cut_off["dominant_operation"], cut_off["source"]) == (None, FALLBACK)


def test_the_last_of_a_folded_block_says_nothing_alone():
    text = f"{OWN}</details>"
    assert said_in(text) == text


@pytest.mark.parametrize("piece", ["<", "</s>", "\nUSER:", "<|im_start|>" + " " * 40, "<think ", "<details ", "\n"])
def test_the_work_on_marks_grows_with_the_text(piece):
    """Sizes apart by ten take steps apart by ten: a quadratic search would not end within the test."""
    assert isinstance(said_in(piece * (100_000 // len(piece)) + "assistant"), str)
