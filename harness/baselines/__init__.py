"""Reference models as ordinary submissions: constants, priors, the oracle, and small models that look at frames."""
