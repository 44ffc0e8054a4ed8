-- Elements of an imported Parquet file's schema, columns and what is nested in them, in the order of the file.
SELECT name, num_children FROM parquet_schema($path)
