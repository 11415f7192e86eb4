-- Kafka consumers keep their offsets, what they had to set aside, and the read models they feed.
-- phase: before the code that uses it

create extension if not exists pg_trgm;

create table consumer_offsets (
    consumer text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    position bigint not null default 0,
    highwater bigint not null default 0,
    moved_at timestamptz not null default clock_timestamp(),
    measured_at timestamptz not null default clock_timestamp(),
    primary key (consumer, topic, partition)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

comment on column consumer_offsets.next_offset is 'The first record not yet applied; moves with the effect, in its transaction.';
comment on column consumer_offsets.position is 'Highest event position applied from this partition.';
comment on column consumer_offsets.highwater is 'Where the partition ended in Kafka when last measured.';

create table consumer_parked (
    id bigint generated always as identity primary key,
    consumer text not null,
    key text not null,
    topic text not null,
    partition integer not null,
    record_offset bigint not null,
    record_key bytea,
    record_value bytea,
    headers jsonb not null,
    reason text not null,
    parked_at timestamptz not null default clock_timestamp(),
    unique (consumer, topic, partition, record_offset, parked_at)
);

create index consumer_parked_key on consumer_parked (consumer, key, id);

comment on table consumer_parked is
    'Records a consumer could not apply, and all later ones of the same key, in order, until someone releases or drops them.';
comment on column consumer_parked.headers is 'Name and base64 value pairs, in order.';

create table consumer_dropped (
    id bigint primary key,
    consumer text not null,
    key text not null,
    topic text not null,
    partition integer not null,
    record_offset bigint not null,
    event_id text,
    reason text not null,
    dropped_because text not null,
    dropped_by text not null,
    dropped_at timestamptz not null default clock_timestamp()
);

create index consumer_dropped_event on consumer_dropped (event_id);

comment on table consumer_dropped is 'What was given up on purpose, by whom and why.';

grant select, insert, update, delete on consumer_offsets, consumer_parked to syncstore_worker;
grant select, insert on consumer_dropped to syncstore_worker;
grant select on consumer_offsets to syncstore_app;

create schema projections;

comment on schema projections is 'Read models. Disposable: all of it can be made again from the events.';

grant usage on schema projections to syncstore_app;
grant usage, create on schema projections to syncstore_worker;

create table projection_generations (
    view text not null,
    generation integer not null,
    shape integer not null,
    state text not null check (state in ('building', 'live', 'retired')),
    started_at timestamptz not null default clock_timestamp(),
    live_at timestamptz,
    events bigint,
    primary key (view, generation)
);

create unique index projection_generations_live on projection_generations (view) where state = 'live';

comment on column projection_generations.shape is 'Version of the fold and columns in the code that fills this generation.';

create table projection_buckets (
    view text not null,
    generation integer not null,
    bucket integer not null,
    after_org text,
    after_stream text,
    up_to_org text,
    up_to_stream text,
    expected bigint not null,
    events bigint,
    primary key (view, generation, bucket),
    foreign key (view, generation) references projection_generations on delete cascade
);

comment on table projection_buckets is 'Ranges of streams to fill from; `events` is set in the transaction that fills one.';

grant select, insert, update, delete on projection_generations, projection_buckets to syncstore_worker;
grant select on projection_generations to syncstore_app;
