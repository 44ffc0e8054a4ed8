-- Sessions of a split with their domains, from which a sample is drawn.
SELECT DISTINCT session, coalesce(domain, '') AS domain FROM truth.clips ORDER BY session
