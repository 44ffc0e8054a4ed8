"""Names by which data sets and tools call a model's text, the target, and what only the truth knows.

A name counts without regard to case, `_`, `-` and spaces. Some names are used for both: VQA data sets call the target
`answer` and other tools the model's text; such a field is read only where nothing beside it may be the model's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

LONGEST = 100
"""Characters of a key that are looked at: thousands of them are remembered, and a key may be of a megabyte."""
MODEL_TEXTS = re.compile(
    r"(pred|preds|predict|predicted|predicts|predictions?)(answer|text|output|response|string|str|label|raw)?s?"
    r"|(model|raw|llm|vlm|assistant|generated|gen|bot|candidate|full)"
    r"(output|response|reply|generation|prediction|pred|answer|text|completion)s?"
    r"|responses?|repl(y|ies)|generated|generations?|hypothes[ei]s|hyp|(filtered)?resps?|outputs|completions"
)
_OF_TARGET = r"(gt|gold|golden|true|truth|groundtruth|correct|expected|reference|ref|target|ideal|actual)"
TARGETS = re.compile(
    rf"{_OF_TARGET}"
    r"(answer|output|response|text|label|completion|solution|value|result|turn)?s?"
    r"|labels?|solutions?|annotations?|answers|chosen"
)
EITHER = re.compile(r"answer|completion|output|text")
PROMPTS = re.compile(
    r"(user|input|text|full|formatted|final|chat|raw)?(prompt|question|input|instruction|query|problem|request)s?(text)?"
)
"""Names of a question, which some pipelines repeat before the answer."""
PREDICTED_PARTS = re.compile(
    r"(pred|predict|predicted|prediction|model|generated)"
    r"(dominantoperation|operation|temporalsegment|segment|startframe|endframe|(anticipated)?nextoperation)"
)
TRUTH_ONLY = frozenset(
    (
        "previous_operation", "next_operations", "next_visible", "dense", "cut_kind", "domain_seen", "randomised",
        "off_script", "ceiling", "oracle_next", "prior_next", "state_prior", "next_ppm", "frames_hit",
    )
)  # fmt: skip
"""Fields of an exported truth row that no request gives to a model."""


def named_like(names: re.Pattern[str], keys: Iterable[str]) -> list[str]:
    """Return the keys of an object, or columns of a table, that these names match, in their order."""
    return [key for key in keys if _matches(names, key[:LONGEST])]


def text_names(keys: Iterable[str]) -> list[str]:
    """Return the keys under which a model's text may stand, those that nothing else is called by first."""
    return [*named_like(MODEL_TEXTS, keys), *named_like(EITHER, keys)]


def is_truth_row(value: Mapping[str, Any]) -> bool:
    """Return True for an object with two or more fields that only the truth has."""
    return len(TRUTH_ONLY & value.keys()) >= 2


def is_of_target(affix: str) -> bool:
    """Return True for what is added to the name of an answer's part where it is the target's: gt, label, true."""
    return re.fullmatch(rf"({_OF_TARGET}|labels?|annotat(ed|ions?)|previous|prev)", affix) is not None


@lru_cache(4096)
def _matches(names: re.Pattern[str], key: str) -> bool:
    return names.fullmatch(re.sub(r"[^a-z0-9]", "", key.casefold()[:LONGEST])) is not None
