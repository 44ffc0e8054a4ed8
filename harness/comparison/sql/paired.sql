-- The checked answers of a score in an order that all submissions of a split share; NULL: no answer.
SELECT
    clip_id, session_index, next_visible,
    operation, start_frame, end_frame, next_operation,
    operation_right, segment_hit, next_right
FROM read_parquet(?)
ORDER BY session_index, clip_index
