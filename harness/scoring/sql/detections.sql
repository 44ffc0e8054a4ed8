-- One detection a clip for mean average precision, best first within a class; confidence 1.0 where there is none.
-- An answer with another label than the world's is a detection of no class.
SELECT
    answered_operation        AS class,
    session_index,
    if(operation_right = 1, tiou_level, 0)::UTINYINT AS matched_level   -- 0: matches at no threshold
FROM facts
WHERE answered_operation IN (SELECT code FROM truth.operations)
    AND answered_start IS NOT NULL AND answered_end IS NOT NULL
ORDER BY class, coalesce(confidence_ppm, 1000000) DESC, clip_id
