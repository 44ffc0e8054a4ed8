-- A fast sum over every row of a truth database: tells an altered file from an intact one within one DuckDB version.
SELECT concat_ws(' ',
    (SELECT count(*) FROM truth.clips),
    (SELECT coalesce(sum(hash(c)::HUGEINT), 0) FROM truth.clips c),
    (SELECT coalesce(sum(hash(o)::HUGEINT), 0) FROM truth.operations o),
    (SELECT coalesce(sum(hash(k)::HUGEINT), 0) FROM truth.constants k),
    (SELECT coalesce(sum(hash(t)::HUGEINT), 0) FROM truth.transition t))
