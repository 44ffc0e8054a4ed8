-- All rows and columns of an imported Parquet file.
SELECT * FROM read_parquet($path)
