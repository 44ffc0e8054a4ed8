"""Tests of METRICS against the files that list metrics again because they cannot read Python: schema and SQL."""

from __future__ import annotations

import dataclasses
import re

from harness.metrics_table import METRICS, PARTS, SINGLE
from harness.resources import schema
from harness.rules import Weights
from harness.scoring.result import MetricValue
from reference.resources import sql

KEYS = {metric.key for metric in METRICS}


def test_the_schema_requires_every_metric_and_no_other():
    metrics = schema("score")["properties"]["metrics"]
    assert set(metrics["required"]) == set(metrics["properties"]) == KEYS
    assert len(metrics["required"]) == len(METRICS)


def test_the_schema_requires_every_number_of_a_metric():
    metric = schema("score")["$defs"]["metric"]
    names = [field.name for field in dataclasses.fields(MetricValue)]
    assert metric["required"] == list(metric["properties"]) == names


def test_weights_are_of_the_metrics_that_the_score_averages():
    parts = [metric.key for metric in PARTS]
    assert schema("score")["properties"]["weights"]["required"] == parts
    assert [field.name for field in dataclasses.fields(Weights)] == parts


def test_columns_are_sums_per_session():
    columns = set(re.findall(r"\bAS (\w+)", sql("harness.scoring", "sessions")))
    roles = ("right", "counted", "clips", "floor", "prior", "ceiling")
    named = {getattr(metric, role) for metric in SINGLE for role in roles} - {""}
    assert named <= columns
