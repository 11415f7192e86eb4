-- What relay and consumers have set aside can be seen beside what it holds up, with the rights of the API.
-- phase: before the code that uses it

create index consumer_parked_of_key on consumer_parked (key);

create view set_aside with (security_barrier) as
select key, json_agg(json_build_object('by', part, 'waiting', waiting, 'since', since) order by since, part) as parts
from (
    select partition_key as key, 'relay' as part, count(*) as waiting, min(parked_at) as since
    from outbox_parked group by partition_key
    union all
    select key, consumer, count(*), min(parked_at) from consumer_parked group by key, consumer
) p
group by key;

comment on view set_aside is
    'Keys that wait for an operator, with who set them aside. It belongs to no organisation: readers join it with rows of their own.';

create view anything_set_aside as
select exists (select from outbox_parked) or exists (select from consumer_parked) as found;

comment on view anything_set_aside is 'Mostly nothing is, and readers need not look further.';

grant select on set_aside, anything_set_aside to syncstore_app, syncstore_worker;
