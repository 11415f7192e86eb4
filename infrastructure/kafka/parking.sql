-- name: parked_keys
-- Which of these keys wait for an operator.
select distinct key from consumer_parked where consumer = %(consumer)s and key = any(%(keys)b::text[])

-- name: park
-- Set records aside, in order.
insert into consumer_parked (consumer, key, topic, partition, record_offset, record_key, record_value, headers, reason)
values (
    %(consumer)s, %(key)s, %(topic)s, %(partition)s, %(offset)s, %(record_key)s, %(record_value)s, %(headers)s, %(reason)s
)

-- name: list
-- Each key that waits: how many records, since when, and why the first one was set aside.
select p.consumer, p.key, count(*) as records, min(p.parked_at) as since,
    (array_agg(p.id order by p.id))[1] as first_id,
    (array_agg(p.topic order by p.id))[1] as topic,
    (array_agg(p.partition order by p.id))[1] as partition,
    (array_agg(p.record_offset order by p.id))[1] as record_offset,
    (array_agg(p.reason order by p.id))[1] as reason
from consumer_parked p
where %(consumer)s::text is null or p.consumer = %(consumer)s
group by p.consumer, p.key
order by min(p.id)
limit %(limit)s

-- name: partitions_of
-- Where the records of a parked key came from.
select distinct partition from consumer_parked where consumer = %(consumer)s and key = %(key)s

-- name: records_of
-- The records of a parked key, in order.
select id, topic, partition, record_offset, record_key, record_value, headers
from consumer_parked
where consumer = %(consumer)s and key = %(key)s
order by id

-- name: remove
-- Records that have been applied, or are given up.
delete from consumer_parked where consumer = %(consumer)s and id = any(%(ids)s::bigint[])

-- name: note_dropped
-- Remember what is given up, by whom and why.
insert into consumer_dropped
    (id, consumer, key, topic, partition, record_offset, event_id, reason, dropped_because, dropped_by)
select id, consumer, key, topic, partition, record_offset,
    (
        select encode(decode(h ->> 1, 'base64'), 'escape') -- whatever bytes it is
        from jsonb_array_elements(headers) with ordinality as given (h, number)
        where h ->> 0 = 'ce_id'
        order by number desc
        limit 1
    ),
    reason, %(because)s, %(by)s
from consumer_parked
where consumer = %(consumer)s and key = %(key)s
    and (%(whole_key)s or id = (select min(id) from consumer_parked where consumer = %(consumer)s and key = %(key)s))
returning id

-- name: count
-- How many keys and records of a consumer wait.
select count(distinct key), count(*) from consumer_parked where consumer = %(consumer)s
