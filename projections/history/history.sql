-- name: page
-- Latest first.
select *
from projections.history
where org_id = %(org_id)s and product_id = %(product_id)s
    and (%(streams)s::text[] is null or split_part(stream_id, '-', 1) = any(%(streams)s))
    and (%(types)s::text[] is null or type = any(%(types)s))
    and (%(before)s::bigint is null or position < %(before)s)
order by position desc
limit %(limit)s
