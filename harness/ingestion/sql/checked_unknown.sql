-- Rows of a batch whose clip is not of the split.
SELECT b.line, b.clip_id, b.outcome
FROM batch b
LEFT JOIN truth.clips c USING (clip_id)
WHERE b.clip_id IS NOT NULL AND c.clip_id IS NULL
ORDER BY b.line
