-- Absolute boundary errors in frames, of answers with start < end; percentiles by nearest rank.
WITH percentiles AS (
    SELECT quantile_disc(abs(start_error), [0.5, 0.9]) AS starts, quantile_disc(abs(end_error), [0.5, 0.9]) AS ends
    FROM facts
    WHERE degenerate IS false
)
SELECT starts[1] AS start_median, starts[2] AS start_p90, ends[1] AS end_median, ends[2] AS end_p90
FROM percentiles
