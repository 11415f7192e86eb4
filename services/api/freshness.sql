-- name: stream_at
-- Which stream an event of the organisation belongs to, and what orders it.
select stream_id, partition_key from events where org_id = %(org_id)s and position = %(position)s
