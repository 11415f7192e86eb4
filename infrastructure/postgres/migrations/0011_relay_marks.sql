-- What lets a relay skip what it has done: how far positions are given out, and when to look further down again.
-- phase: before the code that uses it

alter table relay_leases add column rewinds bigint not null default 0;

comment on column relay_leases.rewinds is 'Grows when parked rows return to the outbox, far below what was read last.';

grant select on sequence event_position to syncstore_worker;
