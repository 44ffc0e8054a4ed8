"""A sample of a split: whole sessions, drawn by the harness and balanced over domains; a seed always draws the same.

A sample stands in the place of the split in an open truth: its clips, its sessions, a digest of its own. What is
computed from it is of these sessions, as of any split: the question is about sessions like these, so that no factor
makes the error smaller for having drawn many of few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from reference import randomness
from reference.errors import TruthError
from reference.files import sha256
from reference.resources import sql
from reference.truth.store import Truth

KEY = b"warehouse-harness sample"
TEXT = re.compile(r"([1-9][0-9]{0,8})/([0-9]{1,18})")


class Sample(NamedTuple):
    """How many sessions are drawn, with which seed; as a text "12/3"."""

    sessions: int
    seed: int = 0

    @classmethod
    def of(cls, text: str) -> Sample:
        """Read SESSIONS/SEED. Raises TruthError."""
        if not (found := TEXT.fullmatch(text)):
            raise TruthError(f"sample {text[:40]!r}: expected SESSIONS/SEED, such as 12/0")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.sessions}/{self.seed}"

    def draw(self, domains: Iterable[tuple[str, str]]) -> list[str]:
        """Return the sessions that are drawn of pairs of session and domain.

        Where all domains have enough, none has two more than another. A smaller sample with the same seed is part of a
        larger one.
        """
        by_domain: dict[str, list[str]] = {}
        for session, domain in domains:
            by_domain.setdefault(domain, []).append(session)
        turns = []
        for domain, sessions in by_domain.items():
            sessions.sort(key=lambda session: randomness.digest(KEY, "session", self.seed, session))
            place = randomness.digest(KEY, "domain", self.seed, domain)
            turns += [(turn, place, session) for turn, session in enumerate(sessions)]
        return sorted(session for _, _, session in sorted(turns)[: self.sessions])


def take_sample(truth: Truth, sample: Sample) -> Truth:
    """Return the open truth with a sample in the place of the split; the truth given is used no more.

    Raises TruthError for a split that is sealed, whose sessions nobody may know, and one with too few sessions.
    """
    if truth.sealed or not truth.answered:
        raise TruthError(f"{truth.world} / {truth.split} is sealed, and its sessions are not told: it has no sample")
    if truth.sample:
        raise TruthError(f"{truth.world} / {truth.split} is a sample already")
    if sample.sessions > truth.sessions:
        raise TruthError(
            f"a sample of {sample.sessions:,} sessions: {truth.world} / {truth.split} has {truth.sessions:,}"
        )
    connection = truth.connection
    chosen = sample.draw(connection.execute(sql(__package__, "sample_sessions")).fetchall())
    connection.execute("CREATE TEMP TABLE sample_sessions AS SELECT unnest(?) AS session", [chosen])
    connection.execute(sql(__package__, "sample"))
    row = connection.execute("SELECT count(*) FROM truth.clips").fetchone()
    assert row is not None
    changed = {
        "sample": str(sample),
        "sample_of": truth.digest,
        "truth_digest": sha256(f"{truth.digest}|sample:{sample}".encode()),
        "n": str(row[0]),
        "sessions": str(len(chosen)),
    }
    return replace(truth, meta={**truth.meta, **changed})
