-- Put a sample in the place of the split: the chosen sessions' clips, numbered anew, and every other table as it is.
ATTACH ':memory:' AS sampled;
CREATE TABLE sampled.meta AS FROM truth.meta;
CREATE TABLE sampled.operations AS FROM truth.operations;
CREATE TABLE sampled.constants AS FROM truth.constants;
CREATE TABLE sampled.transition AS FROM truth.transition;
CREATE TABLE sampled.clips AS
SELECT * REPLACE (CAST(dense_rank() OVER (ORDER BY session_index) - 1 AS INTEGER) AS session_index)
FROM truth.clips
WHERE session IN (SELECT session FROM sample_sessions)
ORDER BY session_index, clip_index;
DETACH truth;
ATTACH ':memory:' AS truth;
COPY FROM DATABASE sampled TO truth;
DETACH sampled;
DROP TABLE sample_sessions;
