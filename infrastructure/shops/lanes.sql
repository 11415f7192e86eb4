-- name: open_lane
-- A shop was connected; opening it again changes nothing.
insert into shop_lanes (org_id, connection_id, platform, shop_id)
values (%(org_id)s, %(connection_id)s, %(platform)s, %(shop_id)s)
on conflict (org_id, connection_id) do nothing;

-- name: claim
-- Take free lanes and renew one's own, up to a limit; every take-over has a new term.
with mine as (
    select org_id, connection_id from shop_lanes
    where owner = %(owner)s or lease_expires_at < now()
    order by (owner = %(owner)s) desc nulls last, org_id, connection_id
    limit %(limit)s
    for update skip locked
)
update shop_lanes lane
set term = case when lane.owner = %(owner)s and lane.lease_expires_at >= now() then lane.term else lane.term + 1 end,
    owner = %(owner)s,
    lease_expires_at = now() + make_interval(secs => %(ttl)s)
from mine
where lane.org_id = mine.org_id and lane.connection_id = mine.connection_id
returning lane.org_id, lane.connection_id, lane.platform, lane.shop_id, lane.term, lane.paused_until,
    lane.watched_until, lane.full_scan_at;

-- name: release
-- A graceful stop hands the lanes over at once.
update shop_lanes set owner = null, lease_expires_at = '-infinity' where owner = %(owner)s;

-- name: pause
-- The shop asked us to wait, or a person has to act; null reason and time end that.
update shop_lanes set paused_until = %(until)s, pause_reason = %(reason)s
where org_id = %(org_id)s and connection_id = %(connection_id)s;

-- name: watched
-- How far the shop has been looked at.
update shop_lanes
set watched_until = coalesce(%(watched_until)s, watched_until), full_scan_at = coalesce(%(full_scan_at)s, full_scan_at)
where org_id = %(org_id)s and connection_id = %(connection_id)s and owner = %(owner)s and term = %(term)s;

-- name: shop_of
-- Whose shop a notification is about.
select org_id, connection_id from shop_of(%(platform)s, %(shop_id)s);
