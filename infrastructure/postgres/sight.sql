-- name: see_as
-- For row-level security, until the transaction ends.
select set_config('syncstore.org', %(org_id)s, true)
