-- name: cut_buckets
-- Cut the streams of some categories into ranges of about equal numbers of events; the last one has no end.
with wanted as (
    select org_id, stream_id, version,
        (sum(version) over (order by org_id, stream_id) - 1) / greatest(%(events_per_bucket)s::bigint, 1) as bucket
    from streams
    where split_part(stream_id, '-', 1) = any(%(categories)s::text[])
), edges as (
    select bucket, sum(version) as expected,
        (array_agg(org_id order by org_id desc, stream_id desc))[1] as up_to_org,
        (array_agg(stream_id order by org_id desc, stream_id desc))[1] as up_to_stream
    from wanted
    group by bucket
), numbered as (
    select row_number() over (order by bucket) as number, expected,
        lag(up_to_org) over w as after_org, lag(up_to_stream) over w as after_stream,
        case when lead(bucket) over w is null then null else up_to_org end as up_to_org,
        case when lead(bucket) over w is null then null else up_to_stream end as up_to_stream
    from edges
    window w as (order by bucket)
)
insert into projection_buckets
    (view, generation, bucket, after_org, after_stream, up_to_org, up_to_stream, expected)
select %(view)s, %(generation)s, number, after_org, after_stream, up_to_org, up_to_stream, expected from numbered
union all
select %(view)s, %(generation)s, 1, null, null, null, null, 0 where not exists (select from numbered)

-- name: buckets
-- How far the fill is.
select expected, events from projection_buckets
where view = %(view)s and generation = %(generation)s
order by bucket

-- name: take_bucket
-- A bucket that is not filled and that nobody fills at present.
select bucket, after_org, after_stream, up_to_org, up_to_stream from projection_buckets
where view = %(view)s and generation = %(generation)s and events is null
order by bucket
limit 1
for update skip locked

-- name: wait_for_buckets
-- Ends when no other process is at a bucket.
select bucket from projection_buckets
where view = %(view)s and generation = %(generation)s and events is null
order by bucket
for update

-- name: finish_bucket
-- In the transaction that filled it.
update projection_buckets set events = %(events)s
where view = %(view)s and generation = %(generation)s and bucket = %(bucket)s

-- name: streams_of
-- Each stream's events as one JSON array of arrays: one row to send and one text to decode per stream. They come in order
-- because the index gives them so; an order inside the aggregate would sort again, and the reader counts along anyway.
select org_id, stream_id, min(partition_key) as partition_key,
    convert_to('[' || string_agg(
        '[' || version || ',' || position || ',"' || type || '",' || schema || ',' || to_json(occurred_at) || ','
            || data || ']',
        ','
    ) || ']', 'UTF8') as facts
from (select * from events where {range} order by org_id, stream_id, version) e
group by org_id, stream_id

-- name: has_indexes
-- Whether the table has got its indexes; they are all made in one transaction.
select exists (select from pg_constraint where conrelid = %(table)s::regclass and contype = 'p')
