-- name: accept
-- Keep a notification before it is acknowledged; the same one twice is kept once.
insert into shop_inbox (org_id, connection_id, dedupe_key, body)
values (%(org_id)s, %(connection_id)s, %(dedupe_key)s, %(body)s)
on conflict (org_id, connection_id, dedupe_key) do nothing
returning id;

-- name: waiting
-- Notifications not yet acted on, oldest first.
select id, body from shop_inbox
where org_id = %(org_id)s and connection_id = %(connection_id)s and handled_at is null
order by id
limit %(limit)s;

-- name: handled
-- The shop has been looked at for these.
update shop_inbox set handled_at = now() where id = any (%(ids)s);
