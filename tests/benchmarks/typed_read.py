"""DuckDB's own typed read of a submission and three counts, as a process of its own: `typed_read TRUTH FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def main(truth: str, submission: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{truth}' AS truth (READ_ONLY)")
        query = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
        print(connection.execute(query, [submission]).fetchone())


if __name__ == "__main__":
    main(*sys.argv[1:])
