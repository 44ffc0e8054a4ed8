-- The predictions of a stored score again, as ingestion left them.
CREATE OR REPLACE TEMP TABLE predictions AS
SELECT clip_id, line, outcome, operation, start_frame, end_frame, next_operation,
       confidence_ppm, next_confidence_ppm, latency_us, source
FROM read_parquet(?)
WHERE outcome <> 3
