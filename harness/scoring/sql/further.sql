-- Sums per session about the second and the third next operation, of the clips that have one. One row per session that
-- has clips in `facts`.
SELECT
    f.session_index,
    count(c.next_operations[2])                                     AS n_second,
    count_if(f.answered_second = c.next_operations[2])              AS second_right,
    count_if(k.later_operations[1] = c.next_operations[2])          AS constant_second_right,
    sum(c.later_ceilings_ppm[1]) FILTER (len(c.next_operations) > 1) AS second_ceiling_ppm,
    count(c.next_operations[3])                                     AS n_third,
    count_if(f.answered_third = c.next_operations[3])               AS third_right,
    count_if(k.later_operations[2] = c.next_operations[3])          AS constant_third_right,
    sum(c.later_ceilings_ppm[2]) FILTER (len(c.next_operations) > 2) AS third_ceiling_ppm
FROM facts f
JOIN truth.clips c USING (clip_id)
JOIN truth.constants k ON k.fold = c.fold
GROUP BY f.session_index
ORDER BY f.session_index
