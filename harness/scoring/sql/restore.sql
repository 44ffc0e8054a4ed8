-- The predictions of a stored score, as ingestion leaves them.
CREATE OR REPLACE TEMP TABLE predictions AS
SELECT a.clip_id, a.line, a.outcome, a.operation, a.start_frame, a.end_frame, a.next_operation,
       a.confidence_ppm, a.next_confidence_ppm, a.latency_us, a.source, a.file_start, a.file_end,
       a.second_operation, a.third_operation,
       c.rowid AS place
FROM read_parquet(?) a
JOIN truth.clips c USING (clip_id)
WHERE a.outcome <> 3
