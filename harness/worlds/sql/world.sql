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
        c.oracle_next = c.next_operation            AS oracle_right
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
    min(end_frame - start_frame)                                AS segment_frames_min,
    quantile_disc(end_frame - start_frame, 0.5)                 AS segment_frames_median,
    max(end_frame - start_frame)                                AS segment_frames_max
FROM judged
