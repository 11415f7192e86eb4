-- name: missing
-- Events of streams between what a row has folded and what has come, without those an operator has given up.
select e.position, e.org_id, e.stream_id, e.version, e.partition_key, e.event_id, e.type, e.schema,
    convert_to(e.data::text, 'UTF8') as data, e.occurred_at, e.recorded_at, e.actor, e.correlation_id, e.causation_id,
    e.batch_id
from unnest(%(orgs)s::text[], %(streams)s::text[], %(after)s::integer[], %(up_to)s::integer[])
    as s (org_id, stream_id, after, up_to)
join events e
    on e.org_id = s.org_id and e.stream_id = s.stream_id and e.version > s.after and e.version <= s.up_to
where not exists (select from consumer_dropped d where d.event_id = e.event_id::text)
order by e.org_id, e.stream_id, e.version
