-- Add what a batch of lines from the strict checker says of its cost; ids that are not of the split may be of any length.
INSERT INTO usage SELECT b.* FROM usage_batch b JOIN truth.clips USING (clip_id)
