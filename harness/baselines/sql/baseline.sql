-- The answers of every baseline as codes, a struct each. Segments are [start_frame, end_frame).
SELECT
    c.clip_id,
    {operation: k.dominant_operation, start_frame: k.start_frame, end_frame: k.end_frame,
     next_operation: k.next_operation}                                       AS constant,
    {operation: k.dominant_operation, start_frame: 0, end_frame: 125,
     next_operation: k.next_operation}                                       AS whole_clip,
    {operation: c.dominant_operation, start_frame: k.start_frame, end_frame: k.end_frame,
     next_operation: c.prior_next}                                           AS transition_prior,
    {operation: c.dominant_operation, start_frame: c.start_frame, end_frame: c.end_frame,
     next_operation: c.oracle_next}                                          AS oracle,
    {operation: c.dominant_operation, start_frame: c.start_frame, end_frame: c.end_frame,
     next_operation: c.next_operation}                                       AS truth_copy
FROM truth.clips c
JOIN truth.constants k USING (fold)
ORDER BY c.clip_id
