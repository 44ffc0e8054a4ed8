-- Whether the file has a readable line about a clip, in the order of paired.sql.
SELECT clip_id, outcome <> 3 AS answered
FROM read_parquet(?)
ORDER BY session_index, clip_index
