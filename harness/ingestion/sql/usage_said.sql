-- What the lines of a submission say of their cost, in file order (line = rowid + 1); NULL where it is in no plain form. The
-- names are those of the groups of fast_path.USAGE_PATTERN; one that is not there is ''.
CREATE OR REPLACE TEMP TABLE usage_said AS
WITH extracted AS (
    SELECT regexp_extract(
        said, '^(?:' || getvariable('usage_pattern') || ')$',
        ['input_tokens', 'output_tokens', 'reasoning_tokens', 'cached_tokens', 'attempts', 'wait_ms', 'finish_reason',
         'served_model', 'ttft_ms', 'model_ms']) AS x
    FROM submission_lines
)
SELECT
    TRY_CAST(x.input_tokens AS BIGINT) AS input_tokens,
    TRY_CAST(x.output_tokens AS BIGINT) AS output_tokens,
    TRY_CAST(x.reasoning_tokens AS BIGINT) AS reasoning_tokens,
    TRY_CAST(x.cached_tokens AS BIGINT) AS cached_tokens,
    TRY_CAST(x.attempts AS BIGINT) AS attempts,
    floor(TRY_CAST(x.wait_ms AS DOUBLE) * 1e3 + 0.5)::BIGINT AS wait_us,
    floor(TRY_CAST(x.ttft_ms AS DOUBLE) * 1e3 + 0.5)::BIGINT AS ttft_us,
    floor(TRY_CAST(x.model_ms AS DOUBLE) * 1e3 + 0.5)::BIGINT AS model_us,
    nullif(x.finish_reason, '') AS finish_reason,
    nullif(x.served_model, '') AS served_model
FROM extracted
