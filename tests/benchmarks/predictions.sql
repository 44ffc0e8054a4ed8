-- A submission for a split as canonical JSON lines: each field right or nearby by chance, decided by a hash of the clip's
-- id, so that the same truth gives the same bytes.
WITH labels AS (
    SELECT list(operation ORDER BY code) AS labels FROM truth.operations
),
drawn AS (
    SELECT
        clip_id, labels, hash(clip_id) AS h,
        if(h % 10 < 7, dominant_operation, h // 10 % 9)::INTEGER         AS operation,
        if(h // 100 % 10 < 6, next_operation, h // 1000 % 9)::INTEGER    AS following,
        least(124, greatest(0, start_frame + (h // 10000 % 61)::INTEGER - 30))   AS first_frame,
        greatest(1, least(125, end_frame + (h // 1000000 % 81)::INTEGER - 40))   AS last_frame,
        (h // 100000000 % 1001) / 1000.0                                 AS confidence
    FROM truth.clips, labels
)
SELECT concat(
    '{"clip_id": "', clip_id, '", "dominant_operation": "', labels[operation + 1],
    '", "temporal_segment": {"start_frame": ', first_frame, ', "end_frame": ', last_frame,
    '}, "next_operation": "', labels[following + 1], '", "confidence": ', printf('%.3f', confidence), '}')
FROM drawn
ORDER BY clip_id
