"""Score records in two formats of model hubs.

`.eval_results/*.yaml` of a model's repository on the Hugging Face hub: a list of {dataset: {id, task_id}, value,
notes}. The hub knows datasets by "owner/name"; a world is no dataset there, so its id is OWNER/world until somebody
uploads it.

Every Eval Ever, schema version 0.2.2: one object an evaluated model, a result a metric. `retrieved_timestamp` is the
time of writing (SOURCE_DATE_EPOCH where it is set): the one thing here that is not the same every time.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from harness.comparison.leaderboard import Entry
from harness.formatting import TITLES
from harness.version import __version__

OWNER = "warehouse-harness"
SCHEMA_VERSION = "0.2.2"
METRICS = ("score", "oca", "tiou50", "aa1", "aa1_hidden")
DESCRIBED = {
    "score": "weighted mean of OCA, tIoU@0.5 and AA@1 over all clips of the split",
    "oca": "share of clips with the right dominant operation",
    "tiou50": "share of clips whose segment reaches a temporal IoU of 0.5",
    "aa1": "share of clips with the right next operation",
    "aa1_hidden": "share with the right next operation among clips that do not show it yet",
}


def eval_results(record: dict[str, Any]) -> str:
    """YAML, written as its subset that JSON is: no text of a stranger can end a value."""
    lines = []
    for name in METRICS:
        metric = record["metrics"][name]
        if metric["value"] is not None:
            lines += [
                "- dataset:",
                f"    id: {_quoted(f'{OWNER}/' + record['world'])}",
                f"    task_id: {_quoted(record['split'] + '_' + name)}",
                f"  value: {json.dumps(round(metric['value'], 6))}",
                f"  notes: {_quoted(_notes(metric, record))}",
            ]
    return "\n".join(lines) + "\n"


def _notes(metric: dict[str, Any], record: dict[str, Any]) -> str:
    ends = "" if metric["low"] is None else f"95% interval {metric['low']:.4f} to {metric['high']:.4f}; "
    return f"{ends}n = {metric['n']} in {metric['sessions']} sessions; {record['signature']}"


def _quoted(text: str) -> str:
    return json.dumps(text)


def every_eval_ever(entry: Entry) -> str:
    record = entry.score.record
    written = os.environ.get("SOURCE_DATE_EPOCH") or str(int(time.time()))
    evaluation = f"{OWNER}/{record['world']}/{record['split']}"
    value = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{evaluation}/{entry.name}/{written}",
        "retrieved_timestamp": written,
        "source_metadata": {"source_name": f"{record['world']} / {record['split']}", "source_type": "evaluation_run",
                            "source_organization_name": OWNER, "evaluator_relationship": "other"},
        "eval_library": {"name": OWNER, "version": __version__,
                         "additional_details": {"signature": record["signature"]}},
        "model_info": _model(entry),
        "evaluation_results": [_result(name, record) for name in METRICS
                               if record["metrics"][name]["value"] is not None],
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _model(entry: Entry) -> dict[str, Any]:
    card = entry.card
    said = {"kind": card.kind, "description": card.description, "url": card.url, "license": card.license}
    found = {"name": entry.name, "id": card.model or entry.name}
    return found | ({"developer": card.authors} if card.authors else {}) | {
        "additional_details": {key: value for key, value in said.items() if value}
    }  # fmt: skip


def _result(name: str, record: dict[str, Any]) -> dict[str, Any]:
    metric = record["metrics"][name]
    bounds = {key: str(metric[key]) for key in ("floor", "prior", "ceiling", "skill") if metric[key] is not None}
    return {
        "evaluation_result_id": f"{record['submission']['sha256'][:16]}/{name}",
        "evaluation_name": f"{record['world']} / {record['split']}: {TITLES[name]}",
        "source_data": {"dataset_name": f"{record['world']} / {record['split']}", "source_type": "other",
                        "source_id": record["world"], "source_version": record["truth_digest"]},
        "metric_config": {"metric_id": f"{OWNER}.{name}", "metric_name": TITLES[name], "metric_unit": "proportion",
                          "evaluation_description": DESCRIBED[name], "lower_is_better": False,
                          "score_type": "continuous", "min_score": 0, "max_score": 1},
        "score_details": {"score": metric["value"], "details": bounds, **_uncertainty(metric)},
    }  # fmt: skip


def _uncertainty(metric: dict[str, Any]) -> dict[str, Any]:
    if metric["low"] is None:
        return {}
    interval = {"lower": metric["low"], "upper": metric["high"], "confidence_level": 0.95,
                "method": "delete-one-session jackknife (CR3), t(G-1)"}  # fmt: skip
    return {"uncertainty": {"confidence_interval": interval, "num_samples": metric["n"]}}
