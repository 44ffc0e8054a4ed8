-- Numbers of the lines that the strict checker decides about: not plainly good, or of a clip that is not of the split.
-- A left join, since a plainly good line without a clip in the truth must appear here and nowhere else.
SELECT s.rowid + 1 AS line
FROM screened s
LEFT JOIN truth.clips c USING (clip_id)
WHERE s.verdict = 2 OR (s.verdict = 0 AND c.clip_id IS NULL)
ORDER BY line
