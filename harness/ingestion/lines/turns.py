"""What a model said at last in a text: without the question before it, what follows the end of its turn, and thoughts.

The marks of chat templates and of thoughts are data. A text that begins with the question holds the answer in the last
of the model's turns. In any other text the model speaks first, and what follows the end of that is a turn that it made
up.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import NamedTuple

MODEL, ASKER, OPENING, NOBODY = "model", "asker", "opening", "nobody"
_MODELS = "assistant|model|chatbot|gpt"
_ROLE = rf"(?:{_MODELS}|user|human|system|developer|tool)"
_SPOKEN_BY_MODEL = re.compile(rf"{_MODELS}|response|/INST", re.IGNORECASE)
TOKENS = (
    rf"<\|im_start\|>\s*{_ROLE}(?:<\|im_sep\|>)?",  # Qwen, InternVL, Phi-4
    rf"<\|im_{_ROLE}\|>(?:\w{{1,20}}<\|im_middle\|>)?",  # Kimi
    rf"<start_of_turn>\s*{_ROLE}|<\|turn>\s*{_ROLE}",  # Gemma
    rf"<\|start\|>\s*{_ROLE}",  # gpt-oss
    rf"<\|(?:start_header_id|header_start)\|>\s*{_ROLE}\s*<\|(?:end_header_id|header_end)\|>",  # Llama
    rf"<\|start_of_role\|>\s*{_ROLE}\s*<\|end_of_role\|>",  # Granite
    rf"<\|start_of_turn_token\|>\s*<\|{_ROLE}_token\|>",  # Command
    rf"<[|｜]{_ROLE}[|｜]>",  # Phi-3, GLM, DeepSeek
    r"\[/?INST\]",  # Mistral, Llama 2
)
"""Special tokens that begin a turn and say who speaks."""
LABELS = (
    r"\n(?:assistant|model|user|human|system)[ \t]{0,9}(?=\n|$)",  # tokens that were decoded without their marks
    r"\n(?:\#{1,6} ?)?(?:USER|[Uu]ser|HUMAN|[Hh]uman|ASSISTANT|[Aa]ssistant):",  # Vicuna, Idefics
    r"\n\#{2,6} ?(?:Instruction|Response):",  # Alpaca
    r"assistant(?<=[^\s-]assistant)\n\n|user(?<=[^\s-]user)\n\n",  # Llama 3, decoded without marks
)
"""Words that do the same. Since people are called so too, one of who asks counts only before one of a model."""
ENDS = (
    r"<\|im_end\|>|<\|(?:eot|eom)(?:_id)?\|>|<end_of_turn>|<turn\|>|<end_of_utterance>|<\|end_of_turn_token\|>",
    r"<\|end\|>(?!\s*<\|(?:channel\|>|start\|>\s*assistant))|<\|return\|>",  # gpt-oss: also after a thought
    r"</s>|<eos>|<pad>|\[EOS\]|<\|end_?of_?text\|>|<[|｜]end[▁_]of[▁_]sentence[|｜]>",
)
"""Special tokens that end a turn or a text. Where nothing was said before them they end nothing."""
_NOTHING = re.compile(
    r"(?:\s|<s>|<bos>|\[BOS\]|\[gMASK\]|<\|(?:begin|start)_?of_?text\|>|<[|｜]begin[▁_]of[▁_]sentence[|｜]>"
    r"|<\|?/?(?:image|video|vision|img|media|sop)\w{0,20}\|?>)*"
)
"""White space, tokens that begin a text, and those that stand for pictures."""
_TOKEN = re.compile(rf"(?=[<\[])(?:{'|'.join(TOKENS)}|(?P<end>{'|'.join(ENDS)}))", re.IGNORECASE)
_MARKS = (_TOKEN, *map(re.compile, LABELS))
_HINTS = ("<", "&lt;", "◁", "INST]", "EOS]", "THINK]", "ssistant", "SSISTANT", "model", "Response:", "analysis")
"""A text that holds none of these holds no mark; most texts are told so in a microsecond."""
PREAMBLE = re.compile(r"\s*(?:A chat between |You are |SYSTEM:|System:|Below is an instruction)")
"""Beginnings of what is said before the first question."""
_ANSWER_BEGINS = re.compile(r"\s*(?:\{|`{3}|~{3})")
_NAME = r"(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis|cot)"
_TAG = rf"{_NAME}(?:_(?:content|process)|:\w{{1,40}})?"
_THOUGHT_ENDS = re.compile(
    rf"(?=[<&◁\[])(?:(?:<|&lt;)/{_TAG}\s?(?:>|&gt;)|<\|/{_TAG}\|>|◁/think▷|(?-i:\[/THINK\])|<channel\|>|<unused95>"
    r"|<\|(?:end_of_thought|end_thinking|think_end|inner_suffix)\|>|<\|channel\|>\s*final)",
    re.IGNORECASE,
)
_THOUGHT_BEGINS = re.compile(
    rf"(?=[<&◁\[])(?:(?:<|&lt;){_TAG}(?:\s[^<>&]{{0,200}})?(?:>|&gt;)|<\|{_TAG}\|>|◁think▷|(?-i:\[THINK\])"
    r"|<\|(?:begin_of_thought|start_thinking|think_start|inner_prefix)\|>|<\|channel\|>\s*analysis"
    r"|<\|channel>\s*thought|<unused94>\s*thought)",
    re.IGNORECASE,
)
"""Marks round what a model only thought: no draft in it is an answer, also where the first or the last is missing."""
_PAIRS = (
    (re.compile(r"<details\b[^<>]{0,200}reasoning"), re.compile("</details>")),  # pages that fold thoughts away
    (re.compile(r"\A\s*analysis(?=[A-Z])"), re.compile("assistantfinal")),  # gpt-oss, decoded without marks
)
"""Marks of thoughts of which the last says nothing without the first."""


class _Piece(NamedTuple):
    """What stands between two marks of turns: who speaks, in which of the turns, and the text."""

    speaker: str
    turn: int
    text: str


def said_in(text: str) -> str:
    """Return what a model said at last: its own turn, without thoughts."""
    if not any(hint in text for hint in _HINTS):
        return text
    text = _turn_in(text)
    pairs = [pair for pair in _PAIRS if pair[0].search(text)]
    ends = [mark.end() for end in (_THOUGHT_ENDS, *(end for _, end in pairs)) for mark in end.finditer(text)]
    text = text[max(ends) :] if ends else text
    begins = [
        mark.start() for begin in (_THOUGHT_BEGINS, *(begin for begin, _ in pairs)) if (mark := begin.search(text))
    ]
    return text[: min(begins)] if begins else text


def _turn_in(text: str) -> str:
    """Return the model's turn in a text."""
    lines = f"\n{text}"  # so that each label stands behind a line feed
    marks = _marks(lines)
    if not marks:
        return text
    pieces = _pieces(lines, marks)
    first = next((piece for piece in pieces if _says(piece.text)), _Piece(NOBODY, 0, ""))
    last = max((piece.turn for piece in pieces if piece.speaker == MODEL), default=0)
    if first.speaker == OPENING and _THOUGHT_BEGINS.match(first.text.lstrip()):  # gpt-oss begins a turn after it
        return "".join(piece.text for piece in takewhile(lambda piece: piece.speaker in (OPENING, MODEL), pieces))
    if first.speaker == OPENING and not (last and _is_question(first.text, pieces)):
        return first.text
    return next((piece.text for piece in pieces if piece.turn == last > 0 and _says(piece.text)), "")


