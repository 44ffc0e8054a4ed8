-- A clip named on several lines has one row, of its first line, and no valid answer. any_value is exact: it is read
-- only where the group has one row.
CREATE OR REPLACE TEMP TABLE predictions AS
SELECT
    clip_id, min(line) AS line,
    if(count(*) > 1, 2, any_value(outcome))::UTINYINT AS outcome,
    if(count(*) > 1, NULL, any_value(operation)) AS operation,
    if(count(*) > 1, NULL, any_value(start_frame)) AS start_frame,
    if(count(*) > 1, NULL, any_value(end_frame)) AS end_frame,
    if(count(*) > 1, NULL, any_value(next_operation)) AS next_operation,
    if(count(*) > 1, NULL, any_value(confidence_ppm)) AS confidence_ppm,
    if(count(*) > 1, NULL, any_value(next_confidence_ppm)) AS next_confidence_ppm,
    if(count(*) > 1, NULL, any_value(latency_us)) AS latency_us,
    if(count(*) > 1, 0, any_value(source))::UTINYINT AS source,
    if(count(*) > 1, NULL, any_value(file_start)) AS file_start,
    if(count(*) > 1, NULL, any_value(file_end)) AS file_end,
    if(count(*) > 1, NULL, any_value(second_operation)) AS second_operation,
    if(count(*) > 1, NULL, any_value(third_operation)) AS third_operation,
    place
FROM predictions
GROUP BY clip_id, place
