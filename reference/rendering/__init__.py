"""Clips as files that a model can read: frames, videos or shards, with clips.jsonl.

request lists the choices, sources give the clips and their pixels (scenes, recordings), writers put them into files
(artifacts, shards), render_split does it for a whole split; prompt is the question to a model.
"""
