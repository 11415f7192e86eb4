-- How far the outbox is behind, for readiness: the one thing that the application may know of it.
-- phase: before the code that uses it

create function outbox_waiting() returns table (events bigint, oldest timestamptz)
    language sql stable security definer set search_path = public
    as $$
        select
            (select count(*) from (select from outbox limit 100000) o),
            (select recorded_at from events where position = (select min(position) from outbox))
    $$;

comment on function outbox_waiting is 'Counts up to 100000 events; the oldest is null when nothing waits.';

revoke all on function outbox_waiting from public;
grant execute on function outbox_waiting to syncstore_app, syncstore_worker;
