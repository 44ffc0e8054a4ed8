-- Domains of this split that the training split does not hold.
SELECT DISTINCT domain FROM truth.clips WHERE domain_seen = false ORDER BY domain
