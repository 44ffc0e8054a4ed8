-- Clips that are answered in `compared` and in `facts`, with what is right in either; domain: see sql/codes.sql.
SELECT
    f.session_index, f.domain,
    c.operation_right AS own_operation, c.segment_hit AS own_segment, c.next_right AS own_next,
    f.operation_right AS clean_operation, f.segment_hit AS clean_segment, f.next_right AS clean_next
FROM facts f
JOIN compared c USING (clip_id)
WHERE f.outcome <> 3 AND f.segment_counted = 1
