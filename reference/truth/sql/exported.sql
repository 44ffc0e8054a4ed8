-- Truth as people and other programs read it: labels instead of codes, in session and time order. The export_*.sql
-- statements write this view to a file; truth_rows.truth_row gives the same values for one clip.
CREATE OR REPLACE TEMPORARY VIEW exported AS
SELECT
    c.clip_id, c.session, c.clip_index, c.start_ms,
    op.operation AS dominant_operation, c.start_frame, c.end_frame, nx.operation AS next_operation,
    pv.operation AS previous_operation,
    list_transform(c.next_operations, lambda code: labels.names[code + 1]) AS next_operations,
    c.next_visible, c.dense, c.cut_kind, c.domain, c.domain_seen, c.worker, c.randomised, c.off_script,
    c.ceiling_ppm / 1000000.0 AS ceiling, oc.operation AS oracle_next, t.operation AS prior_next,
    c.look, sp.operation AS state_prior, c.next_ppm, c.later_ceilings_ppm,
    list_transform(c.later_oracle, lambda code: labels.names[code + 1]) AS later_oracle, c.frames_hit
FROM truth.clips c
CROSS JOIN (SELECT list(operation ORDER BY code) AS names FROM truth.operations) labels
JOIN truth.operations op ON op.code = c.dominant_operation
JOIN truth.operations nx ON nx.code = c.next_operation
JOIN truth.operations t ON t.code = c.prior_next
LEFT JOIN truth.operations pv ON pv.code = c.previous_operation
LEFT JOIN truth.operations oc ON oc.code = c.oracle_next
LEFT JOIN truth.operations sp ON sp.code = c.state_prior
ORDER BY c.session_index, c.clip_index
