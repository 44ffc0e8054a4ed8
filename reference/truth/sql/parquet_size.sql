-- Characters of each column of a truth file of known names, as texts. Parameters: path, columns (a regular expression).
SELECT sum(strlen(COLUMNS($columns)::VARCHAR))
FROM read_parquet($path)
