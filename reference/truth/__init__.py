"""Ground truth as DuckDB databases, whatever its source.

catalog resolves a world's name to its Origin (synthetic, imported, sealed, or published without its answers), store
writes and opens the database of a split, database opens files of unknown origin safely; openpack and imported read
annotations and truth of others.
"""
