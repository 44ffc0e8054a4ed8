-- What a truth database must not hold: views, macros, types, sequences, schemas of its own.
SELECT 'view' AS kind, view_name AS name FROM duckdb_views() WHERE database_name = 'truth' AND NOT internal
UNION ALL
SELECT 'macro', function_name FROM duckdb_functions() WHERE database_name = 'truth' AND NOT internal
UNION ALL
SELECT 'type', type_name FROM duckdb_types() WHERE database_name = 'truth' AND NOT internal
UNION ALL
SELECT 'sequence', sequence_name FROM duckdb_sequences() WHERE database_name = 'truth'
UNION ALL
SELECT 'index', index_name FROM duckdb_indexes() WHERE database_name = 'truth'
UNION ALL
SELECT 'schema', schema_name FROM duckdb_schemas() WHERE database_name = 'truth' AND NOT internal AND schema_name <> 'main'
ORDER BY kind, name
