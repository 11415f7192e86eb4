-- name: create_likes
-- Tables of the same columns, defaults and indexes, without row-level security.
create table events_like (like events including all);
create table streams_like (like streams including all);
create table claims_like (like claims including all);
create table outbox_like (like outbox including all);

-- name: empty_likes
-- So that each round copies into as much as the first.
truncate events_like, streams_like, claims_like, outbox_like;
