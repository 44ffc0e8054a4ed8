-- What the scoring time is compared with: the same file read with the right types, joined with the same truth, three
-- counts. It checks nothing: 1.7 becomes 2, "1" becomes 1, what is missing becomes NULL.
SELECT
    count(*) AS n,
    count_if(op.operation = p.dominant_operation) AS operation_right,
    count_if(2 * greatest(0, least(c.end_frame, p.temporal_segment.end_frame)
                             - greatest(c.start_frame, p.temporal_segment.start_frame))
             >= greatest(c.end_frame, p.temporal_segment.end_frame)
                - least(c.start_frame, p.temporal_segment.start_frame)) AS segment_hit,
    count_if(nx.operation = p.next_operation) AS next_right
FROM truth.clips c
JOIN truth.operations op ON op.code = c.dominant_operation
JOIN truth.operations nx ON nx.code = c.next_operation
LEFT JOIN read_json(?, format = 'newline_delimited', columns = {
    clip_id: 'VARCHAR', dominant_operation: 'VARCHAR', next_operation: 'VARCHAR',
    temporal_segment: 'STRUCT(start_frame SMALLINT, end_frame SMALLINT)'
}) p USING (clip_id)
