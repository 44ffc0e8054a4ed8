"""Shards: how one is named, also by what starts it, and how work is cut into them."""

from __future__ import annotations

import pytest

from reference.errors import HarnessError
from reference.shard import Shard

SLURM = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "8"}
ARRAY = SLURM | {"SLURM_ARRAY_TASK_COUNT": "8"}
FROM_0 = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "7"}
AGAIN = ARRAY | {"SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_COUNT": "2"}

NAMED = [
    ("3/8", {}, (3, 8), "as it is said"),
    ("1/1", {}, (1, 1), "the whole is a shard, too"),
    ("3/8", FROM_0, (3, 8), "what is said counts more than the environment"),
    ("env", ARRAY, (3, 8), "an array from 1"),
    ("env", FROM_0 | {"SLURM_ARRAY_TASK_COUNT": "8"}, (1, 8), "an array from 0"),
    ("env/8", ARRAY, (3, 8), "the total is said"),
    ("env/8", AGAIN, (3, 8), "tasks that are asked for again"),
    ("env/8", {"JOB_COMPLETION_INDEX": "0"}, (1, 8), "an indexed Job counts from 0"),
    ("env/8", {"JOB_COMPLETION_INDEX": "7"}, (8, 8), "its last pod"),
]
REFUSED = [
    ("9/8", {}, "of 8 shards the last one is 8/8"),
    ("0/8", {}, "expected a number and how many, such as 3/8"),
    ("3", {}, "expected a number and how many"),
    ("3/8 ", {}, "expected a number and how many"),
    ("auto", {}, "or env, or env/8"),
    ("env", {}, "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set"),
    ("env", AGAIN, "2 tasks from 3 to 7, which does not say how many shards there are; write --shard env/8"),
    ("env", SLURM, "SLURM_ARRAY_TASK_COUNT is '', expected a number"),
    ("env", ARRAY | {"SLURM_ARRAY_TASK_ID": "x"}, "SLURM_ARRAY_TASK_ID is 'x', expected a number"),
    ("env/8", FROM_0, "count the tasks from 1: --array=1-8"),
    ("env/2", ARRAY, "SLURM_ARRAY_TASK_ID is 3; count the tasks from 1: --array=1-2"),
    ("env", {"JOB_COMPLETION_INDEX": "0"}, "nothing of how many; write --shard env/8"),
    ("env/8", {"JOB_COMPLETION_INDEX": "8"}, "8 shards are 0 to 7 there"),
]


@pytest.mark.parametrize("text, environment, expected, why", NAMED, ids=[f"{row[0]}: {row[3]}" for row in NAMED])
def test_a_shard_is_named(text, environment, expected, why):
    shard = Shard.of(text, environment)
    assert (shard.number, shard.total) == expected, why


@pytest.mark.parametrize("text, environment, said", REFUSED, ids=[row[2] for row in REFUSED])
def test_what_names_no_shard_is_refused(text, environment, said):
    with pytest.raises(HarnessError) as refused:
        Shard.of(text, environment)
    assert said in str(refused.value)


def test_shards_are_the_whole_each_step_once():
    for steps in range(1, 20):
        for total in range(1, steps + 1):
            cuts = [Shard(number, total).cut(steps, "") for number in range(1, total + 1)]
            assert [step for cut in cuts for step in cut] == list(range(steps))
            assert max(map(len, cuts)) - min(map(len, cuts)) <= 1
    with pytest.raises(HarnessError, match="2 batches cannot be cut into 3 shards; choose 2 or fewer"):
        Shard(1, 3).cut(2, "2 batches")
