-- The first few clips of each failure mode, in session and time order.
SELECT mode::VARCHAR AS mode, min_by(clip_id, session_index::BIGINT * 1000000 + clip_index, 5) AS clip_ids
FROM facts
WHERE mode <> 'correct'
GROUP BY mode
ORDER BY mode
