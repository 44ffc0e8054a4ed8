-- Operation and next operation, true against answered, per session; 254 stands for "no answer" and 255 for "other label".
SELECT session_index, 0 AS field, dominant_operation AS truth, coalesce(answered_operation, 254) AS answer, count(*) AS n
FROM facts GROUP BY ALL
UNION ALL
SELECT session_index, 1 AS field, next_operation AS truth, coalesce(answered_next, 254) AS answer, count(*) AS n
FROM facts GROUP BY ALL
ORDER BY field, session_index, truth, answer
