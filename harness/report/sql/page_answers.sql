-- One submission's answers and what became of them, a row for each clip of sql/page_truth.sql, in its order.
-- Labels are packed as codes, frames as numbers: clips.py names the codes for "no answer", "other label", "no frame".
SELECT
    CASE WHEN answered_operation = $unknown_label THEN $other_label
         ELSE coalesce(answered_operation, $no_answer) END::UTINYINT  AS operation,
    coalesce(answered_start, $no_frame)::SMALLINT                     AS start_frame,
    coalesce(answered_end, $no_frame)::SMALLINT                       AS end_frame,
    CASE WHEN answered_next = $unknown_label THEN $other_label
         ELSE coalesce(answered_next, $no_answer) END::UTINYINT       AS next_operation,
    coalesce(line, 0)::BIGINT                                         AS line,
    outcome,
    source,
    enum_code(mode)::UTINYINT                                         AS mode,            -- place in failure_modes.MODES
    -- tIoU in thousandths, rounded down, for display. Whether it is a hit, scoring/sql/facts.sql decides with twentieths
    -- (tiou_level); it decides the constant answer's hits with 2 I >= U (constant_segment_hit).
    if(intersection > 0, (1000 * intersection::INTEGER) // union_frames, 0)::SMALLINT AS tiou_permille,
    operation_right, segment_hit, next_right,
    start_error, end_error                                            -- NULL where there is no segment with start < end
FROM facts
ORDER BY session_index, clip_index
