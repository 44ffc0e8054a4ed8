-- A stored score on the axis that all submissions of a split share; -1 stands for "no answer".
SELECT
    clip_id, session_index, next_visible,
    coalesce(operation::SMALLINT, -1)      AS operation,
    coalesce(start_frame, -1)              AS start_frame,
    coalesce(end_frame, -1)                AS end_frame,
    coalesce(next_operation::SMALLINT, -1) AS next_operation,
    operation_right, segment_hit, next_right
FROM read_parquet(?)
ORDER BY session_index, clip_index
