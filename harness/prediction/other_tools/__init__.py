"""Clips of a split as a task of another evaluation tool, whose providers answer them: `harness world export --as`.

tasks writes the folder; templates/ holds what differs between the tools, file by file as it is written. What the tools
log of the answers is read in harness/ingestion/formats.
"""
