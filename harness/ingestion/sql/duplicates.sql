-- Lines that name a clip which an earlier line names, with that first line.
SELECT p.line, p.clip_id, first_line, p.outcome
FROM predictions p
JOIN (SELECT place, min(line) AS first_line FROM predictions GROUP BY place HAVING count(*) > 1) USING (place)
WHERE p.line > first_line
ORDER BY p.line
