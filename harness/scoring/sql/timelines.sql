-- A hash of each session's clips, in session order: equal where the same clips were drawn in two domains. Each clip's
-- place is in its own hash, so that the order counts though the sum of bits does not ask for one.
SELECT
    session_index,
    bit_xor(hash(clip_index, dominant_operation, start_frame, end_frame, next_operation, next_visible)) AS timeline
FROM truth.clips
GROUP BY session_index
ORDER BY session_index
