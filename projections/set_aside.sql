-- name: among
-- Those of some keys that are set aside, and by whom.
select coalesce(json_object_agg(key, parts), '{}')::text from set_aside where key = any(%(keys)s::text[])
