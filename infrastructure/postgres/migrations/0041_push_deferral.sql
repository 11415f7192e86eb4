-- How long a listing waits for its shop's limits is told apart from how long it waits for other reasons.
-- phase: before the code that uses it

alter table push_queue add column deferred_since timestamptz;

comment on column push_queue.deferred_since is 'Since when every turn has met the limits of the shop; null when the last did not.';
