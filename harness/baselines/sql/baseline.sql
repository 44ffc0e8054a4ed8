-- The answers of every baseline as codes, a struct each. Segments are [start_frame, end_frame); `later`: the second and
-- third next operation.
SELECT
    c.clip_id,
    {operation: k.dominant_operation, start_frame: k.start_frame, end_frame: k.end_frame,
     next_operation: k.next_operation, later: k.later_operations}            AS constant,
    {operation: k.dominant_operation, start_frame: 0, end_frame: 125,
     next_operation: k.next_operation, later: k.later_operations}            AS whole_clip,
    {operation: c.dominant_operation, start_frame: k.start_frame, end_frame: k.end_frame,
     next_operation: c.prior_next,
     later: [second.next_operation, third.next_operation]}                   AS transition_prior,
    {operation: c.dominant_operation, start_frame: c.start_frame, end_frame: c.end_frame,
     next_operation: c.oracle_next, later: c.later_oracle}                   AS oracle,
    {operation: c.dominant_operation, start_frame: c.start_frame, end_frame: c.end_frame,
     next_operation: c.next_operation, later: c.next_operations[2:]}         AS truth_copy
FROM truth.clips c
JOIN truth.constants k USING (fold)
-- T again and again: the usual successor of the usual successor
JOIN truth.transition second ON second.fold = c.fold AND second.operation = c.prior_next
JOIN truth.transition third ON third.fold = c.fold AND third.operation = second.next_operation
ORDER BY c.clip_id
