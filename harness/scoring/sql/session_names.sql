-- Names of the sessions that have a row in `facts`, in the order of sql/sessions.sql.
SELECT any_value(c.session) AS session
FROM facts f
JOIN truth.clips c USING (clip_id)
GROUP BY f.session_index
ORDER BY f.session_index
