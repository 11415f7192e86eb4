-- name: attend
-- This process is here; how many are (those not seen for a while do not count).
with here as (
    insert into relay_members (owner, seen_at) values (%(owner)s, now())
    on conflict (owner) do update set seen_at = excluded.seen_at
    returning owner
)
select count(*) from (
    select owner from relay_members where seen_at > now() - make_interval(secs => %(ttl)s)
    union
    select owner from here
) members;

-- name: renew
-- Keep what is ours and still valid, under the same term: a namesake of this process has terms of its own.
update relay_leases lease set expires_at = now() + make_interval(secs => %(ttl)s)
from unnest(%(shards)s::smallint[], %(terms)s::bigint[]) as held (shard, term)
where lease.shard = held.shard and lease.term = held.term and lease.owner = %(owner)s and lease.expires_at > now()
returning lease.shard, lease.term;

-- name: claim
-- Take some free shards, each under a new term.
with free as (
    select shard from relay_leases
    where expires_at <= now()
    order by shard
    limit %(limit)s
    for update skip locked
)
update relay_leases lease
set owner = %(owner)s, term = lease.term + 1, expires_at = now() + make_interval(secs => %(ttl)s)
from free where lease.shard = free.shard
returning lease.shard, lease.term;

-- name: release
-- Hand shards over at once.
update relay_leases set expires_at = '-infinity', owner = null
where owner = %(owner)s and shard = any (%(shards)s);

-- name: leave
-- A graceful stop.
delete from relay_members where owner = %(owner)s;

-- name: owners
-- Who holds how many shards.
select owner, count(*), min(expires_at) from relay_leases where expires_at > now() group by owner order by owner;
