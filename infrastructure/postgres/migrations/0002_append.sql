-- Row-level security over the event store, and the append of many commands in one statement.
-- phase: before the code that uses it

grant select, insert on events to syncstore_app, syncstore_worker;
grant select, insert, update, delete on streams to syncstore_app, syncstore_worker;
grant usage on sequence event_position to syncstore_app, syncstore_worker;
grant insert on outbox to syncstore_app;
grant select, insert, delete on outbox to syncstore_worker;
grant select, insert, delete on idempotency_keys to syncstore_app, syncstore_worker;
grant select, insert, delete on claims to syncstore_app, syncstore_worker;

do $$
declare
    name text;
begin
    foreach name in array array['events', 'streams', 'idempotency_keys', 'claims'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);  -- for the owner too
        execute format('create policy own_org on %I to syncstore_app using (org_id = current_org()) '
                       'with check (org_id = current_org())', name);
        execute format('create policy every_org on %I to syncstore_worker using (true) with check (true)', name);
    end loop;
end
$$;

-- Arrays are aligned by command (p_*), by event (e_*), by claim (c_*) and by release (r_*). e_command and its like count
-- commands from 1; events of a command follow each other by version. Two commands on one stream, with one key or with one
-- claim do not belong into one call.
--
-- Locks are taken in one order everywhere: keys, streams, claims, each sorted. Everything is written as if no command were
-- refused, and what a refused one has written is taken back: refusals are rare, and no command pays for looking first.
-- Each look sees what others have committed by then. Where two looks disagree the whole call fails with
-- serialization_failure, having stored nothing, and is asked again.
create function append_commands(
    p_org text,
    p_streams text[], p_expected integer[], p_versions integer[], p_keys text[], p_fingerprints bytea[], p_responses bytea[],
    e_command integer[], e_streams text[], e_versions integer[], e_partition_keys text[], e_shards smallint[], e_ids uuid[],
    e_types text[], e_schemas smallint[], e_data text[], e_occurred_at timestamptz[], e_actors text[],
    e_correlations uuid[], e_causations uuid[], e_batches uuid[],
    c_command integer[], c_streams text[], c_kinds text[], c_values text[],
    r_command integer[], r_streams text[], r_kinds text[], r_values text[]
)
returns table (
    command integer, outcome text, stream_version integer, last_position bigint,
    stored_fingerprint bytea, stored_response bytea, claim_kind text, claim_value text, claim_owner text
)
language plpgsql
-- Planning for the arrays of each call would cost more than running. A plan made while a table was small lives on while it
-- grows, so each row is looked up by itself (lateral, limit 1), which leaves only its index to choose.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    refused integer[] := '{}';
    keyed text[];
    reached text[];
    phantoms text[];
    moved integer[];
    taken integer[];
    told integer;
