-- name: table
-- One row per event.
create table {table} (
    org_id text not null,
    stream_id text not null,
    version integer not null,
    position bigint not null,
    product_id text not null,
    event_id uuid not null,
    type text not null,
    schema smallint not null,
    data json not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    actor text not null,
    correlation_id uuid not null,
    causation_id uuid,
    batch_id uuid
) with (fillfactor = 100)

-- name: indexes
-- By stream for re-delivery and waiting, by product for reading, by batch for undoing.
alter table {table} add primary key (org_id, stream_id, version);
create index on {table} (org_id, product_id, position);
create index on {table} (org_id, batch_id) where batch_id is not null

-- name: view
-- What readers see.
create or replace view projections.{view} with (security_invoker = true) as
select org_id, stream_id, version, position, product_id, event_id, type, schema, data, occurred_at, recorded_at, actor,
    correlation_id, causation_id, batch_id
from {table}

-- name: append
-- Keep facts that are not there yet.
insert into {table}
select r.org_id, r.stream_id, r.version, r.position, r.partition_key, r.event_id, r.type, r.schema, r.data::json, r.occurred_at,
    r.recorded_at, r.actor, r.correlation_id, r.causation_id, r.batch_id
from unnest(
    %(org_id)s::text[], %(stream_id)s::text[], %(version)s::integer[], %(position)s::bigint[], %(partition_key)s::text[],
    %(event_id)s::uuid[], %(type)s::text[], %(schema)s::smallint[], %(data)s::text[], %(occurred_at)s::timestamptz[],
    %(recorded_at)s::timestamptz[], %(actor)s::text[], %(correlation_id)s::uuid[], %(causation_id)s::uuid[],
    %(batch_id)s::uuid[]
) as r (
    org_id, stream_id, version, position, partition_key, event_id, type, schema, data, occurred_at, recorded_at,
    actor, correlation_id, causation_id, batch_id
)
on conflict (org_id, stream_id, version) do nothing

-- name: fill
-- The same from the event store, for a range of streams.
insert into {table}
select org_id, stream_id, version, position, partition_key, event_id, type, schema, data, occurred_at, recorded_at, actor,
    correlation_id, causation_id, batch_id
from events
where {range}
