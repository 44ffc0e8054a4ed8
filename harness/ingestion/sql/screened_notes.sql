-- Notes on the lines that were taken: how often, and the first line. The join leaves out clips that are not of the split.
SELECT
    coalesce(sum(normalised), 0)::BIGINT AS normalised,
    min(s.rowid + 1) FILTER (WHERE normalised > 0) AS normalised_line,
    count(*) FILTER (WHERE anticipated) AS anticipated,
    min(s.rowid + 1) FILTER (WHERE anticipated) AS anticipated_line
FROM screened s
JOIN truth.clips USING (clip_id)
