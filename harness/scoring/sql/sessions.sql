-- Sums per session, of which every interval deletes one session at a time. One row per session that has clips in `facts`.
SELECT
    session_index,
    count(*)                                              AS n,
    sum(segment_counted)                                  AS n_segment,
    sum(operation_right)                                  AS operation_right,
    sum(segment_hit)                                      AS segment_hit,
    sum(next_right)                                       AS next_right,
    sum(prior_right)                                      AS prior_right,
    sum(own_prior_right)                                  AS own_prior_right,
    sum(constant_operation_right)                         AS constant_operation_right,
    sum(constant_segment_hit)                             AS constant_segment_hit,
    sum(constant_next_right)                              AS constant_next_right,
    sum(ceiling_ppm)                                      AS ceiling_ppm,
    sum(expected_ppm)                                     AS expected_ppm,
    sum(state_prior_right)                                AS state_prior_right,
    sum(frames_hit::UTINYINT)                             AS frames_hit,

    count_if(NOT next_visible)                            AS n_hidden,
    sum(next_right)               FILTER (NOT next_visible) AS hidden_next_right,
    sum(prior_right)              FILTER (NOT next_visible) AS hidden_prior_right,
    sum(own_prior_right)          FILTER (NOT next_visible) AS hidden_own_prior_right,
    sum(constant_next_right)      FILTER (NOT next_visible) AS hidden_constant_next_right,
    sum(ceiling_ppm)              FILTER (NOT next_visible) AS hidden_ceiling_ppm,
    sum(expected_ppm)             FILTER (NOT next_visible) AS hidden_expected_ppm,
    sum(state_prior_right)        FILTER (NOT next_visible) AS hidden_state_prior_right,

    -- audit: right answers beyond what the frames allow; the variance P (1 - P) in units of 1e-12
    sum(expected_ppm::BIGINT * (1000000 - expected_ppm)) FILTER (NOT next_visible) AS hidden_expected_variance_e12,

    -- calibration: squared errors of the stated confidence in units of 1e-12, and confidence minus exact probability
    count(confidence_ppm)         FILTER (outcome = 0)    AS n_operation_confidence,
    sum((operation_right::BIGINT * 1000000 - confidence_ppm) * (operation_right::BIGINT * 1000000 - confidence_ppm)) FILTER (outcome = 0) AS operation_brier_e12,
    count(next_confidence_ppm)    FILTER (outcome = 0)    AS n_next_confidence,
    sum((next_right::BIGINT * 1000000 - next_confidence_ppm) * (next_right::BIGINT * 1000000 - next_confidence_ppm)) FILTER (outcome = 0) AS next_brier_e12,
    count(next_confidence_ppm)    FILTER (outcome = 0 AND NOT next_visible) AS n_hidden_confidence,
    sum(next_confidence_ppm)      FILTER (outcome = 0 AND NOT next_visible) AS hidden_confidence_ppm,
    sum(expected_ppm)             FILTER (outcome = 0 AND NOT next_visible AND next_confidence_ppm IS NOT NULL)
                                                          AS confident_expected_ppm,

    -- IoU in units of 1e-12, so that sums are integers
    sum(CASE WHEN intersection > 0
        THEN (intersection::BIGINT * 1000000000000 + union_frames // 2) // union_frames
        ELSE 0 END)                                       AS iou_e12,

    count_if(degenerate IS false)                         AS n_segment_answered,  -- with start < end: has endpoint errors
    sum(start_error)              FILTER (degenerate IS false) AS start_error,
    sum(end_error)                FILTER (degenerate IS false) AS end_error,
    sum(abs(start_error))         FILTER (degenerate IS false) AS start_error_abs,
    sum(abs(end_error))           FILTER (degenerate IS false) AS end_error_abs,
    count_if(degenerate IS false AND abs(start_error) <= 10) AS start_within_10,
    count_if(degenerate IS false AND abs(end_error) <= 10)   AS end_within_10,

    -- fallback answers as wrong
    sum(operation_right)          FILTER (source IS DISTINCT FROM 2) AS model_operation_right,
    sum(segment_hit)              FILTER (source IS DISTINCT FROM 2) AS model_segment_hit,
    sum(next_right)               FILTER (source IS DISTINCT FROM 2) AS model_next_right,
    sum(next_right)               FILTER (source IS DISTINCT FROM 2 AND NOT next_visible) AS model_hidden_next_right,
    sum(expected_ppm)             FILTER (source IS DISTINCT FROM 2) AS model_expected_ppm,
    sum(expected_ppm)             FILTER (source IS DISTINCT FROM 2 AND NOT next_visible) AS model_hidden_expected_ppm,

    -- segmental F1: one true and at most one answered segment a clip, whatever its label
    count_if(answered_operation IS NOT NULL AND answered_start IS NOT NULL AND answered_end IS NOT NULL) AS segments_answered,
    count_if(operation_right = 1 AND tiou_level >= 2)     AS segments_matched_10,
    count_if(operation_right = 1 AND tiou_level >= 5)     AS segments_matched_25,
    count_if(operation_right = 1 AND tiou_level >= 10)    AS segments_matched_50,

    -- audit: is the next operation read off the memorised sequence?
    count_if(answered_operation IS NOT NULL AND answered_next IS NOT NULL) AS pairs_answered,
    count_if(own_prior_next = answered_next)              AS pairs_prior,

    count_if(outcome <> 3)                                AS present,
    count_if(outcome IN (0, 2))                           AS parsed,
    count_if(outcome = 0)                                 AS valid,
    sum(operation_right & segment_hit)                    AS funnel_segment,
    sum(operation_right & segment_hit & next_right)       AS all_right
FROM facts
GROUP BY session_index
ORDER BY session_index
