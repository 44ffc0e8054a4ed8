-- The truth digest: SHA-256 over the sessions' SHA-256, over the clips' lines, in order. Text of integers, booleans and
-- labels only, so that it is the same on every processor and in every DuckDB; what is fitted (constants, transition) and
-- what pins it (fold, prior_next, state_prior) belong to it.
WITH lines AS (
    SELECT session_index, clip_index, concat_ws('|', clip_id, session, start_ms, dominant_operation, start_frame, end_frame,
        next_operation, coalesce(previous_operation::VARCHAR, '-'), array_to_string(next_operations, ','), cut_kind,
        coalesce(domain, '-'), coalesce(domain_seen::VARCHAR, '-'), coalesce(worker, '-'), coalesce(randomised::VARCHAR, '-'),
        coalesce(off_script::VARCHAR, '-'), coalesce(ceiling_ppm::VARCHAR, '-'), coalesce(oracle_next::VARCHAR, '-'),
        fold, prior_next, coalesce(look, '-'), coalesce(state_prior::VARCHAR, '-'),
        coalesce(array_to_string(next_ppm, ','), '-'), coalesce(frames_hit::VARCHAR, '-'),
        coalesce(array_to_string(later_ceilings_ppm, ','), '-'), coalesce(array_to_string(later_oracle, ','), '-')) AS line
    FROM truth.clips
),
parts AS (
    SELECT 0 AS section, session_index AS place, sha256(string_agg(line, chr(10) ORDER BY clip_index)) AS digest
    FROM lines GROUP BY session_index
    UNION ALL
    SELECT 1, fold, concat_ws('|', dominant_operation, start_frame, end_frame, next_operation,
        array_to_string(later_operations, ',')) FROM truth.constants
    UNION ALL
    SELECT 2, fold, string_agg(next_operation::VARCHAR, ',' ORDER BY operation) FROM truth.transition GROUP BY fold
    UNION ALL
    SELECT 3, code, operation FROM truth.operations
)
SELECT sha256(string_agg(digest, chr(10) ORDER BY section, place)) FROM parts
