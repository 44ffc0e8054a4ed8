-- Where each clip belongs, as codes: a column per slice dimension (slices.DIMENSIONS), and what was right on it.
-- 255 stands for "this world does not say". Codes of operation, domain and worker are positions in the named lists.
SELECT
    session_index,
    dominant_operation                                                        AS operation,
    next_operation,
    (list_position(['mid', 'boundary', 'dense'], cut_kind) - 1)::UTINYINT     AS cut,
    (NOT next_visible)::UTINYINT                                              AS next_visible,
    (NOT dense)::UTINYINT                                                     AS dense,
    coalesce((NOT off_script)::UTINYINT, 255)                                 AS script,
    coalesce((NOT randomised)::UTINYINT, 255)                                 AS session_kind,
    coalesce(list_position(getvariable('domains'), domain) - 1, 255)::UTINYINT AS domain,
    coalesce(list_position(getvariable('workers'), worker) - 1, 255)::UTINYINT AS worker,
    enum_code(mode)::UTINYINT                                                 AS mode,
    segment_counted, operation_right, segment_hit, next_right
FROM facts
