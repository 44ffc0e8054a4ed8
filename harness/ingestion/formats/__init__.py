"""Small readers of other projects' formats; registry.py is the table of them."""
