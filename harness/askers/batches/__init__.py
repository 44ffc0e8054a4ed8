"""Two forms of a provider's batches: OpenAI's, of files that are uploaded, and Anthropic's Message Batches."""
