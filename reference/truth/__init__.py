"""Ground truth as DuckDB databases, wherever it comes from.

catalog finds the Origin of a world's name (synthetic, imported or sealed), store makes and opens the database of a
split, database keeps files of unknown origin from doing harm; openpack and imported read what others annotated.
"""
