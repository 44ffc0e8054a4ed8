"""Checked predictions + truth -> the score record: how good, how certain, where, why, is it genuine.

score is the story from top to bottom; request holds the choices; clip_facts makes one row a clip; metrics, slices,
failure_modes, known_failures and audit aggregate those rows; record puts it all into one object.
"""
