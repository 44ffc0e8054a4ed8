-- A submission in Parquet, as it is.
SELECT * FROM read_parquet(?)
