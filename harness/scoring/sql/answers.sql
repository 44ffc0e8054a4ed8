-- What the score cache keeps of a submission: the checked answers as codes (NULL: no answer), and what is right about
-- them.
SELECT
    clip_id, session_index, clip_index, line, outcome,
    answered_operation AS operation, answered_start AS start_frame, answered_end AS end_frame,
    file_start, file_end, answered_next AS next_operation, answered_second AS second_operation, answered_third AS third_operation,
    confidence_ppm, next_confidence_ppm, latency_us, source,
    operation_right, segment_hit, segment_counted, next_right, next_visible, expected_ppm
FROM facts
ORDER BY session_index, clip_index
