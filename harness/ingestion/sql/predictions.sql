-- The predictions: one row per clip of the split that has a line, to begin with from the plainly good lines. The inner
-- join leaves out good lines of other clips (doubtful.sql lists them); a clip named on two lines has two rows until
-- duplicates_invalid.sql, so that both lines can be reported.
CREATE OR REPLACE TEMP TABLE predictions AS
SELECT
    s.clip_id,
    (s.rowid + 1)::BIGINT AS line,
    0::UTINYINT AS outcome,        -- 0 answered, 1 unparseable, 2 invalid
    s.operation,                   -- code, or vocabulary.UNKNOWN_LABEL (an answer, and wrong); NULL: no answer
    s.start_frame, s.end_frame, s.next_operation,
    s.confidence_ppm, s.next_confidence_ppm, s.latency_us,
    s.source,                      -- 0 model, 1 repaired, 2 fallback
    s.file_start, s.file_end,      -- the frames as the file counts them, of which those above are rounded to 25 fps
    NULL::UTINYINT AS second_operation, NULL::UTINYINT AS third_operation,   -- the screen takes no line that has them
    c.rowid AS place               -- of the clip in the truth: counting by it is cheaper than by clip_id
FROM screened s
JOIN truth.clips c USING (clip_id)
