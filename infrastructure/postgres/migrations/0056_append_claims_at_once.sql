-- The append of many commands with less to look up: claims are taken as if they were free, as keys and streams are.
-- phase: before the code that uses it

-- Arrays are aligned by command (p_*), by event (e_*), by claim (c_*) and by release (r_*). e_command and its like count
-- commands from 1; events of a command follow each other by version. Two commands on one stream, with one key or with one
-- claim do not belong into one call.
--
-- Locks are taken in one order everywhere: keys, streams, claims, each sorted. Everything is written as if no command were
-- refused, and what a refused one has written is taken back: refusals are rare, and no command pays for looking first.
-- Each look sees what others have committed by then. Where two looks disagree the whole call fails with
-- serialization_failure, having stored nothing, and is asked again.
create or replace function append_commands(
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
-- grows, so each row is looked up by itself (lateral, limit 1), which leaves only its index to choose. What every call goes
-- through takes elements by number: PL/pgSQL keeps arrays unpacked, while unnest would store every element twice more.
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
    claimed tid[];
    taken integer[];
    told integer;
begin
    perform set_config('syncstore.org', p_org, true);

    with made as (
        insert into idempotency_keys (org_id, key, fingerprint, response, stream_id, version, events)
        select p_org, p_keys[i], p_fingerprints[i], p_responses[i], p_streams[i], p_versions[i], p_versions[i] - p_expected[i]
        from generate_series(1, cardinality(p_keys)) i
        where p_keys[i] is not null
        order by p_keys[i]
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
        select p_org, p_streams[i], p_versions[i], p_expected[i]
        from generate_series(1, cardinality(p_streams)) i
        where i <> all (refused)
        order by p_streams[i]
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
        with made as (
            insert into claims (org_id, kind, value, stream_id)
            select p_org, c_kinds[i], c_values[i], c_streams[i]
            from generate_series(1, cardinality(c_command)) i
            where c_command[i] <> all (refused)
            order by c_kinds[i], c_values[i]
            on conflict (org_id, kind, value) do nothing
            returning ctid as row_id
        )
        select coalesce(array_agg(row_id), '{}') into claimed from made;

        if cardinality(claimed) < cardinality(c_command) then  -- what was claimed before, by whom?
            taken := array(
                select distinct c_command[i] from generate_series(1, cardinality(c_command)) i
                left join lateral (
                    select stream_id from claims
                    where claims.org_id = p_org and claims.kind = c_kinds[i] and claims.value = c_values[i] limit 1
                ) claims on true
                where c_command[i] <> all (refused) and claims.stream_id is distinct from c_streams[i]
            );
        end if;
        if cardinality(taken) > 0 then
            return query
                select distinct on (c_command[i]) c_command[i], 'taken', 0, 0::bigint, null::bytea, null::bytea,
                    c_kinds[i], c_values[i], claims.stream_id
                from generate_series(1, cardinality(c_command)) i
                cross join lateral (
                    select stream_id from claims
                    where claims.org_id = p_org and claims.kind = c_kinds[i] and claims.value = c_values[i] limit 1
                ) claims
                where c_command[i] = any (taken) and claims.stream_id <> c_streams[i]
                order by c_command[i], i;
            get diagnostics told = row_count;
            if told < cardinality(taken) then
                -- Let go between our insert and our look. Nothing is kept; asked again, it is free.
                raise exception 'a claim was released meanwhile' using errcode = 'serialization_failure';
            end if;
            refused := refused || taken;
            reached := array(select p_streams[i] from unnest(taken) i);
            delete from claims where ctid = any (claimed) and stream_id = any (reached);
            delete from streams where org_id = p_org and stream_id = any (reached) and previous = 0;
            update streams set version = previous where org_id = p_org and stream_id = any (reached);
        end if;
    end if;

    if cardinality(r_command) > 0 then
        delete from claims where ctid = any (array(
            select claims.ctid from generate_series(1, cardinality(r_command)) i
            cross join lateral (
                select ctid, stream_id from claims
                where claims.org_id = p_org and claims.kind = r_kinds[i] and claims.value = r_values[i] limit 1
            ) claims
            where claims.stream_id = r_streams[i] and r_command[i] <> all (refused)
                and (r_command[i], r_kinds[i], r_values[i]) not in (  -- what is let go and taken again is kept
                    select c_command[j], c_kinds[j], c_values[j] from generate_series(1, cardinality(c_command)) j
                )
        ));
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
            select nextval('event_position') as position, i
            from generate_series(1, cardinality(e_command)) i
            where e_command[i] <> all (refused)
        ), stored as (
            insert into events (
                position, org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
                correlation_id, causation_id, batch_id
            )
            select position, p_org, e_streams[i], e_versions[i], e_partition_keys[i], e_ids[i], e_types[i], e_schemas[i],
                e_data[i]::json, e_occurred_at[i], e_actors[i], e_correlations[i], e_causations[i], e_batches[i]
            from drawn
        ), queued as (
            insert into outbox (position, shard) select position, e_shards[i] from drawn
        )
        select e_command[i], 'appended', e_versions[i], position, null::bytea, null::bytea, null::text, null::text, null::text
        from drawn where e_command[i] is distinct from e_command[i + 1]
        union all
        select asked.place::integer, 'appended', asked.version, 0, null, null, null, null, null
        from unnest(p_expected, p_versions) with ordinality asked (expected, version, place)
        where asked.version = asked.expected and asked.place <> all (refused);
end
$$;
