-- Answers by what their `source` says. Not count_if, which is NULL where `source` is NULL on every row.
SELECT
    count(*) FILTER (source = 0) AS model,
    count(*) FILTER (source = 1) AS repaired,
    count(*) FILTER (source = 2) AS fallback
FROM facts
