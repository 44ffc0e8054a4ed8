-- Answers by what their `source` says. Not count_if: it is NULL where every row is.
SELECT
    count(*) FILTER (source = 0) AS model,
    count(*) FILTER (source = 1) AS repaired,
    count(*) FILTER (source = 2) AS fallback
FROM facts
