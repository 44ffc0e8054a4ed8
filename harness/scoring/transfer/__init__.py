"""What another domain costs: against other clips that are clean (gaps), or the same clips drawn clean (paired)."""
