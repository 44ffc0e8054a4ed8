-- The checked answers of a score in an order that all submissions of a split share (scoring/sql/answers.sql has the
-- columns); NULL: no answer.
SELECT *
FROM read_parquet(?)
ORDER BY session_index, clip_index
