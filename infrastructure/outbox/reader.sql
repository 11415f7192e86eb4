-- name: pending
-- Rows of owned shards that are visible now, by position, in one statement and so under one snapshot.
select o.position, o.shard, e.org_id, e.stream_id, e.version, e.partition_key, e.event_id::text, e.type, e.schema,
    e.data, e.occurred_at, e.recorded_at, e.actor, e.correlation_id::text, e.causation_id::text, e.batch_id::text
from outbox o
join events e on e.position = o.position
where o.position >= %(low)s and o.shard = any (%(shards)s) and o.position <> all (%(under_way)s)
order by o.position
limit %(limit)s;

-- name: delete_acknowledged
-- Exactly these rows, and only those whose shard is still ours under the term they were read in.
delete from outbox o
using unnest(%(shards)s::smallint[], %(terms)s::bigint[]) as read_under (shard, term), relay_leases l
where o.position = any (%(positions)s) and o.shard = read_under.shard
    and l.shard = read_under.shard and l.term = read_under.term and l.owner = %(owner)s;

-- name: parked_keys
-- Keys that wait.
select distinct partition_key from outbox_parked;

-- name: park
-- Out of the outbox, into the waiting room: a refused event with its reason, or one that follows it.
with moved as (
    delete from outbox o
    using unnest(%(positions)s::bigint[], %(keys)s::text[], %(reasons)s::text[], %(shards)s::smallint[],
        %(terms)s::bigint[]) as given (position, partition_key, reason, shard, term), relay_leases l
    where o.position = given.position and l.shard = given.shard and l.term = given.term and l.owner = %(owner)s
    returning given.position, given.partition_key, given.reason
)
insert into outbox_parked (position, partition_key, reason)
select position, partition_key, reason from moved;

-- name: release_headless
-- Keys of which nothing refused waits any more (it was dropped, or they came behind a release): back into the outbox.
with headless as (
    select partition_key from outbox_parked
    group by partition_key
    having (array_agg(reason order by position))[1] is null
), freed as (
    delete from outbox_parked using headless where outbox_parked.partition_key = headless.partition_key
    returning outbox_parked.position, outbox_parked.partition_key
)
insert into outbox (position, shard)
select freed.position, given.shard
from freed join unnest(%(keys)s::text[], %(shards)s::smallint[]) as given (partition_key, shard)
    on given.partition_key = freed.partition_key
order by freed.position;

-- name: statistics
-- Depth, age of the oldest event in seconds, parked rows.
select (select count(*) from outbox),
    coalesce((
        select extract(epoch from now() - e.recorded_at)
        from events e where e.position = (select min(position) from outbox)
    ), 0)::float8,
    (select count(*) from outbox_parked);

-- name: parked
-- Keys that wait: since when, for what, how many events.
select partition_key, min(parked_at), (array_agg(reason order by position) filter (where reason is not null))[1],
    count(*), min(position)
from outbox_parked group by partition_key order by min(parked_at);

-- name: lock_key
-- Nothing more of this key is parked while it is released or dropped.
select position, reason from outbox_parked where partition_key = %(key)s order by position for update;

-- name: release
-- Back into the outbox, in the order of their positions.
with freed as (
    delete from outbox_parked where partition_key = %(key)s returning position
)
insert into outbox (position, shard) select position, %(shard)s from freed order by position;

-- name: drop_first
-- Give up the refused event; who did and why is kept.
with gone as (
    delete from outbox_parked
    where position = (select min(position) from outbox_parked where partition_key = %(key)s)
    returning position, partition_key, reason
)
insert into outbox_dropped (position, partition_key, refused_for, reason, dropped_by)
select position, partition_key, reason, %(reason)s, %(by)s from gone;
