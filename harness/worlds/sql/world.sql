-- One row about a split: sizes, shares in [0, 1], and what constants, the usual successors and the ceiling reach on it.
WITH judged AS (
    SELECT
        c.*,
        c.dominant_operation = k.dominant_operation AS constant_operation_right,
        c.next_operation = k.next_operation         AS constant_next_right,
        2 * greatest(0, least(k.end_frame, c.end_frame) - greatest(k.start_frame, c.start_frame))
            >= greatest(k.end_frame, c.end_frame) - least(k.start_frame, c.start_frame) AS constant_segment_hit,
        c.prior_next = c.next_operation             AS prior_right,
        c.state_prior = c.next_operation            AS state_prior_right,
        c.oracle_next = c.next_operation            AS oracle_right,
        k.later_operations[1] = c.next_operations[2] AS constant_second_right,
        k.later_operations[2] = c.next_operations[3] AS constant_third_right,
        c.later_oracle[1] = c.next_operations[2]    AS oracle_second_right,
        c.later_oracle[2] = c.next_operations[3]    AS oracle_third_right
    FROM truth.clips c
    JOIN truth.constants k USING (fold)
)
SELECT
    count(*)                                                    AS n,
    count(DISTINCT session_index)                               AS sessions,
    count_if(dense) / count(*)                                  AS dense,
    count_if(NOT next_visible) / count(*)                       AS next_hidden,
    count_if(off_script) / count(off_script)                    AS off_script,
    count(DISTINCT session_index) FILTER (randomised)           AS randomised_sessions,
    count_if(constant_operation_right) / count(*)               AS floor_oca,
    count_if(constant_segment_hit) / count(*)                   AS floor_tiou50,
    count_if(constant_next_right) / count(*)                    AS floor_aa1,
    count_if(end_frame - start_frame > 62) / count(*)           AS whole_clip_tiou50,
    count_if(prior_right) / count(*)                            AS prior_aa1,
    count_if(state_prior_right) / count(state_prior)            AS state_prior_aa1,
    sum(ceiling_ppm) / 1e6 / count(*)                           AS ceiling_aa1,
    count_if(oracle_right) / count(oracle_next)                 AS oracle_aa1,
    count_if(NOT next_visible)                                  AS n_hidden,
    count_if(constant_next_right AND NOT next_visible) / n_hidden AS floor_aa1_hidden,
    count_if(prior_right AND NOT next_visible) / n_hidden       AS prior_aa1_hidden,
    count_if(state_prior_right AND NOT next_visible) / (count(state_prior) FILTER (NOT next_visible)) AS state_prior_aa1_hidden,
    sum(ceiling_ppm) FILTER (NOT next_visible) / 1e6 / n_hidden AS ceiling_aa1_hidden,
    count_if(oracle_right AND NOT next_visible) / (count(oracle_next) FILTER (NOT next_visible)) AS oracle_aa1_hidden,
    count(next_operations[2])                                   AS n_aa2,
    count_if(constant_second_right) / n_aa2                     AS floor_aa2,
    sum(later_ceilings_ppm[1]) FILTER (len(next_operations) > 1) / 1e6 / n_aa2 AS ceiling_aa2,
    count_if(oracle_second_right) / count(oracle_second_right)  AS oracle_aa2,
    count(next_operations[3])                                   AS n_aa3,
    count_if(constant_third_right) / n_aa3                      AS floor_aa3,
    sum(later_ceilings_ppm[2]) FILTER (len(next_operations) > 2) / 1e6 / n_aa3 AS ceiling_aa3,
    count_if(oracle_third_right) / count(oracle_third_right)    AS oracle_aa3,
    min(end_frame - start_frame)                                AS segment_frames_min,
    quantile_disc(end_frame - start_frame, 0.5)                 AS segment_frames_median,
    max(end_frame - start_frame)                                AS segment_frames_max
FROM judged
