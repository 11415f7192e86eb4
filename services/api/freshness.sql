-- name: see_as
-- For row-level security, until the transaction ends.
select set_config('syncstore.org', %(org_id)s, true)

-- name: stream_at
-- Which stream an event of the organisation belongs to.
select stream_id from events where org_id = %(org_id)s and position = %(position)s
