-- The clips of a split as a report shows them: small codes, in session and time order. NULL: this world does not say.
SELECT
    clip_id, session, session_index, clip_index, start_ms,
    dominant_operation AS operation, start_frame, end_frame, next_operation, previous_operation,
    next_visible, dense, cut_kind, off_script, randomised, domain, worker, ceiling_ppm, prior_next, state_prior
FROM truth.clips
ORDER BY session_index, clip_index
