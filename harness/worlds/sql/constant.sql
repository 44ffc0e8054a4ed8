-- The constant answer of each fold as codes; one row where the whole split has the same, as in synthetic worlds.
SELECT dominant_operation, start_frame, end_frame, next_operation
FROM truth.constants
