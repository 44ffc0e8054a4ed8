-- What the training split says about every clip, in the order of the sessions: the constant answer as codes, and T, the
-- usual successor of each operation by its code. Nothing of the clip's own truth.
WITH follows AS (
    SELECT fold, list(next_operation ORDER BY operation) AS follows
    FROM truth.transition
    GROUP BY fold
)
SELECT
    c.clip_id,
    {operation: k.dominant_operation, start_frame: k.start_frame, end_frame: k.end_frame,
     next_operation: k.next_operation} AS constant,
    f.follows
FROM truth.clips c
JOIN truth.constants k USING (fold)
JOIN follows f USING (fold)
ORDER BY c.session_index, c.clip_index
