-- Drop the tables and types of the screen.
DROP TABLE IF EXISTS usage_said;
DROP TABLE IF EXISTS screened;
DROP TYPE IF EXISTS start_piece;
DROP TYPE IF EXISTS end_piece
