-- The predictions of a format that the screen does not read, before the first batch; columns as in predictions.sql.
CREATE OR REPLACE TEMP TABLE predictions (
    clip_id VARCHAR, line BIGINT, outcome UTINYINT, operation UTINYINT, start_frame SMALLINT, end_frame SMALLINT,
    next_operation UTINYINT, confidence_ppm INTEGER, next_confidence_ppm INTEGER, latency_us BIGINT, source UTINYINT,
    file_start SMALLINT, file_end SMALLINT, second_operation UTINYINT, third_operation UTINYINT, place BIGINT
)
