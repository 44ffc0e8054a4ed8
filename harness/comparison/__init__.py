"""Several submissions on the same clips: paired differences with verdicts, the leaderboard, what changed in it."""
