-- One row per clip: truth, answer and every judgement that metrics, slices, modes and audit aggregate over. A clip that
-- the rule set drops has none.
-- Integers only, so that the number of threads changes no sum. Codes are positions in truth.operations.
-- Frames are stored unsigned: whatever is subtracted from is widened first.
-- Variables: end_inclusive (0 | 1), drop_missing, drop_degenerate, shortest (the rule set: a segment with end - start
-- below `shortest`, as the file counts frames, is degenerate, and one that has no frame left at 25 fps); script (usual
-- successor by operation); cuts, domains, workers (names in order).
CREATE TEMP TABLE facts AS
WITH paired AS (
    SELECT
        c.clip_id, c.session_index, c.clip_index, c.fold,
        c.dominant_operation, c.start_frame, c.end_frame, c.next_operation, c.previous_operation,
        c.next_visible, c.off_script, c.prior_next, c.ceiling_ppm, c.state_prior, c.frames_hit,
        c.dense, c.randomised,
        -- positions in the lists, of which a long one is left empty; NULL: the world does not say
        (list_position(getvariable('cuts'), c.cut_kind) - 1)::UTINYINT AS cut,
        (list_position(getvariable('domains'), c.domain) - 1)::SMALLINT AS domain,
        (list_position(getvariable('workers'), c.worker) - 1)::SMALLINT AS worker,
        p.line,
        p.operation      AS answered_operation,       -- above all codes: a label that the world does not know; NULL: no answer
        p.start_frame    AS answered_start,
        p.end_frame      AS answered_end,
        p.file_start, p.file_end,                     -- the same as the file counts frames
        p.next_operation AS answered_next,
        p.second_operation AS answered_second,        -- NULL in nearly every file
        p.third_operation AS answered_third,
        -- P(answered next | VisibleState) in millionths: 0 where there is no answer, NULL where the world has no process
        if(c.next_ppm IS NULL, NULL, coalesce(c.next_ppm[p.next_operation::INTEGER + 1], 0))::INTEGER AS expected_ppm,
        p.confidence_ppm,
        p.next_confidence_ppm,
        p.latency_us,
        p.source,                                     -- 0 model, 1 repaired, 2 fallback
        coalesce(p.outcome, 3)::UTINYINT AS outcome,  -- 0 answered, 1 unparseable, 2 invalid, 3 missing
        p.start_frame >= p.end_frame OR p.file_end - p.file_start < getvariable('shortest') AS degenerate,
        (c.end_frame::SMALLINT - c.start_frame + getvariable('end_inclusive'))::SMALLINT AS true_length,
        (p.end_frame::SMALLINT - p.start_frame + getvariable('end_inclusive'))::SMALLINT AS answered_length,
        CASE WHEN degenerate IS false THEN
            greatest(0, least(c.end_frame, p.end_frame)::SMALLINT - greatest(c.start_frame, p.start_frame)
                        + getvariable('end_inclusive'))
        ELSE 0 END::SMALLINT AS intersection
    FROM truth.clips c
    LEFT JOIN predictions p ON p.place = c.rowid
    WHERE p.place IS NOT NULL OR NOT getvariable('drop_missing')
),
judged AS (
    SELECT
        paired.*,
        (coalesce(answered_operation = paired.dominant_operation, false))::UTINYINT AS operation_right,
        -- the largest k for which tIoU >= k/20 holds. The same tIoU stands in report/sql/page_answers.sql in thousandths,
        -- rounded down, which only the page shows
        CASE WHEN degenerate IS false
            THEN (20 * intersection) // (true_length + answered_length - intersection)
            ELSE 0 END::UTINYINT AS tiou_level,
        CASE WHEN degenerate IS false
            THEN (true_length + answered_length - intersection)
            ELSE NULL END::SMALLINT AS union_frames,
        (coalesce(answered_next = paired.next_operation, false))::UTINYINT AS next_right,
        (NOT (getvariable('drop_degenerate') AND coalesce(degenerate, false)))::UTINYINT AS segment_counted,
        (paired.prior_next = paired.next_operation)::UTINYINT AS prior_right,
        (paired.state_prior = paired.next_operation)::UTINYINT AS state_prior_right,
        own.next_operation AS own_prior_next,             -- T(answered operation)
        (coalesce(own.next_operation = paired.next_operation, false))::UTINYINT AS own_prior_right,
        getvariable('script')[paired.dominant_operation + 1] AS script_next,
        (k.dominant_operation = paired.dominant_operation)::UTINYINT AS constant_operation_right,
        -- a hit as of tiou_level >= 10, for the constant answer: 2 I >= U, where the union is the span of both. Where the
        -- two do not touch the span is longer than the union, but I is 0 and it is a miss either way
        (2 * greatest(0, least(k.end_frame, paired.end_frame)::SMALLINT - greatest(k.start_frame, paired.start_frame)
                         + getvariable('end_inclusive'))
         >= greatest(k.end_frame, paired.end_frame)::SMALLINT - least(k.start_frame, paired.start_frame)
            + getvariable('end_inclusive')
         AND k.end_frame::SMALLINT - k.start_frame >= getvariable('shortest'))::UTINYINT AS constant_segment_hit,
        (k.next_operation = paired.next_operation)::UTINYINT AS constant_next_right,
        (answered_start::SMALLINT - paired.start_frame)::SMALLINT AS start_error,   -- frames, positive: answered too late
        (answered_end::SMALLINT - paired.end_frame)::SMALLINT AS end_error
    FROM paired
    JOIN truth.constants k ON k.fold = paired.fold
    LEFT JOIN truth.transition own ON own.fold = paired.fold AND own.operation = answered_operation
)
SELECT
    * EXCLUDE (fold, true_length, answered_length, script_next, state_prior),
    (tiou_level >= 10)::UTINYINT AS segment_hit,
    -- the first that applies
    CASE
        WHEN outcome = 3 THEN 'missing'
        WHEN outcome = 1 THEN 'unparseable'
        WHEN outcome = 2 THEN 'invalid'
        WHEN answered_operation IS NULL OR answered_start IS NULL OR answered_end IS NULL OR answered_next IS NULL
            THEN 'abstained'
        WHEN operation_right = 0 THEN CASE
            WHEN answered_operation = previous_operation THEN 'confused_previous'
            WHEN answered_operation = next_operation THEN 'confused_next'
            ELSE 'confused_other' END
        WHEN tiou_level < 10 THEN CASE
            WHEN degenerate THEN 'degenerate'
            WHEN answered_length >= 120 THEN 'whole_clip'
            WHEN intersection = 0 THEN 'disjoint'
            WHEN 3 * answered_length > 4 * true_length THEN 'too_long'
            WHEN 4 * answered_length < 3 * true_length THEN 'too_short'
            WHEN abs(start_error) >= abs(end_error) THEN if(start_error < 0, 'start_early', 'start_late')
            ELSE if(end_error < 0, 'end_early', 'end_late') END
        WHEN next_right = 0 THEN CASE
            WHEN off_script AND answered_next = script_next THEN 'next_script'
            WHEN answered_next = answered_operation THEN 'next_repeats'
            ELSE 'next_other' END
        ELSE 'correct'
    END::failure_mode AS mode
FROM judged
