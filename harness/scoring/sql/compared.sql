-- What is right about the clips that have an answer, kept beside `facts` when another file's answers take its place.
-- A clip whose segment the rule set leaves out is no part of a pair: sums of pairs are over the same clips.
CREATE OR REPLACE TEMP TABLE compared AS
SELECT clip_id, operation_right, segment_hit, next_right
FROM facts
WHERE outcome <> 3 AND segment_counted = 1
