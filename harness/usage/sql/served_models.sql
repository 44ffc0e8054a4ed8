-- Clips by served model, the most frequent first.
SELECT served_model, count(*) AS clips
FROM usage
JOIN predictions p USING (clip_id)
WHERE p.outcome <> 2 AND served_model IS NOT NULL
GROUP BY served_model
ORDER BY clips DESC, served_model
LIMIT 20
