"""Objects of other evaluation and training tools -> canonical predictions.

A model's text becomes `raw_output` without an answer beside it, and the strict checker reads the answer from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from harness.errors import SubmissionError
from harness.ingestion.contents import last_turn, question_in, text_in, unwrapped
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import EITHER, MODEL_TEXTS, PROMPTS, TARGETS, is_truth_row, named_like, text_names
from harness.ingestion.formats.documents import first, member, members
from harness.ingestion.formats.records import Item, Options, Unshaped
from harness.ingestion.formats.replies import failure_of, reply_in, several_in
from harness.ingestion.formats.reported import cost_in
from harness.ingestion.lines.fields import ANSWERING_FIELDS, CLIP_NAMES, OPTIONAL_FIELDS
from harness.ingestion.lines.hints import LENIENT
from harness.ingestion.strict_json import Fault
from harness.ingestion.submission_file import SubmissionFile
from harness.usage.fields import NAMES

TEXT_FIELDS = ("raw_output", "output", "response", "text", "answer", "prediction", "generated_text", "completion")
_ANSWER, _TEMPLATE = re.compile("answer"), re.compile("text")
TOOL_ROWS = {
    "lm-eval": {"filtered_resps", "doc"},
    "lmms-eval": {"filtered_resps", "doc_id"},
    "inspect": {"epoch", "output", "input"},
    "evalscope": {"model_output", "index"},
    "vlmevalkit": {"index", "question", "prediction"},
}
"""Keys by which a row is one of a tool."""
SHORTEST_PROMPT, MEMBERS_SEEN = 20, 64
_UNSAID = re.compile(r"\s+|<[|｜][^<>|｜\s]{1,40}[|｜]>|</?\w{1,30}>|\[/?[A-Z_]{2,20}\]")
_SAID = re.compile(rf"(?:(?!{_UNSAID.pattern}).)+", re.DOTALL)
"""White space and special tokens, which a decoded prompt may lack, and what stands between them."""
ALONE = "keep clip_id and the model's text, as raw_output"


def canonical(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return a canonical object as it is, or with the answer that stands inside one of its fields beside the others."""
    name = answer_field(value)
    if not name and (not ANSWERING_FIELDS.isdisjoint(value) or "raw_output" in value):
        return value
    if not name:
        if why := failure_of(value):
            raise Unshaped("", "no answer" + why, "an answer, or null to abstain", LENIENT)
        return value
    inner, clip_id = value[name], value.get("clip_id")
    other = next((said for key in CLIP_NAMES if isinstance(said := inner.get(key), str)), clip_id)
    if isinstance(clip_id, str) and isinstance(other, str) and clip_id not in other:
        wrong = f"the answer in {quote(name)} of {quote(clip_id)} names {quote(other)}"
        raise Unshaped("clip_id", wrong, "an answer to the line's own clip", code="CONFLICT")
    words = {*named_like(MODEL_TEXTS, value)} - {"raw_output"}  # what the model said round its answer
    beside = {key: item for key, item in value.items() if key not in words | {name}}
    beside = {key: item for key, item in beside.items() if key not in inner or key == "clip_id"}
    return {key: item for key, item in inner.items() if key != "clip_id"} | beside


def answer_field(value: dict[str, Any]) -> str:
    """Return the field under which an object with answer fields is plainly the model's answer, or nothing.

    Beside a target or a question it counts only under a name that none but a model's text has, as it does beside
    words of the model; other_answers.py refuses words with another answer.
    """
    if not ANSWERING_FIELDS.isdisjoint(value):
        return ""
    models, either, targets = (named_like(names, value) for names in (MODEL_TEXTS, EITHER, TARGETS))
    name, *others = [name for name in (*models, *either) if value[name] is not None] or [""]
    objects = [
        name for name in models if isinstance(value[name], dict) and not ANSWERING_FIELDS.isdisjoint(value[name])
    ]
    words = [name for name in models if isinstance(value[name], str)]
    if len(objects) == 1 and {name, *others} == {*objects, *words}:
        name, others = objects[0], []
    stated = [other for other in targets if value[other] is not None]
    beside = [] if name in models else [*models, *stated, *named_like(PROMPTS, value)]  # as rows of a data set have
    inner = value.get(name)
    if others or beside or not isinstance(inner, dict) or is_truth_row(inner):
        return ""
    return "" if ANSWERING_FIELDS.isdisjoint(inner) else name


