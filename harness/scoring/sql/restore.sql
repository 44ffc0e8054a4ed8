-- The predictions of a stored score, as ingestion leaves them but for the frames as the file counted them.
CREATE OR REPLACE TEMP TABLE predictions AS
SELECT a.clip_id, a.line, a.outcome, a.operation, a.start_frame, a.end_frame, a.next_operation,
       a.confidence_ppm, a.next_confidence_ppm, a.latency_us, a.source, c.rowid AS place
FROM read_parquet(?) a
JOIN truth.clips c USING (clip_id)
WHERE a.outcome <> 3