begin
    perform set_config('syncstore.org', p_org, true);

    with made as (
        insert into idempotency_keys (org_id, key, fingerprint, response, stream_id, version, events)
        select p_org, asked.key, asked.fingerprint, asked.response, asked.stream, asked.version,
            asked.version - asked.expected
        from unnest(p_streams, p_expected, p_versions, p_keys, p_fingerprints, p_responses)
            asked (stream, expected, version, key, fingerprint, response)
        where asked.key is not null
        order by asked.key
        on conflict (org_id, key) do nothing
        returning key
    )
    select coalesce(array_agg(key), '{}') into keyed from made;

    if cardinality(keyed) < cardinality(p_keys) - cardinality(array_positions(p_keys, null)) then
        refused := array(
            select place from unnest(p_keys) with ordinality asked (key, place)
            where asked.key is not null and asked.key <> all (keyed)
        );
        return query
            select asked.place::integer, 'replayed', stored.version, coalesce(events.position, 0),
                stored.fingerprint, stored.response, null::text, null::text, null::text
            from unnest(p_keys) with ordinality asked (key, place)
            cross join lateral (
                select * from idempotency_keys known where known.org_id = p_org and known.key = asked.key limit 1
            ) stored
            left join lateral (
                select position from events
                where events.org_id = p_org and events.stream_id = stored.stream_id
                    and events.version = stored.version and stored.events > 0
                limit 1
            ) events on true
            where asked.place = any (refused);
        get diagnostics told = row_count;
        if told < cardinality(refused) then
            raise exception 'a key was purged meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;

    with written as (
        insert into streams (org_id, stream_id, version, previous)
        select p_org, asked.stream, asked.version, asked.expected
        from unnest(p_streams, p_expected, p_versions) with ordinality asked (stream, expected, version, place)
        where asked.place <> all (refused)
        order by asked.stream
        on conflict (org_id, stream_id) do update set version = excluded.version, previous = excluded.previous
            where streams.version = excluded.previous
        returning stream_id, xmax = 0 and previous > 0 as phantom
    )
    select coalesce(array_agg(stream_id) filter (where not phantom), '{}'), array_agg(stream_id) filter (where phantom)
    into reached, phantoms from written;

    if phantoms is not null then  -- more was expected of a stream that is not there
        delete from streams where org_id = p_org and stream_id = any (phantoms);
    end if;

    if cardinality(reached) + cardinality(refused) < cardinality(p_streams) then
        moved := array(
            select place from unnest(p_streams) with ordinality asked (stream, place)
            where asked.place <> all (refused) and asked.stream <> all (reached)
        );
        return query
            select asked.place::integer, 'moved', coalesce(streams.version, 0), 0::bigint, null::bytea, null::bytea,
                null::text, null::text, null::text
            from unnest(p_streams) with ordinality asked (stream, place)
            left join lateral (
                select version from streams where streams.org_id = p_org and streams.stream_id = asked.stream limit 1
            ) streams on true
            where asked.place = any (moved);
        refused := refused || moved;
    end if;

    if cardinality(c_command) > 0 then
        taken := array(
            select distinct asked.command
            from unnest(c_command, c_streams, c_kinds, c_values) asked (command, stream, kind, value)
            cross join lateral (
                select stream_id from claims
                where claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value limit 1
            ) claims
            where asked.command <> all (refused) and claims.stream_id <> asked.stream
        );
        if cardinality(taken) > 0 then
            return query
                select distinct on (asked.command) asked.command, 'taken', 0, 0::bigint, null::bytea, null::bytea,
                    asked.kind, asked.value, claims.stream_id
                from unnest(c_command, c_streams, c_kinds, c_values) with ordinality
                    asked (command, stream, kind, value, place)
                cross join lateral (
                    select stream_id from claims
                    where claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value limit 1
                ) claims
                where asked.command = any (taken) and claims.stream_id <> asked.stream
                order by asked.command, asked.place;
            get diagnostics told = row_count;
            if told < cardinality(taken) then
                raise exception 'a claim was released meanwhile' using errcode = 'serialization_failure';
            end if;
            refused := refused || taken;
            reached := array(
                select stream from unnest(p_streams) with ordinality asked (stream, place) where place = any (taken)
            );
            delete from streams where org_id = p_org and stream_id = any (reached) and previous = 0;
            update streams set version = previous where org_id = p_org and stream_id = any (reached);
        end if;
    end if;

    if cardinality(r_command) > 0 then
        delete from claims where ctid = any (array(
            select claims.ctid from unnest(r_command, r_streams, r_kinds, r_values) asked (command, stream, kind, value)
            cross join lateral (
                select ctid, stream_id from claims
                where claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value limit 1
            ) claims
            where claims.stream_id = asked.stream and asked.command <> all (refused)
        ));
    end if;

    if cardinality(c_command) > 0 then
        insert into claims (org_id, kind, value, stream_id)
        select p_org, asked.kind, asked.value, asked.stream
        from unnest(c_command, c_streams, c_kinds, c_values) asked (command, stream, kind, value)
        where asked.command <> all (refused)
        order by asked.kind, asked.value
        on conflict (org_id, kind, value) do nothing;

        if exists (
            select from unnest(c_command, c_streams, c_kinds, c_values) asked (command, stream, kind, value)
            left join lateral (
                select stream_id from claims
                where claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value limit 1
            ) claims on true
            where asked.command <> all (refused) and claims.stream_id is distinct from asked.stream
        ) then
            -- Somebody claimed or released one between our look and our insert. Nothing is kept; asked again, it is seen.
            raise exception 'a claim changed hands meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;

    if cardinality(refused) > 0 then
        delete from idempotency_keys
        where org_id = p_org and key = any (keyed)
            and key = any (array(
                select asked.key from unnest(p_keys) with ordinality asked (key, place) where asked.place = any (refused)
            ));
    end if;
    if 0 = any (p_versions) then  -- checked to be absent, and still without events
        delete from streams where org_id = p_org and stream_id = any (p_streams) and version = 0;
    end if;

    return query
        with drawn as materialized (
            select nextval('event_position') as position, asked.*
            from unnest(
                e_command, e_streams, e_versions, e_partition_keys, e_shards, e_ids, e_types, e_schemas, e_data,
                e_occurred_at, e_actors, e_correlations, e_causations, e_batches
            ) asked (
                command, stream_id, version, partition_key, shard, event_id, type, schema, data,
                occurred_at, actor, correlation_id, causation_id, batch_id
            )
            where asked.command <> all (refused)
        ), stored as (
            insert into events (
                position, org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
                correlation_id, causation_id, batch_id
            )
            select position, p_org, stream_id, version, partition_key, event_id, type, schema, data::json, occurred_at,
                actor, correlation_id, causation_id, batch_id
            from drawn
        ), queued as (
            insert into outbox (position, shard) select position, shard from drawn
        )
        select command, 'appended', max(version), max(position), null::bytea, null::bytea, null::text, null::text,
            null::text
        from drawn group by command
        union all
        select asked.place::integer, 'appended', asked.version, 0, null, null, null, null, null
        from unnest(p_expected, p_versions) with ordinality asked (expected, version, place)
        where asked.version = asked.expected and asked.place <> all (refused);
