-- Counts of the screen, in one row.
SELECT
    count(*) FILTER (WHERE verdict = 0) AS good,
    count(*) FILTER (WHERE verdict = 2) AS doubtful,
    (SELECT count(*) FROM predictions) AS taken,     -- good, and of a clip of the split
    count(*) FILTER (WHERE normalised > 0 OR anticipated) AS noted
FROM screened
