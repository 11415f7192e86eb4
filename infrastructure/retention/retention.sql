-- Each deletes at most a portion, so that no transaction is long and nobody waits for its locks.

-- name: idempotency_keys
-- Answers to commands of one stream; events are never deleted.
delete from idempotency_keys where ctid = any (array(
    select ctid from idempotency_keys where created_at < now() - make_interval(days => %(days)s) limit %(portion)s
));

-- name: command_answers
-- Answers to commands of several streams.
delete from command_answers where ctid = any (array(
    select ctid from command_answers where created_at < now() - make_interval(days => %(days)s) limit %(portion)s
));

-- name: jobs
-- Jobs that have ended, with their items.
delete from jobs where ctid = any (array(
    select ctid from jobs where finished_at < now() - make_interval(days => %(days)s) limit %(portion)s
));

-- name: shop_inbox
-- Notifications that have been acted on, past the longest time in which a platform repeats itself.
delete from shop_inbox where ctid = any (array(
    select ctid from shop_inbox where handled_at < now() - make_interval(days => %(days)s) limit %(portion)s
));

-- name: relay_members
-- Relays that were killed before they could sign off.
delete from relay_members where seen_at < now() - make_interval(days => %(days)s);
