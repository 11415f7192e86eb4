-- name: table
-- One row per listing.
create table {table} (
    org_id text not null,
    version integer not null,
    position bigint not null,
    listing_id text not null,
    product_id text not null,
    connection_id text not null,
    platform text not null,
    link text not null,
    external_id text,
    external_variants jsonb not null,
    cut_reason text,
    paused text,
    in_review jsonb not null,
    rejected jsonb not null,
    conflicts_seen integer not null,
    fields jsonb not null,
    groups jsonb not null,
    offer_status text not null,
    stock_status text not null,
    content_status text not null,
    open_conflicts integer not null,
    held integer not null,
    refused integer not null,
    behind integer not null,
    last_synced_at timestamptz,
    opened_at timestamptz not null,
    updated_at timestamptz not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)

-- name: indexes
-- After the rows, for a fill is faster without.
alter table {table} add primary key (org_id, listing_id);
create index on {table} (org_id, product_id);
create index on {table} (org_id, connection_id, listing_id);
create index on {table} (org_id, connection_id, external_id) where external_id is not null

-- name: view
-- What readers see.
create or replace view projections.{view} with (security_invoker = true) as
select org_id, version, position, listing_id, product_id, connection_id, platform, link, external_id, external_variants,
    cut_reason, paused, in_review, rejected, conflicts_seen, fields, groups, offer_status, stock_status, content_status,
    open_conflicts, held, refused, behind, last_synced_at, opened_at, updated_at
from {table}
