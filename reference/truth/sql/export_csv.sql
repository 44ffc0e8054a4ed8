-- CSV is flat: the segment in two columns, the next operations joined by `|`.
COPY (SELECT * REPLACE (array_to_string(next_operations, '|') AS next_operations) FROM exported) TO $path (FORMAT csv, HEADER)
