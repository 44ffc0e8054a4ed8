-- The per-clip facts as people read them: labels instead of codes, in session and time order. An answer that is there
-- and names no operation of the world is '(other label)'.
SELECT
    f.clip_id, c.session, f.clip_index, c.start_ms,
    op.operation AS dominant_operation, f.start_frame, f.end_frame, nx.operation AS next_operation,
    pv.operation AS previous_operation,
    f.next_visible, f.dense, c.cut_kind, f.off_script, f.randomised, c.domain, c.worker,
    f.ceiling_ppm / 1000000.0 AS ceiling,
    t.operation AS prior_next, f.prior_right::BOOLEAN AS prior_right,
    sp.operation AS state_prior, f.state_prior_right::BOOLEAN AS state_prior_right,
    f.line,
    ['answered', 'unparseable', 'invalid', 'missing'][f.outcome::INTEGER + 1] AS outcome,
    coalesce(ao.operation, if(f.answered_operation IS NOT NULL, '(other label)', NULL)) AS answered_operation,
    f.answered_start, f.answered_end,
    coalesce(an.operation, if(f.answered_next IS NOT NULL, '(other label)', NULL)) AS answered_next,
    f.confidence_ppm / 1000000.0 AS confidence, f.next_confidence_ppm / 1000000.0 AS next_confidence,
    f.latency_us / 1000.0 AS latency_ms,
    ['model', 'repaired', 'fallback'][f.source::INTEGER + 1] AS source,
    f.operation_right::BOOLEAN AS operation_right, f.segment_hit::BOOLEAN AS segment_hit, f.next_right::BOOLEAN AS next_right,
    f.own_prior_right::BOOLEAN AS own_prior_right, f.expected_ppm / 1000000.0 AS expected,
    f.intersection, f.union_frames, f.tiou_level,
    if(f.intersection > 0, f.intersection / f.union_frames, 0.0) AS tiou,
    f.start_error, f.end_error, f.segment_counted::BOOLEAN AS segment_counted,
    f.mode::VARCHAR AS mode
FROM facts f
JOIN truth.clips c USING (clip_id)
JOIN truth.operations op ON op.code = f.dominant_operation
JOIN truth.operations nx ON nx.code = f.next_operation
JOIN truth.operations t ON t.code = f.prior_next
LEFT JOIN truth.operations sp ON sp.code = c.state_prior
LEFT JOIN truth.operations pv ON pv.code = f.previous_operation
LEFT JOIN truth.operations ao ON ao.code = f.answered_operation
LEFT JOIN truth.operations an ON an.code = f.answered_next
ORDER BY f.session_index, f.clip_index
