-- name: find_key
-- A key that is not revoked, by its public id; whose it is, is part of the answer.
select org_id, name, hash, scopes from api_key(%(id)s)

-- name: mark_used
-- At most one write a minute for each key.
select api_key_used(%(id)s)

-- name: insert_key
-- A new key; its secret is not kept.
insert into api_keys (org_id, id, name, hash, scopes)
values (%(org_id)s, %(id)s, %(name)s, %(hash)s, %(scopes)s)

-- name: list_keys
-- The keys of an organisation, revoked ones included.
select id, name, scopes, created_at, revoked_at, last_used_at from api_keys
where org_id = %(org_id)s order by created_at, id

-- name: revoke_key
-- Ends a key; ending it again changes nothing.
update api_keys set revoked_at = now() where org_id = %(org_id)s and id = %(id)s and revoked_at is null
