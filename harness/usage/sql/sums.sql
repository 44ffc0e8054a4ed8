-- Sums over the clips of the split whose line is valid: a line that was rejected says nothing. Percentiles by nearest rank.
SELECT
    count(coalesce(input_tokens, output_tokens)) AS n,
    count(input_tokens) AS n_input, coalesce(sum(input_tokens), 0)::BIGINT AS input_tokens,
    count(output_tokens) AS n_output, coalesce(sum(output_tokens), 0)::BIGINT AS output_tokens,
    count(reasoning_tokens) AS n_reasoning, coalesce(sum(reasoning_tokens), 0)::BIGINT AS reasoning_tokens,
    count(cached_tokens) AS n_cached, coalesce(sum(cached_tokens), 0)::BIGINT AS cached_tokens,
    count(attempts) AS n_attempts, coalesce(sum(attempts), 0)::BIGINT AS attempts,
    count(*) FILTER (attempts > 1) AS repeated,
    count(wait_us) AS n_wait, coalesce(sum(wait_us), 0)::BIGINT AS wait_us,
    count(ttft_us) AS n_ttft,
    quantile_disc(ttft_us, 0.50) / 1000.0 AS ttft_p50_ms, quantile_disc(ttft_us, 0.95) / 1000.0 AS ttft_p95_ms,
    count(model_us) AS n_model,
    quantile_disc(model_us, 0.50) / 1000.0 AS model_p50_ms, quantile_disc(model_us, 0.95) / 1000.0 AS model_p95_ms
FROM usage
JOIN predictions p USING (clip_id)
WHERE p.outcome <> 2
