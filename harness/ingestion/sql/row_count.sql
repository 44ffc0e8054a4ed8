-- How many clips of the split have a row.
SELECT count(*) AS rows FROM predictions
