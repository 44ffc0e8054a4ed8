-- Names of the sessions that hold a judged clip, in the order of sql/sessions.sql.
SELECT any_value(c.session) AS session
FROM facts f
JOIN truth.clips c USING (clip_id)
GROUP BY f.session_index
ORDER BY f.session_index
