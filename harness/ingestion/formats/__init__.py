"""Small readers of other projects' formats; registry.py is the table of them, recognition.py chooses one for a file."""
