"""Page of answers about own clips: what was answered about each clip, with pictures, unread answers first.

One HTML file that makes no request, like the other pages, of which it has style and policy. All of it stands there as
text, so that it can be read and printed without a script; the script filters, sorts and moves by keyboard. Nothing is
judged.
"""

from __future__ import annotations

import base64
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from markupsafe import Markup

from harness.cards import ANSWERS, ANSWERS_PAGE, PREDICTIONS
from harness.errors import HarnessError, UsageError
from harness.formatting import count, in_words, plural
from harness.ingestion.lines.fields import SOURCES
from harness.own_answers import own_answers
from harness.prediction.own_clips.questions import Shown, open_clips
from harness.progress import counter
from harness.report.render import environment, policy, static
from harness.report.typography import NONE
from harness.report.write import Written
from reference.files import write_text
from reference.outside_files import json_lines
from reference.task import CLIP_FRAMES, CLIP_MS, normalise_label

SCRIPTS = ("state", "answers")
LONGEST_RAW = 4_000
BUDGET = 12_000_000
"""Bytes of pictures: those of about 700 clips."""
FALLBACK = SOURCES[2]
UNREAD, NO_OPERATION = "(not read)", "(no operation)"
"""Groups of clips beside those of the operations."""
FREQUENT = 3
PIECE = re.compile(r"(?P<name>.+)/(?P<second>[0-9]{6})")
"""Id of a clip that was cut out of a longer recording."""


@dataclass(frozen=True)
class Answer:
    """One clip on the page. `group`: what the filter knows it by; `note`: what is wrong with the answer, or ""."""

    clip_id: str
    group: str
    operation: str | None
    start: int | None
    end: int | None
    next_operation: str | None
    confidence: float | None
    latency_ms: float
    note: str
    raw: str
    is_cut: bool  # `raw` is the beginning of the model's words
    picture: str  # a WebP in base64, or ""
    usage: Mapping[str, int]  # tokens


@dataclass(frozen=True)
class Group:
    """Clips that the page filters by: those of an operation, or the unread ones. `share`: percent of the answers."""

    name: str
    clips: int
    share: float
    meaning: str
    known: bool


@dataclass(frozen=True)
class Stretch:
    """Clips of a recording, one after the other, that got one answer. `at`: minutes and seconds at which it begins."""

    at: str
    group: str
    clips: int
    clip_id: str  # the first one


@dataclass(frozen=True)
class AnswersPage:
    """All that the template of the page shows."""

    title: str
    headline: str
    lede: str
    chips: list[tuple[str, str]]
    groups: list[Group]
    answers: list[Answer]
    courses: dict[str, list[Stretch]]  # recordings of several clips
    left_out: list[tuple[str, str]]  # file or clip, and why it has no answer
    rests: list[tuple[str, float]]
    pictures: int  # answers with a picture
    facts: Mapping[str, Any]
    frames: int = CLIP_FRAMES


def answers_page(
    folder: str | Path, path: str | Path | None = None, *, shown: Shown | None = None, budget: int = BUDGET
) -> Written:
    """Write the page of answers about own clips, by default as answers.html beside them.

    `shown`: where the pictures come from, by default the clips where they were, if they are there unchanged. At most
    `budget` bytes of pictures are embedded, those of unread answers first. Raises UsageError where the folder holds no
    such answers.
    """
    folder = Path(folder)
    facts = own_answers(folder)
    if facts is None:
        raise UsageError(f"{folder}: holds no {ANSWERS}, as harness predict --clips writes it")
    lines = sorted(
        (line for *_, line in json_lines(folder / PREDICTIONS, UsageError)), key=lambda line: line["source"] != FALLBACK
    )
    shown = shown or _clips(facts["clips"])
    pictures = _pictures([line["clip_id"] for line in lines], shown, budget) if shown is not None else {}
    answers = [_answer(line, facts, pictures.get(line["clip_id"], "")) for line in lines]
    path = folder / ANSWERS_PAGE if path is None else Path(path)
    text = html(_page(answers, facts))
    write_text(path, text)
    return Written(path, len(text.encode()), len(pictures), [])


def html(page: AnswersPage) -> str:
    """Return the text of the file."""
    style, script = static("style.css") + static("answers.css"), "".join(static(f"{name}.js") for name in SCRIPTS)
    values = {"style": Markup(style), "script": Markup(script), "policy": policy(style, script)}
    text = (
        environment()
        .get_template("answers.html.j2")
        .render(page=page, UNREAD=UNREAD, NO_OPERATION=NO_OPERATION, **values)
    )
    return text.encode("utf-8", "replace").decode()


def _clips(facts: Mapping[str, Any]) -> Shown | None:
    """Return the clips that were asked about; None where they are not there any more, or others are."""
    try:
        shown = open_clips(Path(facts["path"]), facts.get("fps"))
    except HarnessError:
        return None
    return shown if shown.found.digest == facts["digest"] else None


def _answer(line: Mapping[str, Any], facts: Mapping[str, Any], picture: str) -> Answer:
    segment, operation = line["temporal_segment"] or {}, line["dominant_operation"]
    raw = line.get("raw_output") or ""
    known = {normalise_label(label) for label in facts["operations"]}
    strange = [label for label in (operation, line["next_operation"]) if label and normalise_label(label) not in known]
    note = f"not among the operations: {', '.join(dict.fromkeys(strange))}" if strange else ""
    is_unread = line["source"] == FALLBACK
    return Answer(
        clip_id=line["clip_id"],
        group=UNREAD if is_unread else operation or NO_OPERATION,
        operation=operation,
        start=segment.get("start_frame"),
        end=segment.get("end_frame"),
        next_operation=line["next_operation"],
        confidence=line.get("confidence"),
        latency_ms=line["latency_ms"],
        note="no whole answer could be read in the model's words" if is_unread else note,
        raw=raw[:LONGEST_RAW],
        is_cut=len(raw) > LONGEST_RAW,
        picture=picture,
        usage=line.get("usage") or {},
    )


