-- Parquet has the segment in two columns, and the next operations as a list.
COPY (SELECT * FROM exported) TO $path (FORMAT parquet, COMPRESSION zstd)
