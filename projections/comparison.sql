-- name: differences
-- Rows of the same key and the same version that are not the same.
select concat_ws('/', {keys}), a.version, to_jsonb(a)::text, to_jsonb(b)::text
from {a} a
join {b} b using ({keys})
where a.version = b.version and to_jsonb(a) <> to_jsonb(b)
limit %(limit)s

-- name: checksum
-- Rows, and a digest of all of them whatever their order.
select count(*), coalesce(sum(('x' || left(md5(to_jsonb(t)::text), 15))::bit(60)::bigint::numeric), 0)::text
from {a} t
