-- name: open
-- Make rows for partitions a consumer meets for the first time; what is there stays.
insert into consumer_offsets (consumer, topic, partition, next_offset)
select %(consumer)s, s.topic, s.partition, s.next_offset
from unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[]) as s (topic, partition, next_offset)
on conflict do nothing

-- name: load
-- Where a consumer stands in these partitions.
select o.topic, o.partition, o.next_offset
from consumer_offsets o
join unnest(%(topics)s::text[], %(partitions)s::integer[]) as s (topic, partition) using (topic, partition)
where o.consumer = %(consumer)s

-- name: load_all
-- Where a consumer stands in every partition it has met.
select topic, partition, next_offset from consumer_offsets where consumer = %(consumer)s

-- name: lock_all
-- The same, keeping every member of the consumer from moving until the transaction ends.
select topic, partition, next_offset from consumer_offsets where consumer = %(consumer)s
order by topic, partition
for update

-- name: lock_partitions
-- Keep the consumer from moving in these partitions, whatever the topic, until the transaction ends.
select topic, partition, next_offset from consumer_offsets
where consumer = %(consumer)s and partition = any(%(partitions)s::integer[])
order by topic, partition
for update

-- name: advance
-- Compare and set: rows that are not where the caller believes stay as they are. A batch that a power cut undoes is
-- undone as a whole, offsets and effect, and read again, so its transaction does not wait for the disk.
update consumer_offsets o
set next_offset = s.next_offset,
    position = greatest(o.position, s.position),
    highwater = greatest(s.highwater, s.next_offset),
    moved_at = clock_timestamp(),
    measured_at = clock_timestamp()
from unnest(
    %(topics)s::text[], %(partitions)s::integer[], %(expected)s::bigint[],
    %(next)s::bigint[], %(positions)s::bigint[], %(highwaters)s::bigint[]
) as s (topic, partition, expected, next_offset, position, highwater),
    (select set_config('synchronous_commit', 'off', true)) relaxed
where o.consumer = %(consumer)s
    and o.topic = s.topic
    and o.partition = s.partition
    and o.next_offset = s.expected

-- name: reset
-- Put a partition where it can be read, if it still stands where it could not.
update consumer_offsets
set next_offset = %(offset)s, moved_at = clock_timestamp()
where consumer = %(consumer)s and topic = %(topic)s and partition = %(partition)s and next_offset = %(expected)s

-- name: start_over
-- Every consumer reads these topics from their first record on; members notice by compare and set.
update consumer_offsets set next_offset = 0, moved_at = clock_timestamp() where topic = any (%(topics)s::text[])

-- name: measure
-- Note where partitions end in Kafka, for the lag that readers show. One that a batch is moving is left to the batch,
-- which notes the same and may hold the row for as long as it works.
update consumer_offsets o
set highwater = s.highwater, measured_at = clock_timestamp()
from (
    select f.topic, f.partition, s.highwater
    from unnest(%(topics)s::text[], %(partitions)s::integer[], %(highwaters)s::bigint[]) as s (topic, partition, highwater)
    join consumer_offsets f using (topic, partition)
    where f.consumer = %(consumer)s
    for no key update of f skip locked
) s
where o.consumer = %(consumer)s and o.topic = s.topic and o.partition = s.partition

-- name: forget
-- Remove a consumer's offsets.
delete from consumer_offsets where consumer = %(consumer)s
