-- name: table
-- One row per conflict.
create table {table} (
    org_id text not null,
    version integer not null,
    position bigint not null,
    conflict_id text not null,
    listing_id text not null,
    product_id text not null,
    field text not null,
    status text not null,
    ours jsonb,
    theirs jsonb,
    confirmed jsonb,
    ours_at timestamptz not null,
    theirs_at timestamptz not null,
    ours_by text not null,
    theirs_by text not null,
    reason text not null,
    strategy text not null,
    policy text not null,
    policy_version integer not null,
    detected_at timestamptz not null,
    detected_position bigint not null,
    outcome text,
    resolved_value jsonb,
    resolved_strategy text,
    resolved_reason text,
    resolved_by text,
    resolved_at timestamptz
) with (fillfactor = 80)

-- name: indexes
-- After the rows, for a fill is faster without.
alter table {table} add primary key (org_id, conflict_id);
create index on {table} (org_id, detected_position);
create index on {table} (org_id, detected_position) where status = 'open';
create index on {table} (org_id, listing_id)

-- name: view
-- What readers see.
create or replace view projections.{view} with (security_invoker = true) as
select org_id, version, position, conflict_id, listing_id, product_id, field, status, ours, theirs, confirmed, ours_at,
    theirs_at, ours_by, theirs_by, reason, strategy, policy, policy_version, detected_at, detected_position, outcome,
    resolved_value, resolved_strategy, resolved_reason, resolved_by, resolved_at
from {table}
