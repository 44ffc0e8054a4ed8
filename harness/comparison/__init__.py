"""Several submissions on the same clips: paired differences with verdicts, leaderboards, and what changes in them."""