def _page(answers: Sequence[Answer], facts: Mapping[str, Any]) -> AnswersPage:
    clips, run = facts["clips"], facts["run"]
    left_out = [*clips["left_out"].items(), *clips["not_shown"].items()]
    groups = _groups(answers, facts["operations"])
    unread = sum(answer.group == UNREAD for answer in answers)
    found = f"{count(len(answers))} of {plural(clips['found'], 'clip')} of {clips['name']} answered"
    read = f"; {'one answer' if unread == 1 else f'{count(unread)} answers'} could not be read" if unread else ""
    named = [group for group in groups if group.name != UNREAD and group.clips]
    often = [f"{group.name} ({count(group.clips)})" for group in named[:FREQUENT]]
    lede = f"Most often {in_words(often)}. " if often else ""
    given_up = ", ".join(f"{kind} {count(number)}" for kind, number in run.get("unanswered", {}).items())
    chips = [
        ("folder", facts["name"]),
        ("date", facts["date"]),
        ("operations", count(len(facts["operations"]))),
        ("median time", _time([answer.latency_ms for answer in answers])),
        ("asked about", f"the first {count(run['limit'])} clips" if "limit" in run else ""),
        ("given up", given_up),
        ("tokens", _tokens(answers)),
        ("harness", run["harness"]),
    ]
    return AnswersPage(
        title=f"Answers of {facts.get('model') or facts['name']}",
        headline=f"{found}{read}",
        lede=f"{lede}No truth is known here: nothing on this page says whether an answer is right.",
        chips=[(name, str(value)) for name, value in chips if value],
        groups=groups,
        answers=list(answers),
        courses=_courses(answers),
        left_out=left_out,
        rests=list(clips["rests"].items()),
        pictures=sum(bool(answer.picture) for answer in answers),
        facts=facts,
    )


def _groups(answers: Iterable[Answer], operations: Mapping[str, str]) -> list[Group]:
    """Return the unread answers, then the operations by how often they were answered, then the other words."""
    counts = Counter(answer.group for answer in answers)
    total = max(counts.total(), 1)

    def group(name: str, known: bool) -> Group:
        return Group(name, counts[name], round(100 * counts[name] / total, 1), operations.get(name, ""), known)

    known = sorted((group(name, True) for name in operations), key=lambda one: -one.clips)
    others = [group(name, False) for name, _ in counts.most_common() if name not in operations and name != UNREAD]
    return ([group(UNREAD, False)] if counts[UNREAD] else []) + known + others


def _courses(answers: Iterable[Answer]) -> dict[str, list[Stretch]]:
    """Return what was answered in the course of each recording that was cut into several clips."""
    pieces = defaultdict[str, list[tuple[int, Answer]]](list)
    for answer in answers:
        if found := PIECE.fullmatch(answer.clip_id):
            pieces[found["name"]].append((int(found["second"]), answer))
    courses = dict[str, list[Stretch]]()
    for name, cut in sorted(pieces.items()):
        cut.sort(key=lambda piece: piece[0])
        # a clip without an answer ends a stretch, too
        runs = groupby(enumerate(cut), lambda placed: (placed[1][0] - placed[0] * CLIP_MS // 1000, placed[1][1].group))
        if len(cut) > 1:
            courses[name] = [_stretch([piece for _, piece in run]) for _, run in runs]
    return courses


def _stretch(pieces: Sequence[tuple[int, Answer]]) -> Stretch:
    second, first = pieces[0]
    return Stretch(f"{second // 60}:{second % 60:02d}", first.group, len(pieces), first.clip_id)


def _time(latencies_ms: Sequence[float]) -> str:
    if not latencies_ms:
        return NONE
    middle = median(latencies_ms)
    return f"{middle / 1000:,.1f} s a clip" if middle >= 1000 else f"{middle:,.0f} ms a clip"


def _tokens(answers: Sequence[Answer]) -> str:
    """Return how many tokens the answers took; "" where the model did not say."""
    used = [answer.usage for answer in answers if answer.usage]
    read, written = (sum(usage.get(name, 0) for usage in used) for name in ("input_tokens", "output_tokens"))
    return f"{count(read)} in, {count(written)} out" if used else ""


def _pictures(clips: Sequence[str], shown: Shown, budget: int) -> dict[str, str]:
    """Return clip id -> its pictures as WebP in base64, as many as fit the budget; none where Pillow is missing."""
    found, spent = dict[str, str](), 0
    with counter("pictures of the page") as report:
        for place, clip_id in enumerate(clips):
            text = _picture(shown, clip_id)
            if spent + len(text) > budget:
                break
            if text:
                found[clip_id] = text
            spent += len(text)
            report(place + 1, len(clips))
    return found


def _picture(shown: Shown, clip_id: str) -> str:
    """Return a clip's pictures in base64; "" for one that cannot be read any more, and where Pillow is missing."""
    try:
        return base64.b64encode(shown.sheet(clip_id)).decode()
    except (HarnessError, OSError):
        return ""
