-- Clips by every property a slice can have: (dimension, level, clips, sessions).
WITH levels AS (
    UNPIVOT (
        SELECT
            c.session_index,
            op.operation AS operation, nx.operation AS next_operation, c.cut_kind AS cut,
            if(c.next_visible, 'visible', 'hidden') AS next_visible, if(c.dense, 'dense', 'sparse') AS dense,
            CASE WHEN c.off_script THEN 'off-script' WHEN NOT c.off_script THEN 'on-script' END AS script,
            CASE WHEN c.randomised THEN 'randomised' WHEN NOT c.randomised THEN 'regular' END AS session_kind,
            c.domain, c.worker
        FROM truth.clips c
        JOIN truth.operations op ON op.code = c.dominant_operation
        JOIN truth.operations nx ON nx.code = c.next_operation
    ) ON COLUMNS(* EXCLUDE session_index) INTO NAME dimension VALUE level
)
SELECT dimension, level, count(*) AS clips, count(DISTINCT session_index) AS sessions
FROM levels
LEFT JOIN truth.operations o ON dimension IN ('operation', 'next_operation') AND o.operation = level
GROUP BY dimension, level, o.code
ORDER BY list_position(['operation', 'next_operation', 'cut', 'next_visible', 'dense', 'script', 'session_kind', 'domain',
                        'worker'], dimension), o.code, level
