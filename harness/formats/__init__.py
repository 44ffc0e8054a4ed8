"""Small readers of other projects' formats; harness/adapters.py is the table of them."""
