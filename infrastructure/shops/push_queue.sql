-- name: enqueue
-- One row per listing: more reasons to push make it more urgent, never more rows.
insert into push_queue (
    listing_id, org_id, connection_id, product_id, priority, due_at, wanted_since, correlation_id, causation_id, look_first
)
select listing_id, org_id, connection_id, product_id, priority, due_at, wanted_since, correlation_id, causation_id,
    look_first
from unnest(
    %(listing_ids)s::text[], %(org_ids)s::text[], %(connection_ids)s::text[], %(product_ids)s::text[],
    %(priorities)s::smallint[], %(due_at)s::timestamptz[], %(wanted_since)s::timestamptz[],
    %(correlations)s::uuid[], %(causations)s::uuid[], %(look_first)s::boolean[]
) as wanted (
    listing_id, org_id, connection_id, product_id, priority, due_at, wanted_since, correlation_id, causation_id, look_first
)
on conflict (listing_id) do update
set priority = least(push_queue.priority, excluded.priority),
    due_at = least(push_queue.due_at, excluded.due_at),
    attempts = 0,
    wanted_since = least(push_queue.wanted_since, excluded.wanted_since),
    correlation_id = excluded.correlation_id,
    causation_id = excluded.causation_id,
    look_first = push_queue.look_first or excluded.look_first,
    revision = push_queue.revision + 1;

-- name: due
-- The most urgent listings of a lane that are not under way.
select listing_id, product_id, priority, attempts, revision, wanted_since, deferred_since, correlation_id, causation_id,
    look_first
from push_queue
where org_id = %(org_id)s and connection_id = %(connection_id)s and due_at <= %(now)s
    and listing_id <> all (%(under_way)s::text[])
order by priority, due_at, listing_id
limit %(limit)s;

-- name: next_due
-- When the lane has something to do next; null when never.
select min(due_at) from push_queue
where org_id = %(org_id)s and connection_id = %(connection_id)s and listing_id <> all (%(under_way)s::text[]);

-- name: done
-- Remove what was pushed, unless there has been a new reason meanwhile. A row that a power cut brings back finds nothing
-- left to push, so nobody waits for the disk.
delete from push_queue
using (select set_config('synchronous_commit', 'off', true)) relaxed
where listing_id = %(listing_id)s and revision = %(revision)s;

-- name: postpone
-- Try again later; a new reason in between has already made the row due.
update push_queue
set due_at = %(due_at)s, attempts = %(attempts)s, look_first = %(look_first)s,
    deferred_since = case when %(deferred)s then coalesce(deferred_since, now()) end
from (select set_config('synchronous_commit', 'off', true)) relaxed
where listing_id = %(listing_id)s and revision = %(revision)s;

-- name: depth
-- How many listings wait, and since when the oldest does.
select count(*), min(wanted_since) from push_queue
where (%(connection_id)s::text is null or connection_id = %(connection_id)s);
