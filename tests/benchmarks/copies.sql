-- The clips of a split several times over, each copy under new ids, in sessions and with sessions' numbers of its own.
-- Variables: copies, sessions (of the split).
INSERT INTO truth.clips
SELECT c.* REPLACE (
    concat(c.clip_id, copy) AS clip_id,
    concat(c.session, '-', copy) AS session,
    (c.session_index + copy * getvariable('sessions'))::INTEGER AS session_index)
FROM base.clips c, range(getvariable('copies')) AS numbers(copy)
ORDER BY session_index, clip_index
