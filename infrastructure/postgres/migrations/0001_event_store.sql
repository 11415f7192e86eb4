-- Event store, outbox, idempotency keys, unique claims; the roles under which processes work.
-- phase: before the code that uses it

do $$
declare
    name text;
begin
    foreach name in array array['syncstore_app', 'syncstore_worker'] loop
        -- Roles belong to the whole cluster: another database of it may have made them, or be making them now.
        if not exists (select from pg_roles where rolname = name) then
            begin
                execute format('create role %I nologin nobypassrls', name);
            exception when duplicate_object or unique_violation then null;
            end;
        end if;
        -- Whoever migrates may also become either role: one database URL is enough for a small installation.
        if not (select rolsuper from pg_roles where rolname = current_user) then
            execute format('grant %I to %I', name, current_user);
        end if;
    end loop;
end
$$;

grant usage on schema public to syncstore_app, syncstore_worker;

create function current_org() returns text
    language sql stable parallel safe
    return nullif(current_setting('syncstore.org', true), '');

comment on function current_org is 'The organisation a transaction works for; null sees nothing under row-level security.';

create sequence event_position as bigint cache 1;

create table events (
    position bigint not null default nextval('event_position') primary key,
    org_id text not null,
    stream_id text collate "C" not null,
    version integer not null check (version > 0),
    partition_key text not null,
    event_id uuid not null,
    type text not null,
    schema smallint not null,
    data json not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    actor text not null,
    correlation_id uuid not null,
    causation_id uuid,
    batch_id uuid,
    tx xid8 not null default pg_current_xact_id()
) with (fillfactor = 100);

comment on column events.position is 'Grows over the store. Not a cursor: a lower one may commit after a higher one.';
comment on column events.tx is 'The writing transaction, for commit-safe reading by snapshot differences.';

create unique index events_stream_version on events (org_id, stream_id, version);
create index events_tx on events (tx);

create table streams (
    org_id text not null,
    stream_id text collate "C" not null,
    version integer not null,
    previous integer not null default 0,
    primary key (org_id, stream_id)
) with (fillfactor = 70);

comment on column streams.stream_id is 'In byte order, whatever the database''s locale: a category is a range of ids.';
comment on column streams.previous is 'The version before the last append: what that append expected.';

create table outbox (
    position bigint primary key,
    shard smallint not null
) with (
    fillfactor = 100,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_limit = 2000, autovacuum_vacuum_cost_delay = 1
);

comment on table outbox is 'Membership: an event is here until Kafka has acknowledged it, then its row is deleted.';

create table idempotency_keys (
    org_id text not null,
    key text not null,
    fingerprint bytea not null,
    response bytea not null,
    stream_id text not null,
    version integer not null,
    events integer not null,
    created_at timestamptz not null default now(),
    primary key (org_id, key)
);

comment on column idempotency_keys.version is 'Of the stream after the command; with no events stored, the one it was decided on.';

create index idempotency_keys_created_at on idempotency_keys using brin (created_at);

create table claims (
    org_id text not null,
    kind text not null,
    value text not null,
    stream_id text not null,
    primary key (org_id, kind, value)
);

create index claims_stream on claims (org_id, stream_id);

create table clusters (
    system_identifier text primary key,
    first_position bigint not null,
    since timestamptz not null default now()
);

comment on table clusters is
    'Transaction ids mean something within one cluster only. Events below first_position came with a restore: all committed.';

grant select on clusters to syncstore_app, syncstore_worker;
