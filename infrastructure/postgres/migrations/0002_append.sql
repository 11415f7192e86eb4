-- Row-level security over the event store, and the append of many commands in one statement.
-- phase: before the code that uses it

grant select, insert on events to syncstore_app, syncstore_worker;
grant select, insert, update on streams to syncstore_app, syncstore_worker;
grant usage on sequence event_position to syncstore_app, syncstore_worker;
grant insert on outbox to syncstore_app;
grant select, insert, delete on outbox to syncstore_worker;
grant select, insert on idempotency_keys to syncstore_app, syncstore_worker;
grant delete on idempotency_keys to syncstore_worker;
grant select, insert, delete on claims to syncstore_app, syncstore_worker;

do $$
declare
    name text;
begin
    foreach name in array array['events', 'streams', 'idempotency_keys', 'claims'] loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy own_org on %I to syncstore_app using (org_id = current_org()) '
                       'with check (org_id = current_org())', name);
        execute format('create policy every_org on %I to syncstore_worker using (true) with check (true)', name);
    end loop;
end
$$;

-- Arrays are aligned by command (p_*), by event (e_*), by claim (c_*) and by release (r_*); e_command and its like count
-- commands from 1. The caller never puts two commands on one stream, with one key or with one claim into one call.
-- Locks are taken in one order everywhere: streams by id, then claims, then idempotency keys.
create function append_commands(
    p_org text,
    p_streams text[], p_partition_keys text[], p_shards smallint[], p_expected integer[], p_events integer[],
    p_keys text[], p_fingerprints bytea[], p_responses bytea[],
    e_command integer[], e_ids uuid[], e_types text[], e_schemas smallint[], e_data text[],
    e_occurred_at timestamptz[], e_actors text[], e_correlations uuid[], e_causations uuid[], e_batches uuid[],
    c_command integer[], c_kinds text[], c_values text[],
    r_command integer[], r_kinds text[], r_values text[]
)
returns table (
    command integer, outcome text, stream_version integer, last_position bigint,
    stored_fingerprint bytea, stored_response bytea, claim_kind text, claim_value text, claim_owner text
)
language plpgsql
as $$
#variable_conflict use_column
declare
    standing integer[];
    refused integer[];
    taken bigint;
    wanted bigint;
