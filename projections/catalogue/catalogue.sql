-- name: filters
-- What every list can be narrowed by; stands in each of those below.
(%(statuses)s::text[] is null or c.status = any(%(statuses)s))
    and (%(category)s::text is null or c.category = %(category)s)
    and (%(subcategory)s::text is null or c.subcategory = %(subcategory)s)
    and (%(tags)s::text[] is null or c.tags @> %(tags)s)
    and (%(price_from)s::bigint is null or c.base_price >= %(price_from)s)
    and (%(price_to)s::bigint is null or c.base_price <= %(price_to)s)
    and (%(updated_since)s::timestamptz is null or c.updated_at >= %(updated_since)s)

-- name: page
-- Newest first, by the position of creation, which no later fact moves.
select c.*, 0 as rank, c.created_position::text as mark
from projections.catalogue c
where c.org_id = %(org_id)s
    and {filters}
    and (%(before)s::bigint is null or c.created_position < %(before)s)
order by c.created_position desc
limit %(limit)s

-- name: search_page
-- Best first; equally good ones newest first.
select c.*, s.rank, s.rank::text as mark
from projections.catalogue_search(%(wanted)s, to_tsquery('simple', %(words)s), %(slips)s::tsquery, %(likely)s::tsquery) s
join projections.catalogue c on c.org_id = %(org_id)s and c.product_id = s.product_id
where {filters}
    and (%(before)s::bigint is null or (s.rank, c.created_position) < (%(before_rank)s::integer, %(before)s::bigint))
order by s.rank desc, c.created_position desc
limit %(limit)s

-- name: sorted_page
-- In the order of a key; of those that have the same key, the newest first.
select c.*, 0 as rank, to_jsonb({key}) #>> '{{}}' as mark
from projections.catalogue c
where c.org_id = %(org_id)s
    and (
        %(wanted)s::text is null
        or c.product_id in (
            select s.product_id
            from projections.catalogue_search(%(wanted)s::text, to_tsquery('simple', %(words)s), %(slips)s::tsquery, %(likely)s::tsquery) s
        )
    )
    and {filters}
    and (
        %(before)s::bigint is null
        or {key} {beyond} %(mark)s::{type}
        or {key} = %(mark)s::{type} and c.created_position < %(before)s
    )
order by {key} {direction}, c.created_position desc
limit %(limit)s

-- name: product
-- One product.
select c.*, 0 as rank, '' as mark from projections.catalogue c where c.org_id = %(org_id)s and c.product_id = %(product_id)s