def _says(text: str) -> bool:
    """Return True unless a text is white space and tokens that say nothing."""
    return _NOTHING.fullmatch(text) is None


def _marks(text: str) -> list[re.Match[str]]:
    """Return the marks of turns in a text, in order, without labels of who asks that no model answers."""
    marks = sorted((mark for kind in _MARKS for mark in kind.finditer(text)), key=re.Match.start)
    answered = max((mark.start() for mark in marks if _speaker(mark) == MODEL), default=-1)
    return [mark for mark in marks if mark.start() < answered or _speaker(mark) != ASKER or mark.re is _TOKEN]


def _speaker(mark: re.Match[str]) -> str:
    """Return who speaks after a mark."""
    if mark.re is _TOKEN and mark["end"]:
        return NOBODY
    return MODEL if _SPOKEN_BY_MODEL.search(mark[0]) else ASKER


def _pieces(text: str, marks: list[re.Match[str]]) -> list[_Piece]:
    """Return the pieces of a text between its marks."""
    pieces, speaker, turn, at = [], OPENING, 0, 0
    for mark in marks:
        said = text[at : mark.start()]
        pieces.append(_Piece(speaker, turn, said))
        if (after := _speaker(mark)) != NOBODY:
            speaker, turn = after, turn + 1
        elif _says(said):
            speaker, turn = NOBODY, turn + 1
        at = mark.end()
    return [*pieces, _Piece(speaker, turn, text[at:])]


def _is_question(opening: str, pieces: list[_Piece]) -> bool:
    """Return True for the first words of a text where they belong to the question that a later turn answers."""
    after = next(piece.speaker for piece in pieces if piece.speaker != OPENING)
    return PREAMBLE.match(opening) is not None or (after == MODEL and not _ANSWER_BEGINS.match(opening))
