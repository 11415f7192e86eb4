-- name: read_stream
-- A stream's events in order, within the bounds that are not null.
select position, org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, recorded_at,
    actor, correlation_id, causation_id, batch_id
from events
where org_id = %(org_id)s and stream_id = %(stream)s and version > %(after)s
    and (%(version)s::integer is null or version <= %(version)s)
    and (%(position)s::bigint is null or position <= %(position)s)
    and (%(occurred_at)s::timestamptz is null or occurred_at <= %(occurred_at)s)
    and (%(recorded_at)s::timestamptz is null or recorded_at <= %(recorded_at)s)
order by version;

-- name: read_streams
-- Several streams, each in order and from behind a version on.
select e.position, e.org_id, e.stream_id, e.version, e.partition_key, e.event_id, e.type, e.schema, e.data,
    e.occurred_at, e.recorded_at, e.actor, e.correlation_id, e.causation_id, e.batch_id
from unnest(%(streams)s::text[], %(after)s::integer[]) as s (stream_id, after)
join events e on e.org_id = %(org_id)s and e.stream_id = s.stream_id and e.version > s.after
order by e.stream_id, e.version;

-- name: streams_of
-- The streams of a category after one of them, in order of their ids.
select stream_id from streams
where org_id = %(org_id)s and stream_id > %(after)s and stream_id < %(end)s
order by stream_id
limit %(limit)s;

-- name: versions_of
-- The versions that streams are at.
select stream_id, version from streams where org_id = %(org_id)s and stream_id = any (%(streams)s);

-- name: answered
-- What was answered to an idempotency key.
select stored.fingerprint, stored.response, stored.version, coalesce(events.position, 0)
from idempotency_keys stored
left join events on events.org_id = stored.org_id and events.stream_id = stored.stream_id
    and events.version = stored.version and stored.events > 0
where stored.org_id = %(org_id)s and stored.key = %(key)s;

-- name: owners
-- Which streams own these unique values.
select claims.kind, claims.value, claims.stream_id
from unnest(%(kinds)s::text[], %(values)s::text[]) asked (kind, value)
join claims on claims.org_id = %(org_id)s and claims.kind = asked.kind and claims.value = asked.value;

-- name: cluster
-- Which cluster this is, and from which position on its events are its own (null: not registered by a migration).
select control.system_identifier::text, clusters.first_position, pg_current_snapshot()::text
from pg_control_system() control
left join clusters on clusters.system_identifier = control.system_identifier::text;

-- name: read_between
-- Events, visible to this transaction, that an earlier snapshot did not show; by position within bounds.
select position, org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, recorded_at,
    actor, correlation_id, causation_id, batch_id
from events
where tx >= pg_snapshot_xmin(%(since)s::pg_snapshot)
    and not pg_visible_in_snapshot(tx, %(since)s::pg_snapshot)
    and (%(until)s::pg_snapshot is null or pg_visible_in_snapshot(tx, %(until)s::pg_snapshot))
    and position > %(after)s
    and position >= %(first)s
    and (%(end)s::bigint is null or position < %(end)s)
order by position;

-- name: read_from
-- Events, visible to this transaction, by position within bounds, whatever their transaction.
select position, org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, recorded_at,
    actor, correlation_id, causation_id, batch_id
from events
where position > %(after)s and position >= %(first)s and (%(end)s::bigint is null or position < %(end)s)
order by position;
