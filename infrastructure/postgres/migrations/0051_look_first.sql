-- A person can ask to compare a listing with its shop before anything is pushed.
-- phase: before the code that uses it

alter table push_queue add column look_first boolean not null default false;

comment on column push_queue.look_first is 'The turn begins with reading the item at the shop.';
