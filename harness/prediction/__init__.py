"""Ask a model about every clip of a split and write its answers as an entry.

predict begins and ends a run; run is what is settled before the first question, entry what is written after the last;
loop asks between them. choices is what a user may choose, predictor and asker are the contracts of a model, models the
search for one, facts what it says of itself, model_code the guard around its own code, questions what it is shown,
replies the reader of its text, journal the answers on disk after a kill, floors the answers that stand in where a text
holds none.
"""
