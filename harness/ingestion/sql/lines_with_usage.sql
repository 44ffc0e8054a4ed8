-- The lines of a submission, in file order, without the fields that say what an answer cost, and these apart. They are
-- cut out of a line where they stand together, behind `source` and before `raw_output`, in the order of
-- harness/usage/fields.py and in a plain form; any other line stays whole, and the screen leaves it to the strict
-- checker. In JSON a quote before a colon ends a key: inside a text it would be escaped.
-- Variables: submission, max_line_size (harness/ingestion/fast_path.py).
CREATE OR REPLACE TEMP VIEW submission_lines AS
WITH located AS (
    SELECT
        line,
        CASE WHEN contains(line, '"usage":') THEN strpos(line, '"usage":') ELSE strpos(line, '"attempts":') END AS usage_at,
        strpos(line, '"raw_output":') AS raw_at,
        raw_at > usage_at AS raw
    FROM read_csv(
        getvariable('submission'), columns = {'line': 'VARCHAR'}, header = false, auto_detect = false,
        delim = E'\x1f', quote = '', escape = '', new_line = '\n', compression = 'none',
        max_line_size = getvariable('max_line_size')
    )
),
parts AS (                  -- what stands before the fields, they themselves, what follows
    SELECT
        line, raw,
        CASE WHEN usage_at > 1 THEN left(line, usage_at - 1) END AS before,
        CASE
            WHEN raw THEN substr(line, usage_at, raw_at - usage_at)
            WHEN ends_with(line, '}') THEN substr(line, usage_at, length(line) - usage_at)
        END AS piece,
        CASE
            WHEN NOT raw THEN piece
            WHEN ends_with(piece, ', ') THEN left(piece, -2)
            WHEN ends_with(piece, ',') THEN left(piece, -1)
        END AS said,
        substr(line, raw_at) AS after
    FROM located
),
matched AS (
    SELECT
        *,
        ends_with(before, ',') OR ends_with(before, ', ') AS listed,
        NOT ends_with(said, ',') AND NOT ends_with(said, ', ') AS closed,
        coalesce(listed AND closed AND regexp_full_match(said, getvariable('usage_pattern')), false) AS plain
    FROM parts
)
SELECT
    CASE
        WHEN NOT plain THEN line
        WHEN raw THEN before || after
        WHEN ends_with(before, ', ') THEN left(before, -2) || '}'
        ELSE left(before, -1) || '}'
    END AS line,
    said                    -- also of a line that stays whole
FROM matched
