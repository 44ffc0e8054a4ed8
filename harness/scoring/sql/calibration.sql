-- Answers by confidence: of the operation (field 0) and of the next operation (field 1). Confidence in millionths.
SELECT 0 AS field, confidence_ppm AS ppm, count(*) AS n, sum(operation_right) AS n_right
FROM facts WHERE confidence_ppm IS NOT NULL AND outcome = 0 GROUP BY ppm
UNION ALL
SELECT 1 AS field, next_confidence_ppm AS ppm, count(*) AS n, sum(next_right) AS n_right
FROM facts WHERE next_confidence_ppm IS NOT NULL AND outcome = 0 GROUP BY ppm
ORDER BY field, ppm DESC
