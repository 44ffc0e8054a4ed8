-- Answers by what their `source` says.
SELECT
    count_if(source = 0) AS model,
    count_if(source = 1) AS repaired,
    count_if(source = 2) AS fallback
FROM facts
