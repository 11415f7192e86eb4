-- Shops: sealed secrets, lanes with their lease, the push queue, the inbox of notifications, stock levels for pushing.
-- phase: before the code that uses it

create table shop_secrets (
    org_id text not null,
    connection_id text not null,
    sealed bytea not null,
    revision bigint not null default 1,
    updated_at timestamptz not null default now(),
    primary key (org_id, connection_id)
);

comment on column shop_secrets.revision is 'A refresh replaces the secrets only if nobody else has refreshed meanwhile.';

create table shop_lanes (
    org_id text not null,
    connection_id text not null,
    platform text not null,
    shop_id text not null,
    owner text,
    term bigint not null default 0,
    lease_expires_at timestamptz not null default '-infinity',
    paused_until timestamptz,
    pause_reason text,
    watched_until timestamptz,
    full_scan_at timestamptz,
    primary key (org_id, connection_id)
);

comment on table shop_lanes is 'One process at a time talks to a shop, so its rate limit is kept in one place.';

create unique index shop_lanes_shop on shop_lanes (platform, shop_id);

create table push_queue (
    listing_id text primary key,
    org_id text not null,
    connection_id text not null,
    product_id text not null,
    priority smallint not null,
    due_at timestamptz not null,
    attempts smallint not null default 0,
    revision bigint not null default 1,
    wanted_since timestamptz not null,
    correlation_id uuid not null,
    causation_id uuid not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

comment on column push_queue.revision is 'Grows with every reason to push; a row is removed only if it has not grown meanwhile.';

create index push_queue_due on push_queue (org_id, connection_id, priority, due_at);

create table shop_items (
    org_id text not null,
    connection_id text not null,
    external_id text not null,
    listing_id text not null,
    primary key (org_id, connection_id, external_id)
);

comment on table shop_items is 'Which listing an item at the shop is; follows the links of listings.';

create table shop_inbox (
    id bigint generated always as identity primary key,
    org_id text not null,
    connection_id text not null,
    dedupe_key text not null,
    received_at timestamptz not null default now(),
    body bytea not null,
    handled_at timestamptz,
    unique (org_id, connection_id, dedupe_key)
);

create index shop_inbox_waiting on shop_inbox (org_id, connection_id, id) where handled_at is null;

create table stock_levels (
    org_id text not null,
    product_id text not null,
    stream_id text not null,
    sku text not null,
    warehouse text not null,
    on_hand bigint not null,
    version integer not null,
    primary key (org_id, product_id, stream_id)
);

comment on table stock_levels is 'Private to the consumer that derives desired values; advanced in the transaction of its offsets.';

grant select, insert, update, delete on shop_secrets, shop_lanes, push_queue, shop_items, shop_inbox, stock_levels
    to syncstore_worker;
grant select, insert, update, delete on shop_secrets, shop_lanes to syncstore_app;
grant select, insert on shop_inbox to syncstore_app;
grant select, insert, update on push_queue to syncstore_app;

do $$
declare
    name text;
begin
    foreach name in array array['shop_secrets', 'shop_lanes', 'push_queue', 'shop_items', 'shop_inbox', 'stock_levels'] loop
        execute format('alter table %I enable row level security', name);
        -- shop_of() below reads shop_lanes as the owner of the schema.
        if name <> 'shop_lanes' then
            execute format('alter table %I force row level security', name);
        end if;
        execute format('create policy own_org on %I to syncstore_app using (org_id = current_org()) '
                       'with check (org_id = current_org())', name);
        execute format('create policy every_org on %I to syncstore_worker using (true) with check (true)', name);
    end loop;
end
$$;

-- A notification arrives before anyone knows whose it is: these two see just enough across organisations.
create function shop_of(asked_platform text, asked_shop text)
    returns table (org_id text, connection_id text)
    language sql stable security definer set search_path = public
    as $$ select org_id, connection_id from shop_lanes where platform = asked_platform and shop_id = asked_shop $$;

revoke all on function shop_of from public;
grant execute on function shop_of to syncstore_app, syncstore_worker;
