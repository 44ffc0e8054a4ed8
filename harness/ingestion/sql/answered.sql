-- How many clips of the split are answered: known labels and a segment. No clip's label is Unknown.
SELECT count(*) AS answered
FROM predictions
WHERE outcome = 0
    AND start_frame IS NOT NULL AND end_frame IS NOT NULL
    AND operation IN (SELECT code FROM truth.operations WHERE operation <> 'Unknown')
    AND next_operation IN (SELECT code FROM truth.operations WHERE operation <> 'Unknown')
