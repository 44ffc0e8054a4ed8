-- Names of the columns of an imported Parquet file.
SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet($path))
