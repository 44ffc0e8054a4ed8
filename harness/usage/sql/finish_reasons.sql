-- Clips by finish reason, the most frequent first.
SELECT finish_reason, count(*) AS clips
FROM usage
JOIN predictions p USING (clip_id)
WHERE p.outcome <> 2 AND finish_reason IS NOT NULL
GROUP BY finish_reason
ORDER BY clips DESC, finish_reason
LIMIT 20
