-- name: page
-- By listing id, which never changes.
select l.*
from projections.listing_status l
where l.org_id = %(org_id)s
    and (%(connection_id)s::text is null or l.connection_id = %(connection_id)s)
    and (%(platform)s::text is null or l.platform = %(platform)s)
    and (%(product_ids)s::text[] is null or l.product_id = any(%(product_ids)s))
    and (
        %(statuses)s::text[] is null
        or array[l.offer_status, l.stock_status, l.content_status] && %(statuses)s::text[]
    )
    and (not %(in_conflict)s or l.open_conflicts > 0)
    and (%(after)s::text is null or l.listing_id > %(after)s)
    {narrowed}
order by l.listing_id
limit %(limit)s

-- name: is_set_aside
-- Narrows a page; in every page it would cost more to plan than all the rest.
and l.product_id = any(array(select a.key from set_aside a))

-- name: listing
-- One listing.
select l.* from projections.listing_status l where l.org_id = %(org_id)s and l.listing_id = %(listing_id)s

-- name: summary
-- How the listings of each shop stand.
select l.connection_id, l.platform, count(*) as listings,
    count(*) filter (where l.link = 'linked') as linked,
    count(*) filter (where l.behind > 0) as behind,
    count(*) filter (where l.held > 0) as held,
    count(*) filter (where l.refused > 0) as refused,
    count(*) filter (where l.paused is not null) as paused,
    count(*) filter (where l.product_id = any(array(select a.key from set_aside a))) as set_aside,
    sum(l.open_conflicts) as open_conflicts,
    max(l.last_synced_at) as last_synced_at,
    (
        select json_object_agg(s.status, s.listings)
        from (
            select t.status, count(*) as listings
            from projections.listing_status g
            cross join lateral (values (g.offer_status), (g.stock_status), (g.content_status)) as t (status)
            where g.org_id = %(org_id)s and g.connection_id = l.connection_id
            group by t.status
        ) s
    ) as groups,
    (
        select coalesce(json_agg(r order by r.listings desc, r.code), '[]')
        from (
            select reason ->> 'code' as code, min(reason ->> 'message') as message, count(distinct g.listing_id) as listings
            from projections.listing_status g
            cross join lateral jsonb_each(g.groups) as standing (name, value)
            cross join lateral jsonb_array_elements(standing.value -> 'reasons') as reason
            where g.org_id = %(org_id)s and g.connection_id = l.connection_id
                and (g.held > 0 or g.refused > 0 or g.open_conflicts > 0 or g.rejected <> '{}')
                and reason ->> 'code' <> 'override_kept'
            group by reason ->> 'code'
        ) r
    ) as reasons
from projections.listing_status l
where l.org_id = %(org_id)s and (%(connection_id)s::text is null or l.connection_id = %(connection_id)s)
group by l.connection_id, l.platform
order by l.connection_id
