-- Latency of the answers that state one, in milliseconds; percentiles by nearest rank.
SELECT
    count(latency_us)                          AS n,
    quantile_disc(latency_us, 0.50) / 1000.0   AS p50_ms,
    quantile_disc(latency_us, 0.95) / 1000.0   AS p95_ms,
    count(*) FILTER (latency_us > 10000000)    AS above_10s
FROM facts
