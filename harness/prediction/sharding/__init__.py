"""A run in shards: which clips are a shard's, and shards merged into what one process would have made."""
