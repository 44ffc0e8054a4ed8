-- T, the usual successor of each operation, as codes; no row where each fold (session of an imported world) has its own.
SELECT operation, next_operation
FROM truth.transition
WHERE (SELECT max(fold) FROM truth.transition) = 0
ORDER BY operation
