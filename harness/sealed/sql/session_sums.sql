-- For each session of the checked answers of a score (scoring/sql/answers.sql): clips, and right answers of the three
-- metrics of the composite. A clip without an answer is one that is wrong.
SELECT
    count(*)::BIGINT AS clips,
    coalesce(sum(operation_right::INTEGER), 0)::BIGINT AS operation_right,
    coalesce(sum(segment_hit::INTEGER), 0)::BIGINT AS segment_hit,
    coalesce(sum(next_right::INTEGER), 0)::BIGINT AS next_right
FROM read_parquet(?)
GROUP BY session_index
ORDER BY session_index
