-- What the frame pieces of a plainly good line may be, as enums: a cast is a lookup, its code says which piece it is.
-- Variables: start_pieces, end_pieces (harness/ingestion/fast_path.py).
CREATE TYPE start_piece AS ENUM (SELECT unnest(getvariable('start_pieces')));
CREATE TYPE end_piece AS ENUM (SELECT unnest(getvariable('end_pieces')))
