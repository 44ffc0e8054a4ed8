"""What a model was asked with: tokens, attempts and waiting of each answer, their sums, and the price of an entry."""
