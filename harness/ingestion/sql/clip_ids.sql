-- The clip ids of the split, backwards: of several that look alike the first one is then kept.
SELECT clip_id FROM truth.clips ORDER BY clip_id DESC
