-- Every line of a submission, in file order (line = rowid + 1): its values where it is plainly good, else only a verdict.
-- Plainly good: keys in canonical order, ", " or "," and ": " or ":" between them, nothing escaped, usual spellings.
-- No string of such a line holds a quote, so `":` stands after keys only, and splitting there takes the line apart
-- exactly: each piece is a value with the name of the next key. Every piece is compared whole with what it may be, but
-- for the clip id, which must be one of the truth's. The strict checker decides about all other lines.
-- Lines: lines.sql. Variables: those of harness/ingestion/fast_path.py; types: vocabulary.sql.
CREATE TEMP TABLE screened AS
WITH lines AS (
    SELECT
        line,
        CASE WHEN ends_with(line, '"}') OR ends_with(line, 'null}') THEN contains(line, '"raw_output":') END AS raw,
        line IS NULL AS blank
    FROM submission_lines
),
located AS (
    SELECT line, blank, CASE WHEN raw THEN strpos(line, '"raw_output":') END AS raw_at FROM lines
),
heads AS (                  -- raw_output, when it comes last, is cut off: it may be any JSON text
    SELECT
        blank,
        CASE
            WHEN raw_at IS NULL THEN line
            WHEN NOT regexp_full_match(
                substr(line, raw_at),
                '"raw_output": ?(?:null|"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u(?:[0-9a-ce-fA-CE-F][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*")\}'
            ) THEN NULL
            WHEN contains(substr(line, raw_at), 'clip_id') THEN NULL   -- it may name another clip
            WHEN ends_with(left(line, raw_at - 1), ', ') THEN left(line, raw_at - 3) || '}'
            WHEN ends_with(left(line, raw_at - 1), ',') THEN left(line, raw_at - 2) || '}'
        END AS head
    FROM located
),
split AS (
    SELECT blank, string_split(head, '":') AS p FROM heads
),
framed AS (
    SELECT *, coalesce(p[1] = '{"clip_id' AND p[4] IN (' {"start_frame', '{"start_frame'), false) AS framed FROM split
),
answers AS (                -- positions of the pieces among those that may be, from 0; NULL where a piece is none of them
    SELECT
        blank, p, framed,
        CASE                                          -- ' "', the id, '", "dominant_operation'
            WHEN starts_with(p[2], ' "') AND ends_with(p[2], '", "dominant_operation') THEN substr(p[2], 3, length(p[2]) - 24)
            WHEN starts_with(p[2], '"') AND ends_with(p[2], '","dominant_operation') THEN substr(p[2], 2, length(p[2]) - 22)
        END AS clip_id,
        -- the usual spelling comes first, so a search is short; an enum finds a frame at once, but a cast that fails is slow
        CASE WHEN framed THEN list_position(getvariable('operation_pieces'), p[3]) - 1 END AS operation,
        CASE WHEN framed THEN enum_code(TRY_CAST(p[5] AS start_piece))::INTEGER END AS start_frame,
        CASE WHEN framed THEN enum_code(TRY_CAST(p[6] AS end_piece))::INTEGER END AS end_frame,
        CASE WHEN framed THEN list_position(getvariable('next_pieces'), p[7]) - 1 END AS next_operation
    FROM framed
),
with_key AS (               -- the key that follows the three answers, '' at the end of the object
    SELECT *, ['', 'confidence', 'next_confidence', 'latency_ms', 'source'][next_operation % 10 // 2 + 1] AS key
    FROM answers
),
with_confidence AS (        -- each optional field, when it is the one that follows, moves on by a piece
    SELECT
        * EXCLUDE (key),
        CASE WHEN key = 'confidence' THEN regexp_extract(
            p[8], '^ ?([01](?:\.[0-9]{1,17})?)(?:\}|, ?"([a-z_]+))$', ['value', 'key']) END AS confidence,
        7 + (key = 'confidence')::INTEGER AS used,
        coalesce(struct_extract(confidence, 'key'), key) AS key
    FROM with_key
),
with_next AS (
    SELECT
        * EXCLUDE (key, used),
        CASE WHEN key = 'next_confidence' THEN regexp_extract(
            p[used + 1], '^ ?([01](?:\.[0-9]{1,17})?)(?:\}|, ?"([a-z_]+))$', ['value', 'key']) END AS next_confidence,
        used + (key = 'next_confidence')::INTEGER AS used,
        coalesce(struct_extract(next_confidence, 'key'), key) AS key
    FROM with_confidence
),
with_latency AS (
    SELECT
        * EXCLUDE (key, used),
        CASE WHEN key = 'latency_ms' THEN regexp_extract(
            p[used + 1], '^ ?((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?)(?:\}|, ?"([a-z_]+))$', ['value', 'key']) END AS latency,
        used + (key = 'latency_ms')::INTEGER AS used,
        coalesce(struct_extract(latency, 'key'), key) AS key
    FROM with_next
),
valued AS (
    SELECT
        *,
        used + (key = 'source')::INTEGER AS pieces,
        CASE WHEN key = 'source' THEN
            (list_position([' "model"}', '"model"}', ' "repaired"}', '"repaired"}', ' "fallback"}', '"fallback"}'],
                           p[used + 1]) - 1) // 2
        ELSE 0 END AS source,
        TRY_CAST(struct_extract(confidence, 'value') AS DOUBLE) AS confidence_value,
        TRY_CAST(struct_extract(next_confidence, 'value') AS DOUBLE) AS next_confidence_value,
        TRY_CAST(struct_extract(latency, 'value') AS DOUBLE) AS latency_value
    FROM with_latency
),
judged AS (
    SELECT
        *,
        coalesce(
            operation IS NOT NULL AND start_frame IS NOT NULL AND end_frame IS NOT NULL
            AND key IN ('', 'source') AND len(p) = pieces AND source IS NOT NULL
            AND NOT contains(clip_id, '"') AND NOT contains(clip_id, '\')
            AND (confidence IS NULL OR confidence_value <= 1)
            AND (next_confidence IS NULL OR next_confidence_value <= 1)
            AND (latency IS NULL OR latency_value IS NOT NULL), false) AS good
    FROM valued
)
SELECT
    CASE WHEN good THEN 0 WHEN blank THEN 1 ELSE 2 END::UTINYINT AS verdict,   -- 0 plainly good, 1 blank, 2 for the checker
    CASE WHEN good THEN clip_id END AS clip_id,
    CASE WHEN good THEN operation // 2 % getvariable('operations') END::UTINYINT AS operation,
    -- to 25 fps, half up
    CASE WHEN good THEN (start_frame // 2 * getvariable('frame_up') + getvariable('frame_half'))
                        // getvariable('frame_down') END::SMALLINT AS start_frame,
    CASE WHEN good THEN (end_frame // 4 * getvariable('frame_up') + getvariable('frame_half'))
                        // getvariable('frame_down') END::SMALLINT AS end_frame,
    CASE WHEN good THEN next_operation // 10 % getvariable('operations') END::UTINYINT AS next_operation,
    CASE WHEN good THEN floor(confidence_value * 1e6 + 0.5) END::INTEGER AS confidence_ppm,
    CASE WHEN good THEN floor(next_confidence_value * 1e6 + 0.5) END::INTEGER AS next_confidence_ppm,
    CASE WHEN good THEN floor(latency_value * 1e3 + 0.5) END::BIGINT AS latency_us,
    CASE WHEN good THEN source ELSE 0 END::UTINYINT AS source,
    CASE WHEN good THEN start_frame // 2 END::SMALLINT AS file_start,
    CASE WHEN good THEN end_frame // 4 END::SMALLINT AS file_end,
    -- labels in another spelling than the world's own; those come first in the vocabulary
    CASE WHEN good THEN (operation // 2 >= getvariable('operations'))::UTINYINT
                        + (next_operation // 10 >= getvariable('operations'))::UTINYINT ELSE 0 END::UTINYINT AS normalised,
    good AND end_frame % 4 >= 2 AS anticipated
FROM judged
