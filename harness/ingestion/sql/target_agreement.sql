-- How many of the targets that stand beside the answers name the operation of the clip that a clip map gave them.
SELECT count(*) AS targets, count_if(t.operation = c.dominant_operation) AS agreeing
FROM targets t JOIN truth.clips c USING (clip_id)
