-- What it changes that the answers' frames were rounded to 25 fps. A frame of the file is $up units long, one at 25 fps
-- $down. The verdict is worked out in these units, as in facts.sql but without rounding, and compared with the one there.
-- HUGEINT, since the units of a rate with many decimals are many.
WITH exact AS (
    SELECT
        f.segment_hit = 1 AS hit,
        f.start_frame::HUGEINT * $down AS true_start, f.end_frame::HUGEINT * $down AS true_end,
        f.file_end - f.file_start >= getvariable('shortest') AS segment,
        f.file_start::HUGEINT * $up AS exact_start, f.file_end::HUGEINT * $up AS exact_end,
        f.answered_start::HUGEINT * $down <> exact_start OR f.answered_end::HUGEINT * $down <> exact_end AS rounded
    FROM facts f
    WHERE f.file_start IS NOT NULL AND f.file_end IS NOT NULL
),
measured AS (
    SELECT
        *,
        greatest(0, least(true_end, exact_end) - greatest(true_start, exact_start)
                    + getvariable('end_inclusive')::HUGEINT * $down) AS intersection,
        true_end - true_start + exact_end - exact_start
            + 2 * getvariable('end_inclusive')::HUGEINT * $down - intersection AS union_units
    FROM exact
),
judged AS (
    SELECT
        *,
        segment AND 2 * intersection >= union_units AS exact_hit
    FROM measured
)
SELECT
    count(*) FILTER (rounded)               AS rounded,
    count(*) FILTER (exact_hit AND NOT hit) AS hits_lost,
    count(*) FILTER (hit AND NOT exact_hit) AS hits_gained
FROM judged
