"""One object of a submission -> a row of `predictions`, or its problems.

fields names what a prediction consists of, field_check decides about each field, hints says what a wrong one may have
meant, model_text finds the answer in a model's text; line_checker decides about the whole line with them. What comes
out is in result.
"""
