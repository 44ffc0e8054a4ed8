-- CSV is flat: the segment in two columns, next operations and millionths joined by `|`.
COPY (SELECT * REPLACE (array_to_string(next_operations, '|') AS next_operations, array_to_string(next_ppm, '|') AS next_ppm,
    array_to_string(later_ceilings_ppm, '|') AS later_ceilings_ppm, array_to_string(later_oracle, '|') AS later_oracle) FROM exported) TO $path (FORMAT csv, HEADER)
