-- Add what the plainly good lines say of their cost.
INSERT INTO usage
SELECT s.clip_id, u.*
FROM usage_said u
JOIN screened s ON s.rowid = u.rowid
WHERE s.verdict = 0 AND coalesce(u.input_tokens, u.attempts) IS NOT NULL