begin
    perform set_config('syncstore.org', p_org, true);
    standing := array(select generate_subscripts(p_streams, 1));

    if array_length(array_remove(p_keys, null), 1) is not null then
        select array_agg(known.i) into refused
        from (
            select asked.i from unnest(p_keys) with ordinality asked (key, i)
            join idempotency_keys stored on stored.org_id = p_org and stored.key = asked.key
        ) known;
        if refused is not null then
            return query
                select asked.i::integer, 'replayed', stored.version, stored.position, stored.fingerprint,
                    stored.response, null::text, null::text, null::text
                from unnest(p_keys) with ordinality asked (key, i)
                join idempotency_keys stored on stored.org_id = p_org and stored.key = asked.key;
            standing := array(select i from unnest(standing) i where i <> all (refused));
        end if;
    end if;

    -- A stream's row is its lock. Rows of new streams are made here; whoever made one first has won.
    with made as (
        insert into streams (org_id, stream_id, version)
        select p_org, p_streams[i], 0 from unnest(standing) i
        where p_expected[i] = 0 and p_events[i] > 0
        order by p_streams[i]
        on conflict (org_id, stream_id) do nothing
        returning stream_id
    )
    select count(*) into taken from made;

    perform from streams
    where org_id = p_org and stream_id = any (array(select p_streams[i] from unnest(standing) i))
    order by stream_id
    for update;

    select array_agg(i) into refused
    from unnest(standing) i
    left join streams on streams.org_id = p_org and streams.stream_id = p_streams[i]
    where coalesce(streams.version, 0) <> p_expected[i];

    if refused is not null then
        return query
            select i, 'moved', coalesce(streams.version, 0), 0::bigint, null::bytea, null::bytea,
                null::text, null::text, null::text
            from unnest(refused) i
            left join streams on streams.org_id = p_org and streams.stream_id = p_streams[i];
        standing := array(select i from unnest(standing) i where i <> all (refused));
    end if;

    if cardinality(c_command) > 0 then
        select array_agg(distinct asked.command) into refused
        from unnest(c_command, c_kinds, c_values) asked (command, kind, value)
        join claims on claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value
        where asked.command = any (standing) and claims.stream_id <> p_streams[asked.command];

        if refused is not null then
            return query
                select distinct on (asked.command) asked.command, 'taken', 0, 0::bigint, null::bytea, null::bytea,
                    asked.kind, asked.value, claims.stream_id
                from unnest(c_command, c_kinds, c_values) asked (command, kind, value)
                join claims on claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value
                where asked.command = any (refused) and claims.stream_id <> p_streams[asked.command]
                order by asked.command, asked.kind, asked.value;
            standing := array(select i from unnest(standing) i where i <> all (refused));
        end if;
    end if;

    if cardinality(r_command) > 0 then
        delete from claims
        using unnest(r_command, r_kinds, r_values) freed (command, kind, value)
        where claims.org_id = p_org and claims.kind = freed.kind and claims.value = freed.value
            and freed.command = any (standing) and claims.stream_id = p_streams[freed.command];
    end if;

    if cardinality(c_command) > 0 then
        insert into claims (org_id, kind, value, stream_id)
        select p_org, asked.kind, asked.value, p_streams[asked.command]
        from unnest(c_command, c_kinds, c_values) asked (command, kind, value)
        where asked.command = any (standing)
        order by asked.kind, asked.value
        on conflict (org_id, kind, value) do nothing;

        select count(*) into wanted from unnest(c_command) i where i = any (standing);
        select count(*) into taken
        from unnest(c_command, c_kinds, c_values) asked (command, kind, value)
        join claims on claims.org_id = p_org and claims.kind = asked.kind and claims.value = asked.value
            and claims.stream_id = p_streams[asked.command]
        where asked.command = any (standing);
        if taken <> wanted then
            -- Somebody claimed one between our look and our insert. Nothing is kept; asked again, it is seen.
            raise exception 'a claim was taken meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;

    return query
    with fresh as (
        insert into events (
            org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
            correlation_id, causation_id, batch_id
        )
        select p_org, p_streams[e.command],
            p_expected[e.command] + (row_number() over (partition by e.command order by e.place))::integer,
            p_partition_keys[e.command], e.id, e.type, e.schema, e.data::json, e.occurred_at, e.actor,
            e.correlation, e.causation, e.batch
        from unnest(
            e_command, e_ids, e_types, e_schemas, e_data, e_occurred_at, e_actors, e_correlations, e_causations, e_batches
        ) with ordinality e (
            command, id, type, schema, data, occurred_at, actor, correlation, causation, batch, place
        )
        where e.command = any (standing)
        order by e.place
        returning stream_id, version, position
    ), queued as (
        insert into outbox (position, shard)
        select fresh.position, p_shards[array_position(p_streams, fresh.stream_id)] from fresh
    ), last as (
        select i, p_streams[i] as stream_id, p_expected[i] + p_events[i] as version,
            coalesce(reached.position, 0) as position
        from unnest(standing) i
        left join (select stream_id, max(position) as position from fresh group by stream_id) reached
            on reached.stream_id = p_streams[i]
    ), moved as (
        update streams set version = last.version
        from last
        where streams.org_id = p_org and streams.stream_id = last.stream_id and p_events[last.i] > 0
    ), answered as (
        -- A key used meanwhile by another process is a unique violation: nothing is kept; asked again, it is seen.
        insert into idempotency_keys (org_id, key, fingerprint, response, version, position)
        select p_org, p_keys[last.i], p_fingerprints[last.i], p_responses[last.i], last.version, last.position
        from last where p_keys[last.i] is not null
    )
    select last.i, 'appended', last.version, last.position, null::bytea, null::bytea, null::text, null::text, null::text
    from last;

    -- A new stream whose command was refused after all leaves no trace.
    if cardinality(standing) < cardinality(p_streams) then
        delete from streams where org_id = p_org and version = 0 and stream_id = any (p_streams);
    end if;
end
$$;

grant delete on streams to syncstore_app, syncstore_worker;
