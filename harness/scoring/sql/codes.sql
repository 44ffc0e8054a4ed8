-- Every clip of `facts` as small numbers: where it belongs (a column per slice dimension, slices.DIMENSIONS), what was
-- answered, what was right. Whatever is counted over clips in other groups than sessions alone is counted over these.
-- NULL: the world does not say, or there is no answer.
SELECT
    session_index,
    dominant_operation                                                        AS operation,
    next_operation,
    cut,
    (NOT next_visible)::UTINYINT                                              AS next_visible,
    (NOT dense)::UTINYINT                                                     AS dense,
    (NOT off_script)::UTINYINT                                                AS script,
    (NOT randomised)::UTINYINT                                                AS session_kind,
    domain, worker,
    enum_code(mode)::UTINYINT                                                 AS mode,
    answered_operation, answered_next,                                        -- above all codes: another label
    tiou_level,                                                               -- the largest k with tIoU >= k/20
    segment_counted, operation_right, segment_hit, next_right
FROM facts