def is_known(name: str) -> bool:
    """Return True for a name of a model's text, of a target, of either or of a question, so that it is no clip's."""
    return any(named_like(names, (name,)) for names in (MODEL_TEXTS, EITHER, TARGETS, PROMPTS))


def holds_text(value: dict[str, Any]) -> bool:
    """Return True if some field holds a text that may be the model's."""
    return any(text_in(value[name]) is not None for name in text_names(value))


def repeats_turn(value: dict[str, Any], field: str) -> bool:
    """Return True if the turns add nothing to the model's text in another field: the last is its text or a question."""
    turn, model = last_turn(value.get(field)), named_like(MODEL_TEXTS, value)
    if reply := reply_in(value):
        return not turn or _same(reply.text, turn)
    if not turn:
        return bool(value.get(field) and model)
    names = model or named_like(EITHER, value)
    return bool(names) and all(_same(value[name], turn) for name in names)


def raw_text(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape {"clip_id", "response"}: the model's text under one of the usual names.

    A name that only a model's text has is read beside a target. One that may be either is read where it stands alone.
    """
    if not ANSWERING_FIELDS.isdisjoint(value) or answer_field(value):
        return canonical(value, options)
    said = {name: text_in(value[name]) for name in named_like(MODEL_TEXTS, value)}
    said = {name: text for name, text in said.items() if text is not None} or said
    said = {name: text for name, text in said.items() if name in TEXT_FIELDS} or said
    either = {name: text_in(value[name]) for name in named_like(EITHER, value) if value[name] is not None}
    targets = [name for name in named_like(TARGETS, value) if value[name] is not None]
    if len({*said.values(), *either.values()}) > 1:
        raise _two_texts([*said, *either])
    if not said and targets and (answers := named_like(_ANSWER, value)):
        raise _two_texts([answers[0], targets[0]])
    name, text = next(iter((said | either).items()), ("raw_output", None))
    shaped = _with_text(text or "", name, value, f"one of {', '.join(TEXT_FIELDS)}")
    return {key: item for key, item in value.items() if key not in said | either and key not in NAMES} | shaped


def prediction_text(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a row of a tool that calls the model's text `prediction`, and the target `answer` (VLMEvalKit)."""
    return _with_text(text_in(value.get("prediction")) or "", "prediction", value, "the model's text")


def _two_texts(names: list[str]) -> Unshaped:
    """Return the refusal of a row in which one field may be the model's text and another one the target."""
    shown = " and ".join(quote(name) for name in names)
    wrong = f"different texts in {shown}: one may be the target"
    return Unshaped(names[0], wrong, "the model's text alone", ALONE, code="CONFLICT")


def _without_prompt(text: str, value: dict[str, Any]) -> str:
    """Return a generated text without the question that some pipelines repeat before the answer.

    Special tokens and white space need not agree: most pipelines decode without the ones, and strip the others.
    """
    every = (question_in(value[name]).strip() for name in named_like(PROMPTS, value))
    asked = [question for question in every if len(question) >= SHORTEST_PROMPT]
    start = text.lstrip()
    exact = next((start[len(question) :] for question in asked if start.startswith(question)), None)
    if exact is not None:
        return exact
    return next((text[end:] for question in asked if (end := _end_of(question, text))), text)


def _end_of(question: str, text: str) -> int:
    """Return where the question ends with which a text begins, apart from _UNSAID; 0 where it begins otherwise."""
    wanted, at = _UNSAID.sub("", question), 0
    for word in _SAID.finditer(text) if len(wanted) >= SHORTEST_PROMPT else ():
        said = word[0][: len(wanted) - at]  # the answer may follow without a space
        if not wanted.startswith(said, at):
            break
        at += len(said)
        if at == len(wanted):
            return word.start() + len(said)
    return 0


def _may_answer(value: Any) -> bool:
    """Return True for a text, and for an object with answer fields."""
    return text_in(value) is not None or (isinstance(value, dict) and not ANSWERING_FIELDS.isdisjoint(value))


def _same(said: Any, text: str) -> bool:
    """Return True if a field says the text of a turn."""
    said = text_in(said)
    return said is not None and said.strip() == text.strip()


def llava(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape LLaVA's {"id", "conversations": [{"from": "human" | "gpt", "value"}]}; the model's last turn counts."""
    return _only_turn(value, options, "conversations", '{"from": "gpt", "value": "..."}')


def chat(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape {"clip_id" or "id", "messages": [{"role", "content"}]}, content a text or parts; the last turn counts."""
    return _only_turn(value, options, "messages", '{"role": "assistant", "content": "..."}')


def _only_turn(value: dict[str, Any], options: Options, field: str, example: str) -> dict[str, Any]:
    """Shape a conversation, in which the last turn is the model's unless another field holds the model's text."""
    text = last_turn(value.get(field))
    models = named_like(MODEL_TEXTS, value)
    if not text and any(text_in(value[name]) is not None for name in models):
        return raw_text({key: item for key, item in value.items() if key != field}, options)
    for name in (*models, *named_like(EITHER, value)):
        stated = value[name] is not None or name in models
        template = name in named_like(_TEMPLATE, value) and text in str(value[name])
        if stated and not template and not _same(value[name], text):
            raise _two_texts([field, name])
    return _with_text(text, field, value, f"a turn {example}")


def reply(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a row with the reply object of a provider or an engine (replies.HOLDERS).

    A row beside it that may be the model's own text, such as the last turn, must say the same.
    """
    said = reply_in(value)
    text, field = said or ("", "response")
    turns = [name for name in ("messages", "conversations") if last_turn(value.get(name))]
    others = [name for name in named_like(MODEL_TEXTS, value) if name != field and _may_answer(value[name])]
    for name in (*turns, *others):
        if text and not _same(value[name], text):
            raise _two_texts([field, name])
    return _with_text(text, field, value, "a reply that succeeded")


def lm_eval(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a sample of lm-evaluation-harness or lmms-eval: the model's text is `filtered_resps[0]`."""
    text = _innermost(value.get("filtered_resps"))
    return _with_text(text, "filtered_resps", value, "the model's answer as its first element")


def remarks(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is to be noted of an object besides its answer: kinds of diagnostics.NOTES, each with a name."""
    if name := answer_field(value):
        yield "inside", quote(name)
    if several_in(value):
        yield "choices", ""
    said, filtered = (_innermost(value.get(name)) for name in ("resps", "filtered_resps"))
    if said.strip() != filtered.strip() and "{" in said and "{" not in filtered:
        yield "filtered", ""


def _innermost(responses: Any) -> str:
    while isinstance(responses, list) and responses:
        responses = responses[0]
    return responses if isinstance(responses, str) else ""


def _with_text(text: str, field: str, value: dict[str, Any], expected: str) -> dict[str, Any]:
    """Return a prediction of a text alone. Raises Unshaped, with the failure that the row tells, for an empty one."""
    if not text.strip():
        raise Unshaped(field, "no text of the model" + failure_of(value), expected, LENIENT)
    kept = {name: value[name] for name in ("clip_id", *OPTIONAL_FIELDS) if name in value}
    return kept | cost_in(value) | {"raw_output": _without_prompt(text, value)}


def by_clip(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read one object from clip_id to its answer, or to the model's text; a text among answers is a failure."""
    items = ((clip_id, item._replace(value=unwrapped(item.value))) for clip_id, item in members(source, first))
    head = list(islice(items, MEMBERS_SEEN))
    said = 2 * sum(text_in(item.value) is not None for _, item in head) > len(head)
    return (_with_clip_id(item, clip_id, said) for clip_id, item in chain(head, items))


def _with_clip_id(item: Item, clip_id: str, said: bool) -> Item:
    if said and (text := text_in(item.value)) is not None:
        item = item._replace(value={"raw_output": text})
    if item.faults or not isinstance(item.value, dict):
        return _rejected(
            item, clip_id, Fault("NOT_OBJECT", 1, "", f"{quote(item.value)} is not an object", "an answer")
        )
    inside = item.value.get("clip_id", clip_id)
    if inside != clip_id:
        fault = Fault("CONFLICT", 1, "clip_id", f"{quote(inside)} stands under the key {quote(clip_id)}", "one name")
        return _rejected(item, clip_id, fault)
    return item._replace(value={"clip_id": clip_id} | item.value)


def _rejected(item: Item, clip_id: str, fault: Fault) -> Item:
    """Return an item without an answer as a rejected one of the clip that its key names."""
    return item._replace(value={"clip_id": clip_id} if clip_id else {}, faults=item.faults or [fault])


def activitynet(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read results of ActivityNet and mmaction2, in seconds: {"results": {clip_id: [{"label", "score", "segment"}]}}.

    The best score is the answer (ties: the first); `next_operation` is taken from it where it is there, else null.
    """
    results = members(source, lambda text: member(text, "results", b"{"))
    return (_best_detection(item, clip_id, options.rate) for clip_id, item in results)


def _best_detection(item: Item, clip_id: str, rate: float) -> Item:
    if item.faults or not isinstance(item.value, list) or not all(isinstance(row, dict) for row in item.value):
        wrong = f"{quote(item.value)} is no list of detections"
        return _rejected(item, clip_id, Fault("TYPE", 1, "", wrong, 'a list of {"label", "score", "segment"}'))
    for row in item.value:
        score = row.get("score")
        if (len(item.value) > 1 or score is not None) and type(score) not in (int, float):
            fault = Fault("TYPE", 1, "score", f"{quote(score)} is no number", "the score of each detection")
            return _rejected(item, clip_id, fault)
        if "segment" not in row or "label" not in row:
            name = "label" if "label" not in row else "segment"
            return _rejected(item, clip_id, Fault("MISSING", 1, name, "is not in a detection", "label and segment"))
    scored = [row for row in item.value if type(row.get("score")) in (int, float)]
    best = max(scored, key=lambda row: row["score"], default=item.value[0] if item.value else {})
    answer = {
        "clip_id": clip_id,
        "dominant_operation": best.get("label"),
        "temporal_segment": _in_frames(best.get("segment"), rate),
        "next_operation": best.get("next_operation"),
    }
    if scored and 0 <= best["score"] <= 1:
        answer["confidence"] = best["score"]
    return item._replace(value=answer)


FARTHEST = 1e15
"""Frames; a number of seconds may be beyond every float."""


def _in_frames(segment: Any, rate: float) -> Any:
    if not isinstance(segment, list) or len(segment) != 2 or not all(type(end) in (int, float) for end in segment):
        return segment
    start, end = (math.floor(min(max(seconds * rate, -FARTHEST), FARTHEST) + 0.5) for seconds in segment)
    return {"start_frame": start, "end_frame": end}


def openpack(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Refuse OpenPack challenge results: they label every second of a session, which gives no answer about a clip."""
    raise SubmissionError(
        f"{source.name}: OpenPack challenge results (unixtime, prediction) label sessions second by second; "
        "write one line a clip instead (harness schema prediction)"
    )
