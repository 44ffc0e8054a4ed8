-- A published split names its clips and no answer: columns that every truth has stay empty in its database.
ALTER TABLE truth.clips ALTER session DROP NOT NULL;
ALTER TABLE truth.clips ALTER session_index DROP NOT NULL;
ALTER TABLE truth.clips ALTER clip_index DROP NOT NULL;
ALTER TABLE truth.clips ALTER start_ms DROP NOT NULL;
ALTER TABLE truth.clips ALTER dominant_operation DROP NOT NULL;
ALTER TABLE truth.clips ALTER start_frame DROP NOT NULL;
ALTER TABLE truth.clips ALTER end_frame DROP NOT NULL;
ALTER TABLE truth.clips ALTER next_operation DROP NOT NULL;
ALTER TABLE truth.clips ALTER next_operations DROP NOT NULL;
ALTER TABLE truth.clips ALTER next_visible DROP NOT NULL;
ALTER TABLE truth.clips ALTER dense DROP NOT NULL;
ALTER TABLE truth.clips ALTER cut_kind DROP NOT NULL;
ALTER TABLE truth.clips ALTER prior_next DROP NOT NULL
