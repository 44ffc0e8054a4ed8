-- Edit score per session (MS-TCN): Levenshtein distance of the operations of its clips in time order, as characters.
-- Clips without an answered segment are skipped on the answered side; nothing is joined across clips.
-- A clip is one integer, so that sorting a session's clips is sorting integers: (((index) true label) answered label).
-- The largest of 1,024 answered labels, 1023, is above every code and marks a clip to skip.
-- levenshtein() compares bytes, so the letters are ASCII: 2 and up for the operations of the session's truth (at most
-- 126 different ones), 1 for every answer that is none of them and can match nothing.
WITH sessions AS (
    SELECT
        session_index,
        list_sort(list(clip_index::BIGINT * 1048576 + dominant_operation::INTEGER * 1024 + CASE
            WHEN answered_start IS NULL OR answered_end IS NULL THEN 1023
            ELSE coalesce(answered_operation::INTEGER, 1023) END)) AS clips
    FROM facts
    GROUP BY session_index
),
labels AS (
    SELECT
        session_index,
        list_transform(clips, lambda clip: clip // 1024 % 1024) AS truth,
        list_filter(list_transform(clips, lambda clip: clip % 1024), lambda label: label < 1023) AS answer,
        list_distinct(truth) AS letters
    FROM sessions
),
sequences AS (
    SELECT
        session_index,
        array_to_string(list_transform(truth, lambda label: chr(1 + list_position(letters, label))), '') AS truth,
        array_to_string(list_transform(answer, lambda label: chr(1 + coalesce(list_position(letters, label), 0))), '') AS answer
    FROM labels
)
SELECT session_index, levenshtein(truth, answer) AS distance, greatest(length(truth), length(answer)) AS longest
FROM sequences
ORDER BY session_index
