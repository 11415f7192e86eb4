-- name: differences
-- Rows of the same key and the same version that are not the same. Nearly all are, byte by byte, and need no closer look.
select concat_ws('/', {keys}), a.version, to_jsonb(a)::text, to_jsonb(b)::text
from {a} a
join {b} b using ({keys})
where a.version = b.version and a *<> b and to_jsonb(a) <> to_jsonb(b)
limit %(limit)s

-- name: counts
-- How many rows each has, and how many of the first are behind the second, ahead of it, missing or alone.
select count(a.version), count(b.version),
    count(*) filter (where a.version < b.version),
    count(*) filter (where a.version > b.version),
    count(*) filter (where a.version is null),
    count(*) filter (where b.version is null)
from (select {keys}, {version} from {a}) a
full join (select {keys}, {version} from {b}) b using ({keys})

-- name: checksum
-- Rows, and a digest of all of them whatever their order.
select count(*), coalesce(sum(('x' || left(md5(to_jsonb(t)::text), 15))::bit(60)::bigint::numeric), 0)::text
from {a} t
