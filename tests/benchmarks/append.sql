-- name: create_bare_append
-- The least that stores one command: what a service without an event store of its own would write.
create function bare_append(
    p_org text, p_stream text, p_partition_key text, p_shard smallint, p_expected integer,
    p_key text, p_fingerprint bytea, p_response bytea,
    p_event uuid, p_type text, p_schema smallint, p_data text, p_occurred_at timestamptz, p_actor text, p_correlation uuid
) returns bigint
language plpgsql
as $$
declare
    reached bigint;
begin
    if p_expected = 0 then
        insert into streams (org_id, stream_id, version) values (p_org, p_stream, 1);
    else
        update streams set version = p_expected + 1
        where org_id = p_org and stream_id = p_stream and version = p_expected;
        if not found then
            raise exception 'the stream has moved';
        end if;
    end if;
    insert into events (
        org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor, correlation_id
    ) values (
        p_org, p_stream, p_expected + 1, p_partition_key, p_event, p_type, p_schema, p_data::json, p_occurred_at,
        p_actor, p_correlation
    ) returning position into reached;
    insert into outbox (position, shard) values (reached, p_shard);
    insert into idempotency_keys (org_id, key, fingerprint, response, stream_id, version, events)
    values (p_org, p_key, p_fingerprint, p_response, p_stream, p_expected + 1, 1);
    return reached;
end
$$;

-- name: call_bare_append
-- One command, one call, one commit.
select bare_append(
    %(org)s::text, %(stream)s::text, %(partition_key)s::text, %(shard)s::smallint, %(expected)s::integer,
    %(key)s::text, %(fingerprint)s::bytea, %(response)s::bytea,
    %(event)s::uuid, %(type)s::text, %(schema)s::smallint, %(data)s::text, %(occurred_at)s::timestamptz, %(actor)s::text,
    %(correlation)s::uuid
);
