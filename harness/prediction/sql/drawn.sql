-- Clips whose domain is none of these.
SELECT clip_id FROM truth.clips WHERE domain IS NULL OR NOT list_contains(?::VARCHAR[], domain)
