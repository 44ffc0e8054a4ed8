"""Recognition of a file's format, by its container and by a vote of its objects.

Up to 64 objects vote: in lines the first, the last and evenly spread ones. So one bad line decides nothing, wherever it
stands. A file that fits two formats, or none by two thirds of the votes, is refused with what was seen, so that the
user passes one with `--adapter`; so is a document that holds something else than answers.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.formatting import plural
from harness.ingestion import not_predictions
from harness.ingestion.formats import documents, tools
from harness.ingestion.formats.containers import VOTERS, Sample, look
from harness.ingestion.formats.records import Reader
from harness.ingestion.formats.registry import ADAPTERS, CONTAINER_READERS, DEFAULTS, PLAIN, Adapter, claims
from harness.ingestion.formats.unclaimed import other_content, without_answers
from harness.ingestion.submission_file import SubmissionFile


def choose(source: SubmissionFile, name: str | None) -> tuple[Adapter, Reader, list[dict[str, Any]]]:
    """Return the adapter of that name, or the one that recognises the file, with its reader and objects of the file.

    Raises UsageError for an unknown name, SubmissionError where two adapters claim the file, or where it holds no
    answers.
    """
    if name is not None and name not in ADAPTERS:
        raise UsageError(f"unknown adapter {name!r}; there are {', '.join(ADAPTERS)}")
    seen = look(source)
    if name is None and (what := not_predictions.by_objects(seen.objects)):
        raise SubmissionError(f"{source.name}: {what}")
    adapter = ADAPTERS[name] if name else _recognise(source, seen)
    if adapter is PLAIN and seen.container in ("stream", "delimited", "parquet"):
        adapter = ADAPTERS[DEFAULTS[seen.container]]
    return adapter, adapter.reads or CONTAINER_READERS.get(seen.container, documents.lines), seen.objects


def _recognise(source: SubmissionFile, seen: Sample) -> Adapter:
    """Return the adapter that the objects vote for. Objects that no adapter claims have no vote."""
    ballots = [(value, names) for value in seen.objects or [{}] if (names := claims(seen.container, value))]
    default = DEFAULTS.get(seen.container, PLAIN.name)
    if not ballots:
        if seen.objects and (other := other_content(seen) or without_answers(seen.objects)):
            raise SubmissionError(f"{source.name}: {other}")
        return ADAPTERS[default]
    claimed = Counter(name for _, names in ballots for name in names)
    # a line with raw_output alone is raw text, and no less a prediction where others give answer fields
    fits = [names | {default} if claimed[default] and _is_plain_text(value) else names for value, names in ballots]
    votes = Counter(name for names in fits for name in names)
    winner = max(votes, key=lambda name: votes[name])  # ties: the first, and it is refused below
    against = Counter(
        name
        for fitting, (_, names) in zip(fits, ballots, strict=True)
        for name in names
        if name != winner and (winner not in fitting or winner in names)
    )
    if 3 * votes[winner] >= 2 * len(ballots) and all(3 * count <= len(ballots) for count in against.values()):
        return ADAPTERS[winner]
    raise SubmissionError(f"{source.name}: {_undecided(claimed, len(ballots), seen)}")


def _is_plain_text(value: dict[str, Any]) -> bool:
    return isinstance(value.get("raw_output"), str) and not any(
        isinstance(value.get(name), str) for name in tools.TEXT_FIELDS if name != "raw_output"
    )


def _undecided(claimed: Counter[str], voters: int, seen: Sample) -> str:
    """Return the message about a file that two formats fit, or that no format wins."""
    names = [name for name in ADAPTERS if claimed[name]]
    if all(claimed[name] == voters for name in names):
        ways = " or ".join(f"--adapter {name}" for name in names)
        return f"could be read in {len(names)} ways; pass {ways}"
    what = "line" if seen.container == "lines" else "object"
    most, *others = sorted(names, key=lambda name: -claimed[name])
    look = "looks" if claimed[most] == 1 else "look"
    counts = [f"{plural(claimed[most], what)} {look} like {most}", *(f"{claimed[name]} like {name}" for name in others)]
    where = f"of {seen.lines} lines looked at, " if seen.lines >= VOTERS else ""
    return f"{where}{', '.join(counts)}; name one with --adapter, or write one format to a file"
