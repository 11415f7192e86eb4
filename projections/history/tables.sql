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
-- By stream for re-delivery and waiting, by product for reading.
alter table {table} add primary key (org_id, stream_id, version);
create index on {table} (org_id, product_id, position)

-- name: view
-- What readers see.
create or replace view projections.{view} with (security_invoker = true) as
select org_id, stream_id, version, position, product_id, event_id, type, schema, data, occurred_at, recorded_at, actor,
    correlation_id, causation_id, batch_id
from {table}

-- name: copy
-- Keep facts none of which is there yet; columns in the order of RecordedEvent.
copy {table} (
    position, org_id, stream_id, version, product_id, event_id, type, schema, data, occurred_at, recorded_at, actor,
    correlation_id, causation_id, batch_id
)
from stdin (format binary)

-- name: append
-- Keep those facts that are not there yet.
insert into {table}
select org_id, stream_id, version, position, partition_key, event_id, type, schema, data, occurred_at, recorded_at, actor,
    correlation_id, causation_id, batch_id
from json_to_recordset(%(facts)s::json) as r (
    org_id text, stream_id text, version integer, position bigint, partition_key text, event_id uuid, type text,
    schema smallint, data json, occurred_at timestamptz, recorded_at timestamptz, actor text, correlation_id uuid,
    causation_id uuid, batch_id uuid
)
on conflict (org_id, stream_id, version) do nothing

-- name: fill
-- The same from the event store, for a range of streams.
insert into {table}
select org_id, stream_id, version, position, partition_key, event_id, type, schema, data, occurred_at, recorded_at, actor,
    correlation_id, causation_id, batch_id
from events
where {range}
