-- All rows of an imported Parquet file, with the columns that truth has ($columns, a regular expression); a column that
-- is not read may be of any type.
SELECT COLUMNS($columns) FROM read_parquet($path)
