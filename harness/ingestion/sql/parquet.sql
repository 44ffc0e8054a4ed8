-- The rows of a submission in Parquet.
SELECT * FROM read_parquet(?)
