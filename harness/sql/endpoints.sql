-- Absolute boundary errors in frames, of answers with start < end; percentiles by nearest rank.
SELECT
    quantile_disc(abs(start_error), 0.5) AS start_median, quantile_disc(abs(start_error), 0.9) AS start_p90,
    quantile_disc(abs(end_error), 0.5)   AS end_median,   quantile_disc(abs(end_error), 0.9)   AS end_p90
FROM facts
WHERE degenerate IS false
