"""Ask a model about every clip of a split and write its answers as an entry.

predict is the loop, choices what a user may choose, predictor the contract of a model, facts what it says of itself,
model_code the guard around its own code, questions what it is shown, replies the reader of its text, journal the
answers on disk after a kill, floors the answers that stand in where a text holds none.
"""
