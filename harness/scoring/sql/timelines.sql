-- A hash of each session's clips, in session order: equal where the same clips were drawn in two domains.
SELECT
    session_index,
    hash(list((dominant_operation, start_frame, end_frame, next_operation, next_visible) ORDER BY clip_index)) AS timeline
FROM truth.clips
GROUP BY session_index
ORDER BY session_index
