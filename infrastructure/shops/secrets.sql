-- name: read_secrets
-- The sealed secrets of a connection, and the revision a refresh must still find.
select sealed, revision from shop_secrets where org_id = %(org_id)s and connection_id = %(connection_id)s;

-- name: read_authorisation
-- How often a person has brought secrets of a connection.
select authorisation from shop_secrets where org_id = %(org_id)s and connection_id = %(connection_id)s;

-- name: samples
-- Some of what each key has sealed, whoever's it is.
select org_id, connection_id, sealed from sealed_samples();

-- name: write_secrets
-- First secrets of a connection, or new ones given by a person.
insert into shop_secrets (org_id, connection_id, sealed)
values (%(org_id)s, %(connection_id)s, %(sealed)s)
on conflict (org_id, connection_id) do update
set sealed = excluded.sealed, revision = shop_secrets.revision + 1, authorisation = shop_secrets.authorisation + 1,
    updated_at = now();

-- name: replace_secrets
-- After a refresh: only if nobody else has replaced them since they were read.
update shop_secrets
set sealed = %(sealed)s, revision = revision + 1, updated_at = now()
where org_id = %(org_id)s and connection_id = %(connection_id)s and revision = %(revision)s;
