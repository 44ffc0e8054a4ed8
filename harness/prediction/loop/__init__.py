"""Ask about every clip of a run: in batches, or many at once, each answer on disk as it comes."""
