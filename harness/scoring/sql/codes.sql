-- Every judged clip as small numbers: where it belongs (a column per slice dimension, slices.DIMENSIONS), what was answered,
-- what was right. Whatever is counted over clips in other groups than sessions alone is counted over these.
-- "This world does not say" is 255, of domain and worker -1.
SELECT
    session_index,
    dominant_operation                                                        AS operation,
    next_operation,
    cut,
    (NOT next_visible)::UTINYINT                                              AS next_visible,
    (NOT dense)::UTINYINT                                                     AS dense,
    coalesce((NOT off_script)::UTINYINT, 255)                                 AS script,
    coalesce((NOT randomised)::UTINYINT, 255)                                 AS session_kind,
    domain, worker,
    enum_code(mode)::UTINYINT                                                 AS mode,
    coalesce(answered_operation, 254)::UTINYINT                               AS answered_operation,   -- 254: no answer
    coalesce(answered_next, 254)::UTINYINT                                    AS answered_next,        -- 255: other label
    tiou_level,                                                               -- the largest k with tIoU >= k/20
    segment_counted, operation_right, segment_hit, next_right
FROM facts
