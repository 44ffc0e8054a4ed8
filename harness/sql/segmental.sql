-- Edit score per session (MS-TCN): Levenshtein distance of the operations of its clips in time order, as characters.
-- Clips without a usable operation are skipped on the answered side; nothing is joined across clips.
WITH sequences AS (
    SELECT
        session_index,
        string_agg(chr(65 + dominant_operation::INTEGER), '' ORDER BY clip_index) AS truth,
        coalesce(string_agg(chr(65 + answered_operation::INTEGER), '' ORDER BY clip_index)
                 FILTER (answered_operation < 255), '') AS answer
    FROM facts
    GROUP BY session_index
)
SELECT session_index, levenshtein(truth, answer) AS distance, greatest(length(truth), length(answer)) AS longest
FROM sequences
ORDER BY session_index
