"""Clips as files that a model can read: frames, videos or shards, with clips.jsonl.

request says what to render, sources lists the clips and gives their pixels (scenes, recordings), writers puts them into
files (artifacts, shards), render_split does it for a whole split; prompt is the question put to a model.
"""
