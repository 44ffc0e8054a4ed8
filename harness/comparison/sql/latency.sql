-- Mean seconds a clip of the answers that state a latency; NULL where none does.
SELECT avg(latency_us) / 1e6 FROM read_parquet(?)
