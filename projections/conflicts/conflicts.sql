-- name: page
-- Latest first, by the position of detection, which no later fact moves.
select c.*, l.connection_id, l.platform
from projections.conflicts c
left join projections.listing_status l on l.org_id = c.org_id and l.listing_id = c.listing_id
where c.org_id = %(org_id)s
    and (%(status)s::text is null or c.status = %(status)s)
    and (%(connection_id)s::text is null or l.connection_id = %(connection_id)s)
    and (%(product_id)s::text is null or c.product_id = %(product_id)s)
    and (%(before)s::bigint is null or c.detected_position < %(before)s)
order by c.detected_position desc
limit %(limit)s

-- name: conflict
-- One conflict.
select c.*, l.connection_id, l.platform
from projections.conflicts c
left join projections.listing_status l on l.org_id = c.org_id and l.listing_id = c.listing_id
where c.org_id = %(org_id)s and c.conflict_id = %(conflict_id)s
