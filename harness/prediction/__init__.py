"""Ask a model about every clip of a split and write its answers as an entry.

predict is the loop, predictor what a model must be, questions what it is shown, replies what its text means, journal
what is on disk after a kill, floors the answers that stand in where a text holds none.
"""
