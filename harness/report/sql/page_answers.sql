-- One submission's answers and what became of them, a row for each clip of sql/page_truth.sql, in its order.
SELECT
    coalesce(answered_operation, 254)::UTINYINT                       AS operation,       -- 254: none; 255: other label
    coalesce(answered_start, -1)::SMALLINT                            AS start_frame,     -- -1: none
    coalesce(answered_end, -1)::SMALLINT                              AS end_frame,
    coalesce(answered_next, 254)::UTINYINT                            AS next_operation,
    coalesce(line, 0)::BIGINT                                         AS line,
    outcome,
    source,
    enum_code(mode)::UTINYINT                                         AS mode,            -- place in failures.MODES
    if(intersection > 0, (1000 * intersection::INTEGER) // union_frames, 0)::SMALLINT AS tiou_permille,
    operation_right, segment_hit, next_right,
    start_error, end_error                                            -- NULL where there is no segment with start < end
FROM facts
ORDER BY session_index, clip_index
