-- Lines that name a clip again, with the first line that names it: the same one where a document stands on one line.
SELECT line, clip_id, first_line, outcome
FROM (
    SELECT
        line, clip_id, outcome,
        min(line) OVER (PARTITION BY place) AS first_line,
        row_number() OVER (PARTITION BY place ORDER BY line, rowid) AS nth
    FROM predictions
)
WHERE nth > 1
ORDER BY line
