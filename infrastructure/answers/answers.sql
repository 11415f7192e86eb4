-- name: find
-- What was answered to a key.
select fingerprint, answer from command_answers where org_id = %(org_id)s and key = %(key)s

-- name: keep
-- The first answer to a key stays.
insert into command_answers (org_id, key, fingerprint, answer)
values (%(org_id)s, %(key)s, %(fingerprint)s, %(answer)s)
on conflict (org_id, key) do nothing
