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

-- name: batch_page
-- What one batch did, in order.
select *
from projections.history
where org_id = %(org_id)s and batch_id = %(batch_id)s and position > coalesce(%(after)s::bigint, 0)
order by position
limit %(limit)s
