-- Add what a batch of lines from the strict checker says of its cost.
INSERT INTO usage SELECT * FROM usage_batch