end
$$;

-- One command with one event and a key, which is what a caller alone mostly asks for: the same steps and outcomes without
-- the arrays. What it cannot store it hands to append_commands, having written nothing.
create function append_command(
    p_org text, p_stream text, p_expected integer, p_key text, p_fingerprint bytea, p_response bytea,
    p_partition_key text, p_shard smallint, p_id uuid, p_type text, p_schema smallint, p_data text,
    p_occurred_at timestamptz, p_actor text, p_correlation uuid, p_causation uuid, p_batch uuid
)
returns table (
    command integer, outcome text, stream_version integer, last_position bigint,
    stored_fingerprint bytea, stored_response bytea, claim_kind text, claim_value text, claim_owner text
)
language plpgsql
as $$
declare
    reached bigint;
begin
    perform set_config('syncstore.org', p_org, true);

    insert into idempotency_keys (org_id, key, fingerprint, response, stream_id, version, events)
    values (p_org, p_key, p_fingerprint, p_response, p_stream, p_expected + 1, 1)
    on conflict (org_id, key) do nothing;

    if found then
        if p_expected = 0 then
            insert into streams (org_id, stream_id, version) values (p_org, p_stream, 1)
            on conflict (org_id, stream_id) do nothing;
        else
            update streams set version = p_expected + 1, previous = p_expected
            where org_id = p_org and stream_id = p_stream and version = p_expected;
        end if;
        if found then
            insert into events (
                org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
                correlation_id, causation_id, batch_id
            )
            values (
                p_org, p_stream, p_expected + 1, p_partition_key, p_id, p_type, p_schema, p_data::json, p_occurred_at,
                p_actor, p_correlation, p_causation, p_batch
            )
            returning position into reached;
            insert into outbox (position, shard) values (reached, p_shard);
            return query select 1, 'appended', p_expected + 1, reached, null::bytea, null::bytea, null::text,
                null::text, null::text;
            return;
        end if;
        delete from idempotency_keys where org_id = p_org and key = p_key;
    end if;

    return query select * from append_commands(
        p_org, array[p_stream], array[p_expected], array[p_expected + 1], array[p_key], array[p_fingerprint],
        array[p_response],
        array[1], array[p_stream], array[p_expected + 1], array[p_partition_key], array[p_shard], array[p_id],
        array[p_type], array[p_schema], array[p_data], array[p_occurred_at], array[p_actor], array[p_correlation],
        array[p_causation], array[p_batch],
        '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'
    );
end
$$;
