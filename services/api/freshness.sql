-- name: stream_at
-- Which stream an event of the organisation belongs to.
select stream_id from events where org_id = %(org_id)s and position = %(position)s
