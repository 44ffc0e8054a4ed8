-- Histogram of the largest k with tIoU >= k/20, per session; clips that the rule set leaves out are left out.
SELECT session_index, tiou_level, count(*) AS n
FROM facts
WHERE segment_counted = 1
GROUP BY ALL
ORDER BY session_index, tiou_level
