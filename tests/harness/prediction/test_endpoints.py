"""Asking through a server's faults and kills of the command: the small part of tests.proof.endpoints."""

from __future__ import annotations

from tests.proof import endpoints, table
from tests.support.asking import places


def test_no_clip_is_lost_paid_for_twice_mixed_up_or_invented(capsys):
    with places(40) as (place, _):
        row = endpoints.through_kills(place, seed=2, kills=2)
    assert table.holds([row]) and row["tried"] == 40, capsys.readouterr().err
