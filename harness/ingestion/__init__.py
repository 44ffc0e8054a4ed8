"""Bytes -> checked predictions: the table `predictions` in the truth's connection, and all there is to say of it.

submission_file opens what was sent, formats say how to read it, fast_path takes the lines that are plainly good,
line_checker decides about every other line, diagnostics words its problems; ingest puts them together.
"""
