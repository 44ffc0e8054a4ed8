-- A batch of rows from the strict checker; those of clips that are not of the split are read by checked_unknown.
INSERT INTO predictions
SELECT b.*, c.rowid FROM batch b JOIN truth.clips c USING (clip_id)
