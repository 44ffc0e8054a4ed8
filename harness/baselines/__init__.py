"""Reference models as ordinary submissions: constants, priors, the oracle, and a small classifier on frames (probe)."""
