-- The relay: leases of shards, the processes that share them, and what waits for an operator.
-- phase: before the code that uses it

create table relay_leases (
    shard smallint primary key,
    owner text,
    term bigint not null default 0,
    expires_at timestamptz not null default '-infinity'
) with (fillfactor = 50);

comment on column relay_leases.term is 'Grows with each change of owner; a delete under an old term deletes nothing.';

insert into relay_leases (shard) select generate_series(0, 63);

create table relay_members (
    owner text primary key,
    seen_at timestamptz not null
);

create table outbox_parked (
    position bigint primary key,
    partition_key text not null,
    reason text,
    parked_at timestamptz not null default now()
);

comment on table outbox_parked is 'Events whose key waits: the first was refused by Kafka (reason), the others follow it.';
create index outbox_parked_key on outbox_parked (partition_key, position);

create table outbox_dropped (
    position bigint primary key,
    partition_key text not null,
    refused_for text,
    reason text not null,
    dropped_by text not null,
    dropped_at timestamptz not null default now()
);

grant select, insert, update, delete on relay_leases, relay_members, outbox_parked, outbox_dropped to syncstore_worker;
