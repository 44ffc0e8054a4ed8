-- The lines of a submission, in file order. Variables: submission, max_line_size (harness/ingestion/fast_path.py).
CREATE OR REPLACE TEMP VIEW submission_lines AS
SELECT line
FROM read_csv(
    getvariable('submission'), columns = {'line': 'VARCHAR'}, header = false, auto_detect = false,
    delim = E'\x1f', quote = '', escape = '', new_line = '\n', compression = 'none',
    max_line_size = getvariable('max_line_size')
)
