-- name: horizon
-- The highest position given out, then who may still commit a lower one, by virtual transaction: an appender holds this
-- lock before it draws a position until after its commit can be seen. Its transaction is named once it has an id and
-- runs in this statement's snapshot. With them free shards and the number of relays.
select given.last_value,
    (
        select coalesce(json_object_agg(held.virtualtransaction, running.xid), '{}')
        from pg_locks held
        left join pg_stat_get_activity(null) session on session.pid = held.pid
        left join pg_snapshot_xip(pg_current_snapshot()) running (xid) on running.xid::xid = session.backend_xid
        where given.last_value is not null and held.locktype = 'relation' and held.relation = 'events'::regclass
            and held.database = (select oid from pg_database where datname = current_database())
            and held.mode = 'RowExclusiveLock' and held.granted
    ),
    (select sum(rewinds)::bigint from relay_leases),
    (select count(*) from relay_leases where owner is null),
    (select count(*) from relay_members where seen_at > now() - make_interval(secs => %(ttl)s))
from (select last_value from event_position offset 0) given;

-- name: pending
-- Rows of owned shards that are visible now, by position, in one statement and so under one snapshot; all but numbers
-- as the bytes of their text. Above `low`, or from the floor of a passed transaction on, if this snapshot sees it.
-- The lateral join keeps the planner at one index look-up a row, however large `events` is.
select o.position, o.shard,
    exists (select from outbox_parked p where p.partition_key = e.partition_key),
    (select sum(rewinds)::bigint from relay_leases),
    e.partition_key, e.data, e.type, e.schema, e.org_id, e.actor, e.event_id::text, e.stream_id, e.version,
    to_json(e.occurred_at)::text, to_json(e.recorded_at)::text,
    e.correlation_id::text, e.causation_id::text, e.batch_id::text
from (
    select position, shard from outbox
    where position > (
            select least(%(low)s::bigint, min(floor))
            from unnest(%(passed)s::xid8[], %(floors)s::bigint[]) as passed (xid, floor)
            where pg_visible_in_snapshot(xid, pg_current_snapshot())
        )
        and shard = any (%(shards)s::smallint[]) and position <> all (%(under_way)s::bigint[])
    order by position
    limit %(limit)s
) o
cross join lateral (select * from events where events.position = o.position offset 0) e
order by o.position;

-- name: delete_acknowledged
-- Exactly these rows, and only those whose shard is still ours under the term they were read in. A delete that a power
-- cut undoes costs a repetition that consumers know to skip, so it does not wait for the disk.
delete from outbox o
using unnest(%(shards)s::smallint[], %(terms)s::bigint[]) as read_under (shard, term), relay_leases l,
    (select set_config('synchronous_commit', 'off', true)) relaxed
where o.position = any (%(positions)s::bigint[]) and o.shard = read_under.shard
    and l.shard = read_under.shard and l.term = read_under.term and l.owner = %(owner)s;

-- name: park
-- Out of the outbox, into the waiting room: a refused event with its reason, or one that follows such an event. A
-- follower of a key that was released meanwhile stays; the lock makes a release wait for the followers and take them along.
with given as (
    select * from unnest(%(positions)s::bigint[], %(keys)s::text[], %(reasons)s::text[], %(shards)s::smallint[],
        %(terms)s::bigint[]) as row (position, partition_key, reason, shard, term)
), heads as (
    select partition_key from outbox_parked
    where reason is not null and partition_key in (select partition_key from given where reason is null)
    for share
), moved as (
    delete from outbox o
    using given, relay_leases l
    where o.position = given.position and l.shard = given.shard and l.term = given.term and l.owner = %(owner)s
        and (given.reason is not null or exists (
            select from given head where head.partition_key = given.partition_key and head.reason is not null
            union all
            select from heads where heads.partition_key = given.partition_key
        ))
    returning given.position, given.partition_key, given.reason
)
insert into outbox_parked (position, partition_key, reason)
select position, partition_key, reason from moved;

-- name: statistics
-- Depth, age of the oldest event in seconds, parked rows.
select waiting.depth,
    coalesce((
        select extract(epoch from now() - e.recorded_at) from events e where e.position = waiting.first
    ), 0)::float8,
    (select count(*) from outbox_parked)
from (select count(*) as depth, min(position) as first from outbox) waiting;

-- name: parked
-- Keys that wait: since when, for what, how many events.
select partition_key, min(parked_at), (array_agg(reason order by position) filter (where reason is not null))[1],
    count(*), min(position)
from outbox_parked group by partition_key order by min(parked_at);

-- name: lock_key
-- Nothing more of this key is parked while it is released or dropped.
select position from outbox_parked where partition_key = %(key)s order by position for update;

-- name: drop_refused
-- Give up the refused event; who did and why is kept. What was sent and could not be deleted may wait below it.
with gone as (
    delete from outbox_parked
    where position = (
        select min(position) from outbox_parked where partition_key = %(key)s and reason is not null
    )
    returning position, partition_key, reason
)
insert into outbox_dropped (position, partition_key, refused_for, reason, dropped_by)
select position, partition_key, reason, %(reason)s, %(by)s from gone;

-- name: release
-- Back into the outbox; whoever reads the shard has read past them, and is told in the same moment to look again.
with freed as (
    delete from outbox_parked where partition_key = %(key)s returning position
), told as (
    update relay_leases set rewinds = rewinds + 1 where shard = %(shard)s
)
insert into outbox (position, shard) select position, %(shard)s from freed order by position;
