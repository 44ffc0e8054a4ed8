-- Add a batch of rows from the strict checker. The inner join drops those of clips that are not of the split, which
-- checked_unknown reads, and gives the others their place in the truth.
INSERT INTO predictions
SELECT b.*, c.rowid FROM batch b JOIN truth.clips c USING (clip_id)
