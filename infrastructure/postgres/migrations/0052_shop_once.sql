-- A shop belongs to one organisation of an installation.
-- phase: before the code that uses it

-- Of two claims the one whose shop is worked at stays: the other connection never had a lane.
alter table claims no force row level security;

delete from claims where ctid = any (array(
    select ranked.ctid
    from (
        select claims.ctid, row_number() over (
            partition by claims.value order by lane.connection_id is null, claims.org_id, claims.stream_id
        ) as place
        from claims
        left join shop_lanes lane on lane.org_id = claims.org_id
            and 'connection-' || lane.connection_id = claims.stream_id
            and lane.platform || ':' || lane.shop_id = claims.value
        where claims.kind = 'shop'
    ) ranked
    where ranked.place > 1
));

alter table claims force row level security;

create unique index claims_shop on claims (value) where kind = 'shop';
