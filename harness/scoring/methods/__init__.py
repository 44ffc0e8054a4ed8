"""Methods: entries of several runs, of which each is scored by itself."""
