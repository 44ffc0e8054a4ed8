-- What the lines say of their cost, before the first; columns behind the clip as in harness/usage/fields.py.
CREATE OR REPLACE TEMP TABLE usage (
    clip_id VARCHAR, input_tokens BIGINT, output_tokens BIGINT, reasoning_tokens BIGINT, cached_tokens BIGINT,
    attempts BIGINT, wait_us BIGINT, ttft_us BIGINT, model_us BIGINT, finish_reason VARCHAR, served_model VARCHAR
)
