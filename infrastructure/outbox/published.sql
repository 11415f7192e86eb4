-- name: selected
-- Of the events asked for those that have left the outbox for Kafka; stands in both of those below.
(%(from_position)s::bigint is null or position >= %(from_position)s)
    and (%(since)s::timestamptz is null or recorded_at >= %(since)s)
    and (%(key)s::text is null or partition_key = %(key)s)
    and (%(categories)s::text[] is null or split_part(stream_id, '-', 1) = any (%(categories)s))
    and not exists (select from outbox o where o.position = e.position)
    and not exists (select from outbox_parked p where p.position = e.position)
    and not exists (select from outbox_dropped d where d.position = e.position)

-- name: count
-- How many there are to read.
select count(*) from events e
where {selected};

-- name: read
-- Events that have left the outbox for Kafka, by position, in the columns of the outbox reader.
select position, 0::smallint, false, 0::bigint, partition_key, data, type, schema, org_id, actor, event_id::text,
    stream_id, version, to_json(occurred_at)::text, to_json(recorded_at)::text, correlation_id::text,
    causation_id::text, batch_id::text
from events e
where {selected}
order by position;
