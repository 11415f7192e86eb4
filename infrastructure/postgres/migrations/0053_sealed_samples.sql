-- Whether the keys at hand open what was sealed can be asked before anything fails for it.
-- phase: before the code that uses it

-- sealed_samples() below reads it as the owner of the schema.
alter table shop_secrets no force row level security;

-- The newest and the oldest that each key has sealed: a key that was replaced under its old name opens one of them only.
create function sealed_samples()
    returns table (org_id text, connection_id text, sealed bytea)
    language sql stable security definer set search_path = public
    as $$
        select kept.org_id, kept.connection_id, kept.sealed
        from (
            select known.*,
                row_number() over (partition by substr(known.sealed, 2, get_byte(known.sealed, 0))
                                   order by known.updated_at) as place,
                count(*) over (partition by substr(known.sealed, 2, get_byte(known.sealed, 0))) as places
            from shop_secrets known
        ) kept
        where kept.place in (1, kept.places)
    $$;

revoke all on function sealed_samples from public;
grant execute on function sealed_samples to syncstore_app, syncstore_worker;
