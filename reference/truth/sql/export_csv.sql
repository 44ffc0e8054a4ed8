-- CSV is flat: the segment in two columns, next operations and millionths joined by `|`.
COPY (SELECT * REPLACE (array_to_string(next_operations, '|') AS next_operations, array_to_string(next_ppm, '|') AS next_ppm) FROM exported) TO $path (FORMAT csv, HEADER)
