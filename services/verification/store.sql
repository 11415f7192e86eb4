-- name: cut
-- How far positions are given out, and the time.
select last_value, to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') from event_position;

-- name: events
-- Every event with what its record must repeat, by position.
select position, convert_to(concat_ws('|', event_id, org_id, stream_id, version, type, schema, partition_key, actor,
    correlation_id), 'UTF8'), convert_to(data::text, 'UTF8')
from events order by position;

-- name: waiting
-- What is still to be published, or waits for an operator.
select position from outbox union all select position from outbox_parked;

-- name: dropped
-- What an operator has given up.
select position from outbox_dropped;

-- name: is_built
-- Whether readers see anything of a view.
select to_regclass(%(view)s) is not null;

-- name: hidden
-- Events that the log of the live views does not show.
select e.position from events e
where e.stream_id like any (%(categories)s) and not exists (
    select from {history} h where h.org_id = e.org_id and h.stream_id = e.stream_id and h.version = e.version
);

-- name: excused
-- Keys whose records a consumer has set aside or an operator has given up.
select key from consumer_parked where consumer = %(consumer)s
union
select key from consumer_dropped where consumer = %(consumer)s;

-- name: set_aside
-- Keys that relay and consumers have set aside: who, which, how many events or records, and why the first of them.
select 'relay', partition_key, count(*), max(reason) from outbox_parked group by partition_key
union all
select consumer, key, count(*), (array_agg(reason order by id))[1] from consumer_parked group by consumer, key
order by 1, 2;

-- name: streams
-- How many there are.
select count(*) from streams;

-- name: gaps
-- Streams whose events are not 1, 2, 3 ... up to their version.
select coalesce(e.org_id, s.org_id) || '/' || coalesce(e.stream_id, s.stream_id), s.version, e.events, e.lowest, e.highest
from (
    select org_id, stream_id, count(*) as events, min(version) as lowest, max(version) as highest
    from events group by org_id, stream_id
) e
full join streams s on s.org_id = e.org_id and s.stream_id = e.stream_id
where s.version is distinct from e.highest or e.events is distinct from e.highest::bigint or e.lowest is distinct from 1;

-- name: unordered
-- Events with a lower position than an earlier version of their stream.
select org_id || '/' || stream_id, version, event_id::text, position, before
from (
    select org_id, stream_id, version, event_id, position,
        lag(position) over (partition by org_id, stream_id order by version) as before
    from events
) e
where position < before;

-- name: twins
-- Event ids that are there more than once.
select event_id::text, count(*) from events group by event_id having count(*) > 1;

-- name: unkept
-- Idempotency keys that were answered with events that are not there.
select k.org_id || '/' || k.stream_id, k.version, k.key
from idempotency_keys k
left join events e on e.org_id = k.org_id and e.stream_id = k.stream_id and e.version = k.version
where k.events > 0 and e.position is null;

-- name: done_twice
-- Idempotency keys that were answered with events of another key.
select org_id || '/' || stream_id, version, key
from (
    select org_id, stream_id, version, key, version - events as after,
        lag(version) over (partition by org_id, stream_id order by version, key) as before
    from idempotency_keys where events > 0
) k
where after < before;

-- name: keys
-- How many idempotency keys are remembered.
select count(*) from idempotency_keys;

-- name: look_up
-- What the store says now of these positions.
select position, convert_to(concat_ws('|', event_id, org_id, stream_id, version, type, schema, partition_key, actor,
    correlation_id), 'UTF8'), convert_to(data::text, 'UTF8')
from events where position = any (%(positions)s::bigint[]);

-- name: describe
-- Events by position, to be named.
select position, org_id || '/' || stream_id, version, event_id::text, convert_to(partition_key, 'UTF8'), stream_id,
    (extract(epoch from recorded_at) * 1000)::bigint
from events where position = any (%(positions)s::bigint[]) order by position;

-- name: fates
-- Events of gaps, and whether they have been dropped by now.
select e.position, e.org_id || '/' || e.stream_id, e.version, e.event_id::text,
    exists (select from outbox_dropped d where d.position = e.position)
from unnest(%(streams)s::text[], %(firsts)s::integer[], %(lasts)s::integer[]) as gap (stream, first, last)
join events e on e.org_id = split_part(gap.stream, '/', 1) and e.stream_id = substr(gap.stream, strpos(gap.stream, '/') + 1)
    and e.version between gap.first and gap.last;

-- name: listings
-- Each shop: listings, those of which every value is shown, and those that wait for something, by what they wait for.
select org_id || '/' || connection_id, count(*), count(*) filter (where behind = 0 and link = 'linked'),
    count(*) filter (where behind > 0), count(*) filter (where held > 0), count(*) filter (where refused > 0),
    count(*) filter (where open_conflicts > 0), count(*) filter (where paused is not null),
    count(*) filter (where link = 'cut')
from projections.listing_status group by org_id, connection_id order by 1;

-- name: forgotten
-- Listings that differ from what the shop shows although nothing is in their way, and that have no turn. Only those whose
-- row is that of their last event, and only events that the queue's consumer has passed, can be told to be so.
select l.org_id || '/listing-' || l.listing_id, l.version
from projections.listing_status l
join streams s on s.org_id = l.org_id and s.stream_id = 'listing-' || l.listing_id and s.version = l.version
where l.behind > 0 and l.held = 0 and l.refused = 0 and l.open_conflicts = 0 and l.paused is null and l.link <> 'cut'
    and l.in_review = '{}' and l.rejected = '{}' and l.position <= %(cut)s
    and not exists (select from push_queue q where q.listing_id = l.listing_id)
limit %(limit)s;
