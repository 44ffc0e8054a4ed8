-- How often the most frequent answer of each kind occurs, and how many answers equal the truth or the segment of the
-- format's example, [$example_start, $example_end).
-- Not count_if, which is NULL where its condition is NULL on every row.
SELECT
    count(*)                                        AS n,
    count(*) FILTER (outcome = 0)                   AS answered,
    count(confidence_ppm) FILTER (outcome = 0)      AS with_confidence,
    count(*) FILTER (answered_start = $example_start AND answered_end = $example_end) AS example_segment,
    max(answered_end)                               AS last_frame,
    count(*) FILTER (operation_right = 1 AND next_right = 1
                     AND answered_start = start_frame AND answered_end = end_frame) AS equal_truth,
    coalesce((SELECT max(n) FROM (SELECT count(*) AS n FROM facts WHERE answered_start IS NOT NULL
              GROUP BY answered_start, answered_end)), 0) AS same_segment,
    coalesce((SELECT max(n) FROM (SELECT count(*) AS n FROM facts WHERE answered_operation IS NOT NULL
              GROUP BY answered_operation)), 0) AS same_operation,
    coalesce((SELECT max(n) FROM (SELECT count(*) AS n FROM facts WHERE answered_next IS NOT NULL
              GROUP BY answered_next)), 0) AS same_next,
    coalesce((SELECT max(n) FROM (SELECT count(*) AS n FROM facts WHERE confidence_ppm IS NOT NULL AND outcome = 0
              GROUP BY confidence_ppm)), 0) AS same_confidence
FROM facts
