"""Write score records in two formats of model hubs.

`.eval_results/*.yaml` of a model's repository on the Hugging Face hub is a list of {dataset: {id, task_id}, value,
notes}. The hub knows datasets by "owner/name"; a world is no dataset there, so its id is OWNER/world until somebody
uploads it.

Every Eval Ever, schema version 0.2.2, has one object for each model with a result for each metric.
`retrieved_timestamp` is the time of writing (SOURCE_DATE_EPOCH where it is set), the only value here that differs from
run to run.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from harness.comparison.leaderboard import Entry
from harness.errors import UsageError
from harness.ingestion.submission_file import shown_name
from harness.metrics_table import METRICS, Metric
from harness.version import __version__

OWNER = "warehouse-harness"
SCHEMA_VERSION = "0.2.2"


def eval_results(record: dict[str, Any]) -> str:
    """Return YAML whose values are JSON strings, so that no text of a submission can end a value."""
    lines = []
    for metric in METRICS:
        row = record["metrics"][metric.key]
        if row["value"] is not None:
            lines += [
                "- dataset:",
                f"    id: {_quoted(f'{OWNER}/' + record['world'])}",
                f"    task_id: {_quoted(record['split'] + '_' + metric.key)}",
                f"  value: {json.dumps(round(row['value'], 6))}",
                f"  notes: {_quoted(_notes(row, record))}",
            ]
    return "\n".join(lines) + "\n"


def _notes(metric: dict[str, Any], record: dict[str, Any]) -> str:
    ends = "" if metric["low"] is None else f"95% interval {metric['low']:.4f} to {metric['high']:.4f}; "
    return f"{ends}n = {metric['n']} in {metric['sessions']} sessions; {record['signature']}"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _time_of_writing() -> str:
    """Return seconds since 1970: SOURCE_DATE_EPOCH where it is set, else now. Raises UsageError for another text."""
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named and not (named.isascii() and named.isdigit() and len(named) < 13):
        raise UsageError(f"SOURCE_DATE_EPOCH={shown_name(named[:40])}: expected seconds since 1970, or nothing")
    return named or str(int(time.time()))


def every_eval_ever(entry: Entry) -> str:
    """Return an entry's object in the schema of Every Eval Ever."""
    record = entry.score.record
    written = _time_of_writing()
    evaluation = f"{OWNER}/{record['world']}/{record['split']}"
    value = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{evaluation}/{entry.name}/{written}",
        "retrieved_timestamp": written,
        "source_metadata": {
            "source_name": f"{record['world']} / {record['split']}",
            "source_type": "evaluation_run",
            "source_organization_name": OWNER,
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": OWNER,
            "version": __version__,
            "additional_details": {"signature": record["signature"]},
        },
        "model_info": _model(entry),
        "evaluation_results": [
            _result(metric, record) for metric in METRICS if record["metrics"][metric.key]["value"] is not None
        ],
    }
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _model(entry: Entry) -> dict[str, Any]:
    card = entry.card
    details = {"kind": card.kind, "description": card.description, "url": card.url, "license": card.license}
    found = {"name": entry.name, "id": card.model or entry.name}
    return (
        found
        | ({"developer": card.authors} if card.authors else {})
        | {"additional_details": {key: value for key, value in details.items() if value}}
    )


def _result(metric: Metric, record: dict[str, Any]) -> dict[str, Any]:
    row = record["metrics"][metric.key]
    bounds = {
        key: str(row[key])
        for key in ("floor", "prior", "state_prior", "ceiling", "skill", "skill_state")
        if row[key] is not None
    }
    low, high = metric.range
    return {
        "evaluation_result_id": f"{record['submission']['sha256'][:16]}/{metric.key}",
        "evaluation_name": f"{record['world']} / {record['split']}: {metric.title}",
        "source_data": {
            "dataset_name": f"{record['world']} / {record['split']}",
            "source_type": "other",
            "source_id": record["world"],
            "source_version": record["truth_digest"],
        },
        "metric_config": {
            "metric_id": f"{OWNER}.{metric.key}",
            "metric_name": metric.title,
            "metric_unit": "proportion",
            "evaluation_description": metric.definition,
            "lower_is_better": not metric.larger_is_better,
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
        },
        "score_details": {"score": row["value"], "details": bounds, **_uncertainty(row)},
    }


def _uncertainty(metric: dict[str, Any]) -> dict[str, Any]:
    if metric["low"] is None:
        return {}
    interval = {
        "lower": metric["low"],
        "upper": metric["high"],
        "confidence_level": 0.95,
        "method": "delete-one-session jackknife (CR3), t(G-1)",
    }
    return {"uncertainty": {"confidence_interval": interval, "num_samples": metric["n"]}}
