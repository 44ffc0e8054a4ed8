"""Bytes -> checked predictions: the table `predictions` in the truth's connection, and a report on the file.

submission_file opens the file with what packed unpacks, formats recognise and read its container, fast_path takes the
lines that are plainly good, lines decide about every other one, diagnostics words its problems; ingest puts them
together.
"""
