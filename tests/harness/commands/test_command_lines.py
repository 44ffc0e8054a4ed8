"""Odd command lines end with a documented exit code: the small part of tests.proof.command_lines."""

from __future__ import annotations

from tests.proof import command_lines


def test_odd_command_lines_end_with_0_1_or_2():
    (row,) = command_lines.run(seed=1, scale=0.008)
    assert (row["tried"], row["crashes"]) == (40, 0)
