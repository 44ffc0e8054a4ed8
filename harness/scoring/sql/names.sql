-- Domains and workers that the clips name, each in order; an empty list where there are more than $most of them.
SELECT
    (SELECT if(count(*) > $most, [], coalesce(list(name ORDER BY name), []))
     FROM (SELECT DISTINCT domain AS name FROM truth.clips WHERE domain IS NOT NULL LIMIT $most + 1)) AS domains,
    (SELECT if(count(*) > $most, [], coalesce(list(name ORDER BY name), []))
     FROM (SELECT DISTINCT worker AS name FROM truth.clips WHERE worker IS NOT NULL LIMIT $most + 1)) AS workers
